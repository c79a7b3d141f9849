"""The one strict reader of answers: options, sets, yes or no, free text, and the judgement of a single option.

No substring tests and no first letter that happens to fit: an answer that cannot be read is None, which earns nothing
and is counted, where both seeds guess (CX-Mind reads "The answer is C" as E; CheX-Phi4MM finds "no" in "normal").
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from radrl.graph.lexicon.findings import DEVICES, NO_FINDING, SYNONYMS
from radrl.graph.lexicon.words import fold
from radrl.text import Trace, final_answer, first_sentence
from radrl.types import AnswerKind, Sample

HOLDS, FAILS = "✅", "❌"
"""Marks behind a judged option."""

LETTERS = "ABCDEFG"
"""Letters an option may have; an option without one has that of its position."""

_MARKS = {HOLDS: True, FAILS: False}
_WORDS = {"yes": True, "no": False}
_ARTICLES = frozenset({"a", "an", "the"})
_END_PUNCTUATION = " \t\r\n.,;:!?。、*_`\"'"
_TAG = re.compile("</?(?:think|answer)>")
_SEPARATOR = re.compile(r"[,;\n]")
_WORD = re.compile(r"[^\W_]+")
_LETTER = re.compile(r"(?<![^\W_])[A-G](?![^\W_])")
_LETTERED = re.compile(r"\(?([A-Ga-g])(?:[).:]+\s*(.*))?", re.DOTALL)
_VARIATION_SELECTOR = "\ufe0f"
_LONGEST_LABEL = 200
"""Code points; a longer text is no label and stays out of the cache."""

_PLACE_WORDS: Mapping[str, str] = {
    **{word: word for word in ("left", "right", "bilateral", "upper", "mid", "lower", "zone")},
    "middle": "mid",
    "sided": "",
}
"""Words that may stand before a finding's name, and how they are written in a canonical label."""

_LABELS: Mapping[str, str] = {
    **SYNONYMS,
    **{fold(form): device for device, forms in DEVICES.items() for form in forms},
}
"""Folded surface form -> label. Devices keep their own names: an endotracheal tube is no answer to a chest tube."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one step says of one option.

    Example: `A) left effusion ✅` is `Judgement(label="left pleural effusion", holds=True, letter="A")`
    """

    label: str
    """Canonical name of what is judged, or its letter where only that is written."""
    holds: bool
    letter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTable:
    """The options of a question by letter and by canonical name.

    Example: the options `("A) left effusion", "cardiomegaly")` have the letters A and B.
    """

    letters: tuple[str, ...]
    """Written ones, else by position; empty beyond G."""
    names: tuple[str, ...]
    """Canonical; empty where an option is a mere letter."""

    def find(self, *, letter: str | None, name: str) -> int | None:
        """Position of the option meant, or None. Letter and name must agree where both are given."""
        by_name = self.names.index(name) if name and name in self.names else None
        if letter is None:
            return by_name
        by_letter = self.letters.index(letter) if letter in self.letters else None
        return by_letter if not name or by_name == by_letter else None


def normalise(text: str) -> str:
    """NFKC, lower case, no tags, no articles, no punctuation at the ends of words, single spaces.

    >>> normalise("The  left LUNG.")
    'left lung'
    """
    plain = _TAG.sub(" ", unicodedata.normalize("NFKC", text).lower())
    words = [word for part in plain.split() if (word := part.strip(_END_PUNCTUATION))]
    return " ".join(word for i, word in enumerate(words) if word not in _ARTICLES or i == len(words) - 1)


def canonical_label(text: str) -> str:
    """Name of a finding as the label space has it, side and zone kept in front; unknown labels are only normalised.

    >>> canonical_label("Left-sided effusions")
    'left pleural effusion'
    """
    plain = normalise(text)
    return _canonical(plain) if len(plain) <= _LONGEST_LABEL else plain


def read_answer(text: str, *, kind: AnswerKind, options: Sequence[str] = ()) -> frozenset[str] | None:
    """Canonical answer, or None when it cannot be read. `no finding` is the empty set; blank text is unreadable.

    * SET: split at commas, semicolons and line ends; naming something beside `no finding` contradicts itself.
    * CHOICE: an option's name, its letter, or prose with exactly one stand-alone capital A to G. Without `options` the
      answer is the letter.
    * YES_NO: the first word, if the other word does not follow.
    * TEXT: normalised.

    >>> read_answer("Atelectases; left effusion", kind=AnswerKind.SET)
    frozenset({'atelectasis', 'left pleural effusion'})
    """
    text = _clean(text)
    if FAILS in text:
        return None
    text = text.replace(HOLDS, " ").strip()
    if not normalise(text):
        return None
    match kind:
        case AnswerKind.SET:
            return _read_set(text)
        case AnswerKind.CHOICE:
            return _read_choice(text, options)
        case AnswerKind.YES_NO:
            return _read_yes_no(text)
        case AnswerKind.TEXT:
            return _without_no_finding({normalise(text)})


def canonical_answer(
    answer: AbstractSet[str], *, kind: AnswerKind, options: Sequence[str] = ()
) -> frozenset[str] | None:
    """A gold answer in the form `read_answer` gives, so the two compare; None when an item cannot be read."""
    items = [read_answer(item, kind=kind, options=options) for item in answer]
    readable = [item for item in items if item is not None]
    return frozenset[str]().union(*readable) if len(readable) == len(items) else None


def predicted_answer(sample: Sample, *, text: str, trace: Trace) -> frozenset[str] | None:
    """Final answer of a completion: its last answer block. None when there is none, or it cannot be read.

    Where the sample's reference has no tags (Answer-First data, bare answers) a completion without tags is answered
    by its first sentence.
    """
    answer = final_answer(trace)
    if answer is None and "<think>" not in text and "<answer>" not in sample.reference:
        answer = first_sentence(text)
    return None if answer is None else read_answer(answer, kind=sample.answer_kind, options=sample.options)


def read_judgement(text: str) -> Judgement | None:
    """The option a step judges and the verdict: one mark before or behind it, or a last word yes or no.

    None when the verdict or the option is missing, or two verdicts are given.

    >>> read_judgement("left effusion yes")
    Judgement(label='left pleural effusion', holds=True, letter=None)
    """
    text = _clean(text)
    verdict = _split_mark(text) if any(mark in text for mark in _MARKS) else _split_last_word(text)
    if verdict is None:
        return None
    subject, holds = verdict
    letter, name = _split_letter(subject)
    label = canonical_label(name) or letter
    return Judgement(label=label, holds=holds, letter=letter) if label else None


@lru_cache(maxsize=4096)
def option_table(options: tuple[str, ...]) -> OptionTable:
    """Letters and canonical names of a question's options."""
    split = [_split_letter(_clean(option)) for option in options]
    return OptionTable(
        letters=tuple(letter or LETTERS[i : i + 1] for i, (letter, _) in enumerate(split)),
        names=tuple(canonical_label(name) for _, name in split),
    )


@lru_cache(maxsize=65536)
def _canonical(plain: str) -> str:
    words = fold(plain).split()
    for i, word in enumerate(words):
        name = _LABELS.get(" ".join(words[i:]))
        if name is not None:
            return " ".join([*(_PLACE_WORDS[place] for place in words[:i] if _PLACE_WORDS[place]), name])
        if word not in _PLACE_WORDS:
            break
    return plain


def _clean(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace(_VARIATION_SELECTOR, "").strip()


def _read_set(text: str) -> frozenset[str] | None:
    items = (item.strip(_END_PUNCTUATION) for item in _SEPARATOR.split(text))
    labels = {canonical_label(re.sub("^and ", "", item, flags=re.IGNORECASE)) for item in items if item}
    if NO_FINDING in labels and len(labels) > 1:
        return None
    return _without_no_finding(labels)


def _read_choice(text: str, options: Sequence[str]) -> frozenset[str] | None:
    table = option_table(tuple(options))
    letter, name = _split_letter(text)
    chosen = table.find(letter=letter, name=canonical_label(name))
    if chosen is None and letter is None:
        letters = set(_LETTER.findall(text))
        letter = letters.pop() if len(letters) == 1 else None
        chosen = table.find(letter=letter, name="") if letter else None
    if not options:
        return frozenset({letter}) if letter else None
    return None if chosen is None else _without_no_finding({table.names[chosen] or table.letters[chosen]})


def _read_yes_no(text: str) -> frozenset[str] | None:
    words = [word for word in _WORD.findall(text.lower()) if word in _WORDS]
    first = _WORD.search(text.lower())
    if first is None or first.group() not in _WORDS or len(set(words)) > 1:
        return None
    return frozenset({first.group()})


def _without_no_finding(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(labels) - {NO_FINDING}


def _split_letter(text: str) -> tuple[str | None, str]:
    """`C) edema` is ("C", "edema"), `(D)` is ("D", ""), `edema` is (None, "edema")."""
    text = text.strip()
    bare = text.strip("().: ")
    if len(bare) == 1 and bare.upper() in LETTERS:
        return bare.upper(), ""
    lettered = _LETTERED.fullmatch(text)
    return (lettered.group(1).upper(), lettered.group(2) or "") if lettered else (None, text)


def _split_mark(text: str) -> tuple[str, bool] | None:
    marks = [character for character in text if character in _MARKS]
    if len(marks) != 1 or not (text.startswith(marks[0]) or text.endswith(marks[0])):
        return None
    return text.replace(marks[0], "").strip(" :,-"), _MARKS[marks[0]]


def _split_last_word(text: str) -> tuple[str, bool] | None:
    subject, _, last = text.strip(_END_PUNCTUATION).rpartition(" ")
    holds = _WORDS.get(last.lower())
    return None if holds is None else (subject.strip(" :,-"), holds)
