"""The questions that hacks are tried on, with the majority answer of the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from radrl.answers import canonical_answer
from radrl.config.lint import TraceForm
from radrl.errors import ConfigError
from radrl.phantom.items import Item
from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import KINDS, PhantomWorld
from radrl.rewards.hacks import Majority
from radrl.rewards.hacks.draft import as_sentence
from radrl.text import final_answer, parse_trace, think_text
from radrl.types import IMAGE_MARK, Sample

CLOSED_KINDS = ("closed", "choice", "presence")
OPEN_KINDS = ("open", "list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Questions about phantom studies, and what a blind policy would answer.

    Example: `ask_questions(500, kinds=("closed",), trace="interleaved", seed=0, has_twins=False).samples[0].answer`
    """

    samples: tuple[Sample, ...]
    majority: Majority
    """Learnt from as many questions about other patients; yes or no and sets are settled on these questions."""


def ask_questions(
    num_questions: int, *, kinds: Sequence[str], trace: TraceForm, seed: int, has_twins: bool
) -> Questions:
    """Draw questions of a phantom world's test split, and what its training split teaches; twins come on top.

    Raises ConfigError for a kind that is not known.
    """
    known = [kind for kind in kinds if kind not in KINDS]
    if known:
        raise ConfigError(f"there are no questions of kind {known[0]!r} (from kinds). Known: {', '.join(KINDS)}.")
    world = PhantomWorld(seed=seed, kinds=dict.fromkeys(kinds or KINDS, 1.0), twins=has_twins)
    learnt = Majority.of(_samples(replace(world, twins=False), split="train", num_questions=num_questions))
    form: Literal["interleaved", "plain"] = "interleaved" if trace == "interleaved" else "plain"
    samples = _samples(replace(world, trace=form), split="test", num_questions=num_questions)
    if trace == "answer_first":
        samples = tuple(_answer_first(sample) for sample in samples)
    return Questions(samples=samples, majority=learnt.settled_on(samples))


def _samples(world: PhantomWorld, *, split: str, num_questions: int) -> tuple[Sample, ...]:
    return tuple(sample_of(item) for item in ask_undrawn(world, split=split, num_questions=num_questions))


def sample_of(item: Item) -> Sample:
    """The sample that reading the item's row would give, without its image."""
    question = item.question
    answer = canonical_answer(frozenset(item.answer), kind=question.answer_kind, options=question.options)
    assert answer is not None, f"the phantom's answer {item.answer} cannot be read"
    return Sample(
        id=item.id,
        patient_id=item.patient_id,
        kind=question.kind,
        question=f"{IMAGE_MARK}{question.text}",
        answer=answer,
        answer_kind=question.answer_kind,
        reference=item.reference,
        options=question.options,
        triplets=item.triplets,
        study_id=item.study_id,
        twin_id=item.twin_id,
    )


def _answer_first(sample: Sample) -> Sample:
    trace = parse_trace(sample.reference)
    return replace(sample, reference=f"{as_sentence(final_answer(trace) or '')} {think_text(trace)}")
