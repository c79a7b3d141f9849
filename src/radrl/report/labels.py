"""Plain words for metric names, question kinds and rewards. The name itself stands beside them in small print."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a reader who has never seen the code is told of a number."""

    title: str
    note: str = ""
    """One sentence: what it means, or which way is good."""
    is_share: bool = False
    """Whether the number is a share of 1, shown in percent."""


METRICS: dict[str, Label] = {
    "outcome/mean": Label(
        title="Correct answers while training",
        note="Mean answer score of the step's sampled answers; higher is better.",
        is_share=True,
    ),
    "val/outcome/mean": Label(
        title="Correct answers in validation", note="On questions not trained on; higher is better.", is_share=True
    ),
    "reward/total/mean": Label(title="Total reward", note="What training maximises: the weighted sum of the parts."),
    "response_length/mean": Label(title="Length of the answers", note="Mean tokens of a sampled answer."),
    "sample/kept_frac": Label(
        title="Questions that taught something",
        note="Share of question groups kept: answers to one question differed in quality.",
        is_share=True,
    ),
    "actor/kl_loss": Label(title="Distance from the starting model", note="KL divergence in nats a token."),
    "actor/grad_norm": Label(title="Size of the update", note="Gradient norm before clipping."),
    "actor/pg_loss": Label(title="Policy loss", note="Its level says little; look for jumps."),
    "actor/entropy": Label(title="Undecidedness", note="Entropy in nats a token; 0 means every token is certain."),
    "gate/open": Label(title="Process reward gate", note="1 when the reward for reasoning counted, 0 when not."),
}

CURVES = tuple(name for name in METRICS if name != "val/outcome/mean")
"""Metrics drawn as learning curves, in this order, where the run has them."""


def _share(title: str, note: str) -> Label:
    return Label(title=title, note=note, is_share=True)


REWARDS: dict[str, Label] = {
    "format": _share("Form of the answer", "1 when every step is written as the format asks."),
    "answer_exact": _share("Exact answer", "1 when the final answer is exactly the reference."),
    "answer_f1": _share("Findings named", "Overlap (F1) of the findings named with the reference's."),
    "answer_option": _share("Option chosen", "1 when the right option is chosen."),
    "step_correctness": _share("Reasoning steps", "Share of steps that judge their finding rightly."),
    "graph_f1": _share("Facts stated (F1)", "Overlap of the facts in the reasoning with the reference's."),
    "graph_jaccard": _share("Facts stated (Jaccard)", "Overlap of the facts with the reference's."),
}

KINDS: dict[str, str] = {
    "": "Kind not stated",
    "presence": "Is it there? (yes or no)",
    "view": "Projection",
    "location": "Where is it?",
    "severity": "How severe?",
    "list": "List the abnormalities",
    "closed": "Choose among named options",
    "choice": "Choose among lettered options",
    "open": "Open, with candidates",
    "order": "Which film came later?",
}

BLIND: dict[str, Label] = {
    "majority": Label(title="Most frequent answer", note="No model at all."),
    "question_only": Label(
        title="Question only", note="The most frequent training answer to the same question, no image."
    ),
    "shuffled_image": Label(title="Someone else's radiograph", note="The trained model, shown another patient's film."),
}


def metric_label(name: str) -> Label:
    """Plain words for a metric; the name itself when there are none."""
    if name.startswith("reward/") and name.endswith("/mean") and name != "reward/total/mean":
        return reward_label(name.removeprefix("reward/").removesuffix("/mean"))
    return METRICS.get(name, Label(title=name))


def reward_label(name: str) -> Label:
    """Plain words for a reward."""
    return REWARDS.get(name, Label(title=plain(name)))


def kind_label(kind: str) -> str:
    """Plain words for a question kind."""
    return KINDS.get(kind, plain(kind))


def plain(name: str) -> str:
    """A name of the code as words: `open_list` is `Open list`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
