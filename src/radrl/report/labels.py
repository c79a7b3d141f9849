"""Plain words for metric names, question kinds and rewards. The name itself stands beside them in small print."""

import inspect
from dataclasses import dataclass, replace

from radrl.rewards.api import aliases, entry, reward_names


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
    "gate/average": Label(
        title="Gate on the moving average",
        note="Rewards behind it count only in steps whose answers hold the running average of the steps before.",
        is_share=True,
    ),
    "gate/held": Label(
        title="Gate on the step before",
        note="Rewards behind it count only in steps whose answers are about as good as those of the step before.",
        is_share=True,
    ),
}

CURVES = tuple(name for name in METRICS if name != "val/outcome/mean" and not name.startswith("gate/"))
"""Metrics drawn as learning curves, in this order, where the run has them; gates have charts of their own."""


def _share(title: str, note: str) -> Label:
    return Label(title=title, note=note, is_share=True)


REWARDS: dict[str, Label] = {
    "format": _share("Form of the answer", "1 when every step is written as the format asks."),
    "answer_exact": _share("Exact answer", "1 when the final answer is exactly the reference."),
    "answer_f1": _share("Findings named", "Overlap (F1) of the findings named with the reference's."),
    "answer_option": _share("Option chosen", "1 when the right option is chosen."),
    "step_correctness": _share("Reasoning steps", "Share of steps that judge their finding rightly."),
    "think_similarity": _share("Wording of thoughts", "Likeness of each right step's thought to the reference's."),
    "candidate_recall": _share("Candidates", "Share of the true findings on the list that the answer opens with."),
    "graph_f1": _share("Facts stated (F1)", "Overlap of the facts in the reasoning with the reference's."),
    "graph_jaccard": _share("Facts stated (Jaccard)", "Overlap of the facts with the reference's."),
    "grounded_factuality": _share(
        "Findings in the reasoning", "Findings asserted on their side, against the true ones."
    ),
    "think_answer_consistency": _share("Reasoning fits the answer", "Whether the answer says what the reasoning says."),
    "difference_f1": _share(
        "Changes named", "Findings new, gone or changed since the earlier film, as in the reference."
    ),
    "counterfactual": _share("Answer follows the film", "Whether the answer changes when the decisive finding does."),
    "brier": _share("Honest confidence", "High when it is sure of right answers and unsure of wrong ones."),
    "abstention": Label(
        title="Knows when to pass", note="Pays for right answers, charges for wrong ones; passing is 0."
    ),
    "contradiction": Label(title="Contradictions", note="Minus the share of findings that the reference contradicts."),
    "laterality": Label(title="Wrong side", note="Minus the share of findings put on the wrong side."),
    "repetition": Label(title="Repetition", note="Minus what the text repeats beyond what the reference does."),
    "soft_overlong": Label(title="Too long", note="0 up to a soft limit, then down to -1 at the hard one."),
    "cosine_length": Label(
        title="Length, by result", note="Right answers earn more when short, wrong ones lose less when long."
    ),
    "group_length": Label(title="Shorter than its peers", note="Among right answers to one question, short ones earn."),
    "box_iou": Label(title="Place on the film", note="Overlap of the boxes drawn with the reference's."),
}
"""Other rewards are described by the first sentence of their own documentation."""

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


def reward_label(key: str, *, registered: str = "") -> Label:
    """Plain words for a reward term, or for a further number `term/number` that it reported.

    `registered` is the reward behind a term that has a name of its own.
    """
    term, _, extra = key.partition("/")
    if extra:
        return Label(title=f"{reward_label(term).title}: {plain(extra).lower()}", note="Reported, never paid.")
    if key in REWARDS:
        return REWARDS[key]
    if registered in REWARDS:
        return replace(REWARDS[registered], title=plain(key))
    return _documented(key, registered or key)


def _documented(key: str, registered: str) -> Label:
    """What a reward's own documentation says first; nothing for one of a user's file."""
    if registered not in (*reward_names(), *aliases()):
        return Label(title=plain(key))
    found = entry(registered)
    first = " ".join((inspect.getdoc(found.function) or "").partition("\n\n")[0].split()).replace("`", "")
    return Label(title=plain(key), note=first, is_share=(found.lowest, found.highest) == (0.0, 1.0))


def kind_label(kind: str) -> str:
    """Plain words for a question kind."""
    return KINDS.get(kind, plain(kind))


def plain(name: str) -> str:
    """A name of the code as words: `open_list` is `Open list`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
