"""Whether the final answer is the one that the reasoning leads to."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Literal

from radrl.answers import canonical_label, option_table, predicted_answer, read_judgement
from radrl.graph.extract import extract, extract_all
from radrl.rewards.answer import gold_answer, set_f1
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.reasoning import Claim, claims, gold_reasoning, read_ahead, reasoning
from radrl.text import Trace, parse_trace
from radrl.types import AnswerKind, Evidence, Sample

Detail = Literal["place", "side", "finding"]
_DETAILS: tuple[Detail, ...] = ("place", "side", "finding")
Named = tuple[str, str]
"""Finding and as much of its place as the detail keeps."""


def _read_all_ahead(attempts: Sequence[Attempt], *, extractor: str = "rules") -> None:
    """Thoughts, references and the names in answers, each in one batch."""
    read_ahead(attempts, extractor=extractor)
    labels: set[str] = set()
    for attempt in attempts:
        sample = attempt.sample
        labels |= predicted_answer(sample, text=attempt.text, trace=attempt.trace) or frozenset()
        labels |= gold_answer(sample) | {canonical_label(option) for option in sample.options}
    references = dict.fromkeys(gold_reasoning(attempt.sample.reference) for attempt in attempts)
    extract_all([*references, *(_as_sentence(label) for label in sorted(labels))], extractor=extractor)


@reward("think_answer_consistency", prepare=_read_all_ahead)
def think_answer_consistency(attempt: Attempt, *, extractor: str = "rules") -> Score:
    """Mean agreement of the final answer with what the thoughts assert and what the steps judge present, in [0, 1].

    * Thoughts: F1 between the findings asserted in the thoughts and those of the answer, so that a finding found and
      not answered counts like one answered and never found. A `yes` wants the finding asked about asserted, a `no`
      wants it denied.
    * Steps: F1 between the options judged to hold and those of the answer.

    Each part counts only where the sample's own reference has it in full, at the finest of place, side and finding at
    which it has; abstains where it has neither (free text, views, severities). An unreadable answer scores 0.

    Hack it resists: reasoning towards one answer and giving another, the shortcut behind a convincing trace. It says
    nothing about truth: a trace that is wrong throughout, or finds nothing and says so, is consistent, so gate it by
    the outcome. It replaces nothing
    of the seeds.
    """
    sample = attempt.sample
    parts = _parts(sample.reference, sample.answer_kind, sample.options, extractor)
    if not parts.detail and not parts.has_judgements:
        return ABSTAIN
    values: dict[str, float] = {}
    if parts.detail:
        values["thoughts"] = _of_thoughts(attempt, detail=parts.detail, extractor=extractor) or 0.0
    if parts.has_judgements:
        values["steps"] = _of_judgements(attempt) or 0.0
    note = ", ".join(f"{value:.2f} with its {name}" for name, value in values.items())
    value = fmean(values.values())
    verdict = "right" if value == 1.0 else "wrong"
    return Score(
        value=value,
        evidence=tuple(
            Evidence(start=span.start, end=span.end, verdict=verdict, note=f"the answer agrees {note}")
            for span in attempt.trace.answers[-1:]
        ),
        extras=values,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Findings as the thoughts have them and as the answer does, with as much of their places as the reference keeps.

    Example: an edema found and `edema, fracture` answered is `Told(asserted=frozenset({("edema", "")}),
    denied=frozenset(), answered=frozenset({("edema", ""), ("fracture", "")}), refused=frozenset(), is_readable=True)`
    """

    asserted: frozenset[Named]
    """By the thoughts; of a question about one finding, that one alone."""
    denied: frozenset[Named]
    answered: frozenset[Named]
    """Named by the answer, or said yes to."""
    refused: frozenset[Named]
    """Said no to."""
    is_readable: bool
    """Whether there is an answer that can be read."""


def told(attempt: Attempt, *, extractor: str = "rules") -> Told | None:
    """What thoughts and answer say of findings; None where the sample's own reference does not say it in both."""
    sample = attempt.sample
    detail = _parts(sample.reference, sample.answer_kind, sample.options, extractor).detail
    return None if detail is None else _told(attempt, detail=detail, extractor=extractor)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What of the reward a sample's reference supports."""

    detail: Detail | None
    """The finest at which its thoughts and its answer name the same; None where they do not."""
    has_judgements: bool


@lru_cache(maxsize=4096)
def _parts(reference: str, kind: AnswerKind, options: tuple[str, ...], extractor: str) -> _Parts:
    sample = Sample(
        id="", patient_id="", kind="", question="", answer=frozenset(), answer_kind=kind, reference=reference,
        options=options,
    )  # fmt: skip
    trace = parse_trace(reference)
    itself = Attempt(sample=sample, text=reference, trace=trace, num_tokens=0, max_tokens=1, is_cut=False)
    agreeing: Iterator[Detail] = (
        detail for detail in _DETAILS if _of_thoughts(itself, detail=detail, extractor=extractor) == 1.0
    )
    return _Parts(detail=next(agreeing, None), has_judgements=_of_judgements(itself) == 1.0)


def _of_thoughts(attempt: Attempt, *, detail: Detail, extractor: str) -> float | None:
    """Agreement of thoughts and answer; None where there is no answer, or not one about findings."""
    said = _told(attempt, detail=detail, extractor=extractor)
    if said is None or not said.is_readable:
        return None
    if attempt.sample.answer_kind is AnswerKind.YES_NO:
        return float(bool(said.answered) if said.asserted else bool(said.refused and said.denied))
    return set_f1(said.asserted, said.answered)


def _told(attempt: Attempt, *, detail: Detail, extractor: str) -> Told | None:
    """What thoughts and answer say at this detail; None where the question is not one about findings."""
    sample = attempt.sample
    answer = predicted_answer(sample, text=attempt.text, trace=attempt.trace)
    said = claims(extract(reasoning(attempt), extractor=extractor))
    asserted, denied = (_names(said, detail=detail, holds=holds) for holds in (True, False))
    nothing = frozenset[Named]()
    match sample.answer_kind:
        case AnswerKind.SET | AnswerKind.CHOICE:
            answered = nothing.union(*(_named_by(label, detail, extractor) for label in answer or ()))
            refused = nothing
        case AnswerKind.YES_NO if len(sample.options) == 1:
            asked = _named_by(canonical_label(sample.options[0]), detail, extractor)
            asserted, denied = asserted & asked, denied & asked
            answered = asked if answer and "yes" in answer else nothing
            refused = asked if answer and "no" in answer else nothing
        case _:
            return None
    return Told(asserted=asserted, denied=denied, answered=answered, refused=refused, is_readable=answer is not None)


def _named_by(label: str, detail: Detail, extractor: str) -> frozenset[Named]:
    """Findings that a label names; the label itself where it names none, which no thought does."""
    named = _names(claims(extract(_as_sentence(label), extractor=extractor)), detail=detail, holds=True)
    return named or frozenset({(label, "")})


def _as_sentence(label: str) -> str:
    return f"{label}."


def _names(of_claims: AbstractSet[Claim], *, detail: Detail, holds: bool) -> frozenset[Named]:
    kept = (claim for claim in of_claims if claim.holds == holds)
    match detail:
        case "place":
            return frozenset((claim.finding, claim.place) for claim in kept)
        case "side":
            return frozenset((claim.finding, claim.side) for claim in kept)
        case "finding":
            return frozenset((claim.finding, "") for claim in kept)


def _of_judgements(attempt: Attempt) -> float | None:
    """Agreement of the options that the steps judge present with the answer; None where there is no such step, or no
    answer."""
    answer = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    judged = _judged(attempt.trace, attempt.sample.options)
    if answer is None or not judged:
        return None
    held = frozenset(label for label, holds in judged if holds)
    if attempt.sample.answer_kind is AnswerKind.YES_NO:
        return float(("yes" if held else "no") in answer)
    return set_f1(held, answer)


def _judged(trace: Trace, options: tuple[str, ...]) -> frozenset[tuple[str, bool]]:
    """Options that the steps before the last judge, by name (by letter where they have none)."""
    table = option_table(options)
    judged: set[tuple[str, bool]] = set()
    for step in trace.steps[:-1]:
        judgement = read_judgement(step.answer.text)
        if judgement is None:
            continue
        name = "" if judgement.label == judgement.letter else judgement.label
        option = table.find(letter=judgement.letter, name=name)
        label = judgement.label if option is None else table.names[option] or table.letters[option]
        judged.add((label, judgement.holds))
    return frozenset(judged)
