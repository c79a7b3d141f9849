"""Answers of every kind in one canonical form, so that a prediction and a gold answer compare."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from radrl.answers.confidence import without_confidence
from radrl.answers.judgement import FAILS, HOLDS, SEPARATOR, WORDS
from radrl.answers.labels import END_PUNCTUATION, canonical_label, clean, normalise
from radrl.answers.options import read_choice
from radrl.answers.quantities import ImageSize, image_size_of, read_boxes, read_number
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.text import Trace, final_answer, first_sentence
from radrl.types import AnswerKind, Sample

_WORD = re.compile(r"[^\W_]+")
_LONGEST_ANSWER = 10_000
"""Code points; a longer text is no answer, and its items are not looked up."""


def read_answer(
    text: str, *, kind: AnswerKind, options: Sequence[str] = (), image_size: ImageSize | None = None
) -> frozenset[str] | None:
    """Canonical answer, or None when it cannot be read. `no finding` is the empty set; blank text is unreadable.

    * SET: split at commas, semicolons and line ends; naming something beside `no finding` contradicts itself.
    * CHOICE: an option's name, its letter, or prose with exactly one stand-alone capital A to G. Without `options` the
      answer is the letter.
    * YES_NO: the first word, if the other word does not follow.
    * NUMBER: the only number in the text, in mm, ml, degrees or bare.
    * BOXES: `[x1, y1, x2, y2]`, one or several; in pixels where `image_size` is given, else in fractions.
    * TEXT: normalised.

    >>> read_answer("Atelectases; left effusion", kind=AnswerKind.SET)
    frozenset({'atelectasis', 'left pleural effusion'})
    """
    items = _read(text, kind=kind, options=options, image_size=image_size, is_gold=False)
    return None if items is None else frozenset(items)


def canonical_answer(
    answer: AbstractSet[str], *, kind: AnswerKind, options: Sequence[str] = (), image_size: ImageSize | None = None
) -> frozenset[str] | None:
    """A gold answer in the form `read_answer` gives, so the two compare; None when an item cannot be read.

    A gold number may state the tolerance within which it counts: `2.5 cm +- 0.2`.
    """
    items = [_read(item, kind=kind, options=options, image_size=image_size, is_gold=True) for item in answer]
    readable = [item for item in items if item is not None]
    return frozenset[str]().union(*readable) if len(readable) == len(items) else None


def predicted_answer(sample: Sample, *, text: str, trace: Trace) -> frozenset[str] | None:
    """Final answer of a completion in canonical form, see `answer_text`; None when there is none that can be read."""
    answer = answer_text(sample, text=text, trace=trace)
    if answer is None:
        return None
    return read_answer(answer, kind=sample.answer_kind, options=sample.options, image_size=_size_of(sample))


def written_answer(sample: Sample, answer: str) -> tuple[str, ...] | None:
    """Items of a final answer, see `answer_text`, in canonical form and the order in which they are written, each once.

    >>> written_answer(sample, "fracture, edema, fractures")
    ('fracture', 'edema')
    """
    return _read(answer, kind=sample.answer_kind, options=sample.options, image_size=_size_of(sample), is_gold=False)


def answer_text(sample: Sample, *, text: str, trace: Trace) -> str | None:
    """What a completion gives as its final answer: its last answer block, or None.

    Where the sample's reference has no tags (Answer-First data, bare answers) a completion without tags is answered
    by its first sentence.
    """
    answer = final_answer(trace)
    if answer is None and "<think>" not in text and "<answer>" not in sample.reference:
        answer = first_sentence(text)
    return answer


def _size_of(sample: Sample) -> ImageSize | None:
    return image_size_of(sample.columns, origin=sample.origin or f"sample {sample.id}")


def _read(
    text: str, *, kind: AnswerKind, options: Sequence[str], image_size: ImageSize | None, is_gold: bool
) -> tuple[str, ...] | None:
    """Items in the order in which they are written, each once."""
    text = clean(text)
    if FAILS in text or len(text) > _LONGEST_ANSWER:
        return None
    text = without_confidence(text.replace(HOLDS, " "))
    if not normalise(text):
        return None
    match kind:
        case AnswerKind.SET:
            return _read_set(text)
        case AnswerKind.CHOICE:
            return _one(read_choice(text, options))
        case AnswerKind.YES_NO:
            return _one(_read_yes_no(text))
        case AnswerKind.NUMBER:
            number = read_number(text, may_have_tolerance=is_gold)
            return None if number is None else (str(number),)
        case AnswerKind.BOXES:
            boxes = read_boxes(text, size=image_size)
            return None if boxes is None else tuple(dict.fromkeys(str(box) for box in boxes))
        case AnswerKind.TEXT:
            return _without_no_finding((normalise(text),))


def _read_set(text: str) -> tuple[str, ...] | None:
    items = (item.strip(END_PUNCTUATION) for item in SEPARATOR.split(text))
    named = (canonical_label(re.sub("^and ", "", item, flags=re.IGNORECASE)) for item in items if item)
    labels = tuple(dict.fromkeys(named))
    if NO_FINDING in labels and len(labels) > 1:
        return None
    return _without_no_finding(labels)


def _read_yes_no(text: str) -> str | None:
    words = [word for word in _WORD.findall(text.lower()) if word in WORDS]
    first = _WORD.search(text.lower())
    return first.group() if first and first.group() in WORDS and len(set(words)) == 1 else None


def _one(name: str | None) -> tuple[str, ...] | None:
    return None if name is None else _without_no_finding((name,))


def _without_no_finding(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(label for label in labels if label != NO_FINDING)
