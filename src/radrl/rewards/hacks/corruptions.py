"""The reference itself, made false throughout: what a reward must not take for the truth because it is worded alike."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from radrl.answers import FAILS, HOLDS, agree, canonical_label, predicted_answer
from radrl.answers.options import split_letter
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.rewards.hacks.draft import as_sentence, name_of, pair, short
from radrl.text import after_first_sentence, final_answer, first_sentence, parse_trace
from radrl.types import AnswerKind, Sample

_SENTENCE = re.compile(r"[^.!?]+[.!?]?\s*")
_DENIAL = re.compile(r"\b(?:no|not|without)\s+", re.IGNORECASE)
_CLAIM = re.compile(r"\b(there (?:is|are)) (?:an? )?", re.IGNORECASE)
_SIDE = re.compile(r"\b(?:left|right)\b", re.IGNORECASE)
_OTHER_SIDE = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
_OPPOSITE = {"yes": "no", "no": "yes"}
_OTHER_MARK = str.maketrans({HOLDS: FAILS, FAILS: HOLDS})


def flip_negations(sample: Sample) -> str | None:
    """The reference with every claim denied and every denial claimed: in thoughts, judgements and conclusion.

    A choice then ends in all the options that were not the answer, a set in the candidates that were not in it. None
    where the conclusion has no opposite: nothing was found and no candidates are named, or the answer is a quantity.
    """
    answer = _opposite_answer(sample)
    if answer is None:
        return None
    return _changed(sample, _Change(of_thought=_flip, of_judgement=_flip_mark, conclusion=answer))


def swap_sides(sample: Sample) -> str | None:
    """The reference with left for right and right for left: in thoughts, judgements and conclusion.

    A yes about one side becomes a no, and a no a yes. None where the conclusion stays right, because no side decides
    it: such a trace does not earn by deceit.
    """
    conclusion = _conclusion(sample)
    of_judgement = _side_swapper(sample)
    swapped = of_judgement(conclusion)
    if sample.answer_kind is AnswerKind.YES_NO and any(_SIDE.search(option) for option in sample.options):
        swapped = _OPPOSITE.get(canonical_label(conclusion), conclusion)
    text = _changed(sample, _Change(of_thought=_swap, of_judgement=of_judgement, conclusion=swapped))
    predicted = predicted_answer(sample, text=text, trace=parse_trace(text))
    return None if agree(predicted, sample.answer, kind=sample.answer_kind) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What becomes of the parts of a reference."""

    of_thought: Callable[[str], str]
    of_judgement: Callable[[str], str]
    conclusion: str
    """What stands in its place."""


def _changed(sample: Sample, change: _Change) -> str:
    steps = parse_trace(sample.reference).steps
    if not steps:
        return f"{as_sentence(change.conclusion)} {change.of_thought(after_first_sentence(sample.reference))}"
    judged = (pair(change.of_thought(step.think.text), change.of_judgement(step.answer.text)) for step in steps[:-1])
    return "".join(judged) + pair(change.of_thought(steps[-1].think.text), change.conclusion)


def _conclusion(sample: Sample) -> str:
    return final_answer(parse_trace(sample.reference)) or first_sentence(sample.reference)


def _opposite_answer(sample: Sample) -> str | None:
    """A conclusion that is wrong in every item; None where there is none to be had."""
    others = [option for option in sample.options if canonical_label(name_of(option)) not in sample.answer]
    match sample.answer_kind:
        case AnswerKind.YES_NO:
            return next(_OPPOSITE[answer] for answer in sample.answer)
        case AnswerKind.CHOICE:
            return ", ".join(others) or None
        case AnswerKind.SET if sample.options:
            return ", ".join(others) or NO_FINDING
        case AnswerKind.SET:
            return NO_FINDING if sample.answer else None
        case _:
            return None


def _flip(text: str) -> str:
    """Every sentence with its denial taken out, or one put in; a fragment such as `left effusion` is denied."""
    return "".join(_flip_sentence(sentence) for sentence in _SENTENCE.findall(text))


def _flip_sentence(sentence: str) -> str:
    for pattern, replacement in ((_DENIAL, ""), (_CLAIM, r"\1 no ")):
        flipped, count = pattern.subn(replacement, sentence, count=1)
        if count:
            return flipped
    return sentence if sentence.rstrip().endswith((".", "!", "?")) else f"no {sentence}"


def _flip_mark(text: str) -> str:
    return text.translate(_OTHER_MARK)


def _side_swapper(sample: Sample) -> Callable[[str], str]:
    """Swaps the sides of an answer; of a mere letter it makes that of the option which is its mirror image."""
    by_name = {canonical_label(name_of(option)): option for option in sample.options}
    mirrors = {
        short(option): short(by_name[mirrored])
        for option in sample.options
        if (mirrored := canonical_label(_swap(name_of(option)))) in by_name
    }

    def swap(text: str) -> str:
        letter, name = split_letter(text.strip(f" {HOLDS}{FAILS}"))
        if letter is None:
            return _swap(text)
        own = f"{letter})"
        return _swap(text.replace(own, mirrors.get(own, own), 1)) if not name else _swap(text)

    return swap


def _swap(text: str) -> str:
    return _SIDE.sub(lambda found: _OTHER_SIDE.get(found.group(), found.group()), text)
