"""The well-formed majority answer: the best that a policy can write which has learnt the form and sees no image."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from radrl.answers import canonical_label, read_judgement
from radrl.answers.options import split_letter
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING
from radrl.rewards.hacks.draft import CLOSING, Draft, DraftStep, name_of
from radrl.text import parse_trace
from radrl.types import AnswerKind, Sample

VOCABULARY = tuple(finding for finding in FINDINGS if finding != NO_FINDING)
"""What a question that names no options may be about."""

_Answer = frozenset[str]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """Most frequent answers, and the thoughts that most often stand behind a judgement, by kind of question.

    * yes or no: the more frequent one of the kind;
    * a choice: of the question's own options the one that was the answer most often;
    * a set: the most frequent set, each candidate judged by whether it is in it.

    Ties go to what was seen first. Thoughts are learnt from interleaved references; a judgement that was never seen
    gets a plain sentence.

    Example: `Majority.of(samples).draft(sample).answer` is "no finding" for most open questions.
    """

    answers: Mapping[str, Counter[_Answer]]
    """Kind -> gold answers."""
    thoughts: Mapping[tuple[str, str, bool], Counter[str]]
    """Kind, option and whether it holds -> thoughts."""
    conclusions: Mapping[tuple[str, _Answer], Counter[str]]
    """Kind and gold answer -> last thoughts."""

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Majority":
        """Count what the references of these samples say."""
        answers: defaultdict[str, Counter[_Answer]] = defaultdict(Counter)
        thoughts: defaultdict[tuple[str, str, bool], Counter[str]] = defaultdict(Counter)
        conclusions: defaultdict[tuple[str, _Answer], Counter[str]] = defaultdict(Counter)
        for sample in samples:
            answers[sample.kind][sample.answer] += 1
            for option, holds, thought in _judgements(sample):
                thoughts[sample.kind, option, holds][thought] += 1
            for step in parse_trace(sample.reference).steps[-1:]:
                conclusions[sample.kind, sample.answer][step.think.text] += 1
        return cls(answers=dict(answers), thoughts=dict(thoughts), conclusions=dict(conclusions))

    def settled_on(self, samples: Iterable[Sample]) -> "Majority":
        """The same, but yes or no and sets are those most frequent among `samples`, so that none of them is beaten by a
        constant answer for the luck of the draw. Choices stay: counted there they would know their own answers."""
        own: defaultdict[str, Counter[_Answer]] = defaultdict(Counter)
        for sample in samples:
            if sample.answer_kind is not AnswerKind.CHOICE:
                own[sample.kind][sample.answer] += 1
        return replace(self, answers={**self.answers, **own})

    def draft(self, sample: Sample) -> Draft:
        """The majority's answer to a question, its options judged accordingly."""
        answer = self._answer(sample)
        steps = tuple(self._step(sample, option, holds=_holds(option, answer)) for option in sample.options)
        seen = self.conclusions.get((sample.kind, answer))
        closing = _most_frequent(seen) if seen else CLOSING
        return Draft(steps=steps, answer=_said(sample, answer), closing=closing)

    def judging_all(self, sample: Sample, *, holds: bool) -> Draft:
        """Every option judged alike, or every known finding where the question names none; the conclusion follows."""
        options = sample.options or (VOCABULARY if sample.answer_kind is AnswerKind.SET else ())
        steps = tuple(self._step(sample, option, holds=holds) for option in options)
        return Draft(steps=steps, answer=_said_of_all(sample, options, holds=holds))

    def thought(self, sample: Sample, option: str, *, holds: bool) -> str:
        """The thought that most often stands behind such a judgement."""
        name = name_of(option)
        seen = self.thoughts.get((sample.kind, canonical_label(name), holds))
        return _most_frequent(seen) if seen else f"There is {'' if holds else 'no '}{name}."

    def _answer(self, sample: Sample) -> _Answer:
        seen = self.answers.get(sample.kind) or Counter([_Answer()])
        if sample.answer_kind is AnswerKind.CHOICE and sample.options:
            options = [frozenset({canonical_label(name_of(option))}) for option in sample.options]
            return max(options, key=lambda option: seen[option])
        return _most_frequent(seen)

    def _step(self, sample: Sample, option: str, *, holds: bool) -> DraftStep:
        return DraftStep(option=option, holds=holds, thought=self.thought(sample, option, holds=holds))


def _judgements(sample: Sample) -> Iterator[tuple[str, bool, str]]:
    """Option, whether it holds, and the thought of each judging step of a reference."""
    names = {split_letter(option)[0]: canonical_label(name_of(option)) for option in sample.options}
    for step in parse_trace(sample.reference).steps[:-1]:
        judgement = read_judgement(step.answer.text)
        if judgement is not None:
            label = names.get(judgement.letter, judgement.label) if judgement.letter else judgement.label
            yield label, judgement.holds, step.think.text


def _most_frequent(seen: Counter[_Item]) -> _Item:
    return seen.most_common(1)[0][0]


def _holds(option: str, answer: _Answer) -> bool:
    return "yes" in answer or canonical_label(name_of(option)) in answer


def _said(sample: Sample, answer: _Answer) -> str:
    """The answer as it is written: an option in full, a set with commas."""
    for option in sample.options:
        if sample.answer_kind is AnswerKind.CHOICE and canonical_label(name_of(option)) in answer:
            return option
    return ", ".join(sorted(answer)) or NO_FINDING


def _said_of_all(sample: Sample, options: Sequence[str], *, holds: bool) -> str:
    if sample.answer_kind is AnswerKind.YES_NO:
        return "yes" if holds else "no"
    if holds:
        return ", ".join(options) or "all of them"
    return NO_FINDING if sample.answer_kind is AnswerKind.SET else "none of these"
