"""Samples, completions and rubrics for the reward tests."""

from collections.abc import Sequence
from dataclasses import replace

from radrl.config.schema import GateConfig, RewardConfig
from radrl.rewards.api import Argument, Attempt, Score, bind, entry
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import Rubric
from radrl.rewards.scoring import Call, perform
from radrl.text import parse_trace
from radrl.types import AnswerKind, Completion, Prompt, Sample


def trace(*steps: tuple[str, str]) -> str:
    """Trace of (thought, answer) pairs as our writers put it."""
    return "".join(f"<think>{think}</think><answer>{answer}</answer>" for think, answer in steps)


LETTERED = Sample(
    id="lettered", patient_id="p1", kind="closed", question="Which finding is present?",
    answer_kind=AnswerKind.CHOICE, answer=frozenset({"left pleural effusion"}),
    options=("A) edema", "B) left pleural effusion"),
    reference=trace(
        ("no edema", "A) ❌"), ("fluid at the left base", "B) ✅"), ("clear left pleural effusion", "B) ✅"),
    ),
)  # fmt: skip
NAMED = Sample(
    id="named", patient_id="p1", kind="closed", question="Which finding is present?", answer_kind=AnswerKind.CHOICE,
    options=("cardiomegaly", "right pneumothorax", "left pleural effusion"), answer=frozenset({"right pneumothorax"}),
    reference=trace(
        ("the heart is normal", "cardiomegaly ❌"),
        ("right pneumothorax", "right pneumothorax ✅"),
        ("no left pleural effusion", "left pleural effusion ❌"),
        ("summary", "right pneumothorax"),
    ),
)  # fmt: skip
PRESENCE = Sample(
    id="presence", patient_id="p2", kind="presence", question="Is there a left pleural effusion?",
    answer_kind=AnswerKind.YES_NO, options=("left pleural effusion",), answer=frozenset({"no"}),
    reference=trace(("no left pleural effusion", "left pleural effusion ❌"), ("summary", "no")),
)  # fmt: skip
OPEN = Sample(
    id="open", patient_id="p3", kind="open", question="What is wrong?", answer_kind=AnswerKind.SET,
    answer=frozenset({"atelectasis"}),
    reference=trace(
        ("candidates", "Differential Diagnoses: [Atelectasis, Edema]"),
        ("left atelectasis", "Atelectasis ✅"),
        ("no edema", "Edema ❌"),
        ("summary", "Atelectasis"),
    ),
)  # fmt: skip
NORMAL = Sample(
    id="normal", patient_id="p4", kind="list", question="List the abnormalities.", answer_kind=AnswerKind.SET,
    answer=frozenset(), reference=trace(("no left pleural effusion, no edema", "no finding")),
)  # fmt: skip
ANSWER_FIRST = Sample(
    id="answer-first", patient_id="p5", kind="presence", question="Is there an effusion?",
    answer_kind=AnswerKind.YES_NO, answer=frozenset({"yes"}), reference="Yes. There is a left pleural effusion.",
)  # fmt: skip
VIEW = Sample(
    id="view", patient_id="p6", kind="view", question="Which view?", answer_kind=AnswerKind.TEXT,
    answer=frozenset({"AP"}), reference=trace(("the scapulae overlie the lungs", "AP")),
)  # fmt: skip
SAMPLES = (LETTERED, NAMED, PRESENCE, OPEN, NORMAL, ANSWER_FIRST, VIEW)


def attempt(sample: Sample, text: str, *, num_tokens: int = 0, outcome: float | None = None) -> Attempt:
    """A completion of this text, as rewards see it; the stage's limit is 100 tokens."""
    return Attempt(
        sample=sample,
        text=text,
        trace=parse_trace(text),
        num_tokens=num_tokens,
        max_tokens=100,
        is_cut=num_tokens >= 100,
        outcome=outcome,
    )


def score(name: str, sample: Sample, text: str, **kwargs: Argument) -> Score:
    """What the reward of this name gives a completion of this text."""
    return bind(name, kwargs=kwargs).score(attempt(sample, text))


def value(name: str, sample: Sample, text: str, **kwargs: Argument) -> float | None:
    """The number alone."""
    return score(name, sample, text, **kwargs).value


def values(name: str, *groups: Sequence[Attempt], **kwargs: Argument) -> list[list[float | None]]:
    """What a reward of any scope gives the attempts of these groups, asked as a run asks it."""
    call = Call(term=RewardConfig(name=name, kwargs=kwargs), groups=tuple(tuple(group) for group in groups))
    scored = perform(call, bind(name, kwargs=kwargs))
    assert [one.failure for one in scored] == [""] * len(call.attempts)
    given = iter(scored)
    return [[next(given).value for _ in group] for group in groups]


def lone_value(name: str, sample: Sample, text: str) -> float | None:
    """What a reward of any scope gives a completion alone in its group and batch; its answer is taken to be right."""
    outcome = None if entry(name).per == "rollout" else 1.0
    return values(name, [attempt(sample, text, outcome=outcome)])[0][0]


def completions(sample: Sample, *texts: str) -> list[Completion]:
    """One completion a text, for the same prompt."""
    prompt = Prompt(sample=sample, text=sample.question, token_ids=(1,), num_image_tokens=0)
    empty = Completion(
        prompt=prompt,
        index=0,
        text="",
        token_ids=(),
        token_texts=(),
        logprobs=(),
        stop="eos",
        policy_version=0,
        temperature=1.0,
    )
    return [replace(empty, index=index, text=text) for index, text in enumerate(texts)]


def rubric(*rewards: RewardConfig, gate: GateConfig | None = None, pool: RewardPool | None = None) -> Rubric:
    """A checked rubric; the exact answer is the outcome when no reward is."""
    terms: Sequence[RewardConfig] = rewards
    if not any(term.outcome for term in rewards):
        terms = (RewardConfig(name="answer_exact", outcome=True), *rewards)
    made = Rubric(terms, gate or GateConfig(), max_tokens=100, pool=pool)
    made.check()
    return made
