"""What an answer says of CheXpert's fourteen diseases: which it names, or whether the one asked about is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from radrl.answers import canonical_label, finding_of, option_table
from radrl.evaluation.records import Judged
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING, SYNONYMS
from radrl.graph.lexicon.words import fold
from radrl.types import AnswerKind, Sample

_LISTING_KINDS = ("open", "list", "abnormality", "diff_abnormality")
"""Question kinds whose empty answer says that there is no finding, and not that nothing fits some other question."""
_LONGEST_NAME = 5
"""Words of a finding's name in a question, at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The diseases of one answer that names findings.

    Example: an edema read as `fracture, edema` is `Named(asked=frozenset(FINDINGS), gold=frozenset({"edema"}),
    predicted=("fracture", "edema"))`
    """

    asked: frozenset[str]
    """What may be named: the options of a choice, else all fourteen."""
    gold: frozenset[str]
    """`no finding` where there is none."""
    predicted: tuple[str, ...] | None
    """In the order in which they are named, likewise; None when unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The answer to a yes/no question about one disease.

    Example: `Verified(disease="edema", gold=True, is_right=False)`
    """

    disease: str
    gold: bool
    """Whether it is there."""
    is_right: bool


def named_of(one: Judged) -> Named | None:
    """The diseases of an answer that names findings; None for other questions."""
    sample = one.sample
    match sample.answer_kind:
        case AnswerKind.SET:
            gold = _diseases(one.record.answer)
            if not gold and (one.gold or sample.kind not in _LISTING_KINDS):
                return None
            asked = frozenset(FINDINGS)
        case AnswerKind.CHOICE if _are_findings(sample.options):
            gold = _diseases(one.record.answer)
            names = option_table(sample.options).names
            asked = frozenset((*_diseases(names), *(name for name in names if name == NO_FINDING)))
        case _:
            return None
    predicted = None if one.items is None else _diseases(one.items) or (() if one.items else (NO_FINDING,))
    return Named(asked=asked, gold=frozenset(gold or (NO_FINDING,)), predicted=predicted)


def verified_of(one: Judged) -> Verified | None:
    """The answer to a yes/no question about one disease; None for other questions."""
    if one.sample.answer_kind is not AnswerKind.YES_NO:
        return None
    disease = asked_finding(one.sample)
    return None if disease is None else Verified(disease=disease, gold="yes" in one.gold, is_right=one.record.correct)


def asked_finding(sample: Sample) -> str | None:
    """The disease a question asks about: of its column `finding`, its only option, or the only one in its words."""
    column = sample.columns.get("finding")
    if isinstance(column, str):
        return finding_of(canonical_label(column))
    if len(sample.options) == 1:
        return finding_of(option_table(sample.options).names[0])
    return None if sample.options else _only_finding_in(sample.question)


def _diseases(items: Sequence[str]) -> tuple[str, ...]:
    """The diseases among canonical names, in order, each once."""
    return tuple(dict.fromkeys(name for item in items if (name := finding_of(item)) is not None))


@lru_cache(maxsize=4096)
def _are_findings(options: tuple[str, ...]) -> bool:
    names = option_table(options).names
    return bool(names) and all(name == NO_FINDING or finding_of(name) is not None for name in names)


@lru_cache(maxsize=65536)
def _only_finding_in(question: str) -> str | None:
    """The disease that the words of a question name, longest names first; None where they name none or several."""
    words = fold(question).split()
    found: set[str] = set()
    start = 0
    while start < len(words):
        for length in range(min(_LONGEST_NAME, len(words) - start), 0, -1):
            name = SYNONYMS.get(" ".join(words[start : start + length]))
            if name is not None and name != NO_FINDING:
                found.add(name)
                break
        else:
            length = 1
        start += length
    return found.pop() if len(found) == 1 else None
