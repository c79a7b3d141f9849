"""The study's report: FINDINGS and IMPRESSION in several phrasings, with explicit negatives and hedges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radrl.phantom.scene import SEVERITIES, UNGRADED, UNSIDED, Fact, Study, triplets
from radrl.phantom.wording import noun_phrase, with_article
from radrl.types import Triplet

_READING_ORDER: Final = (
    "support devices",
    "edema",
    "consolidation",
    "pneumonia",
    "lung opacity",
    "atelectasis",
    "lung lesion",
    "pleural effusion",
    "pneumothorax",
    "pleural other",
    "cardiomegaly",
    "enlarged cardiomediastinum",
    "fracture",
)
_PRESENT: Final = (
    "There is {a_finding}.",
    "{Finding} is seen.",
    "The film shows {a_finding}.",
    "Findings include {a_finding}.",
)
_UNCERTAIN: Final = (
    "There may be {a_finding}.",
    "Possible {finding}.",
    "{Finding} cannot be excluded.",
    "Findings are suspicious for {finding}.",
)
_DENIED: Final = (
    "There {is_or_are} no {finding}.",
    "No {finding} {is_or_are} seen.",
    "No evidence of {finding}.",
)
_COURSE: Final[Mapping[str, tuple[str, ...]]] = {
    "new": ("This is new since the prior study.", "It was not there before.", "New in the interval."),
    "worse": ("This has progressed since the prior study.", "It is worse than before.", "Increased in the interval."),
    "better": ("This has improved since the prior study.", "It is better than before.", "Decreased in the interval."),
    "stable": ("This is unchanged from the prior study.", "It is stable.", "Unchanged in the interval."),
}
_NORMAL: Final = ("No acute cardiopulmonary process.", "No acute abnormality.", "No active disease.")
_NORMAL_DENIES: Final = ("lung opacity", "pneumothorax", "pleural effusion")
"""What such a conclusion denies."""
_NUM_NEGATIVES: Final = (3, 7)
"""Pertinent negatives: from three to six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and the graph that it states."""

    findings: str
    impression: str
    triplets: tuple[Triplet, ...]

    @property
    def text(self) -> str:
        """Both sections under their headings."""
        return f"FINDINGS: {self.findings}\nIMPRESSION: {self.impression}"


def write_report(study: Study, *, classes: Sequence[str], rng: np.random.Generator) -> Report:
    """Write what is there in reading order (devices, lungs, pleura, heart, bones), then what is not.

    `classes` are the findings of the world, of which some absent ones are denied.
    """
    facts = sorted(study.facts, key=lambda fact: _READING_ORDER.index(fact.name))
    sentences: list[str] = []
    stated: list[Triplet] = []
    for fact in facts:
        sentences.append(_sentence(fact, rng))
        stated += triplets(fact, certainty=fact.certainty, graded=_is_graded(fact))
        if study.index > 0 and fact.name != "support devices":
            sentences.append(_pick(_COURSE[fact.course], rng))
    absent = [name for name in classes if not study.matching(name) and name != "pneumonia"]
    for name in _some(absent, rng):
        denied = Fact(name=name, shape=())
        sentences.append(_filled(_pick(_DENIED, rng), noun_phrase(denied), denied))
        stated += triplets(denied, certainty="absent", graded=False)
    impression, pneumonia = _impression(study, facts, rng)
    return Report(
        findings=" ".join(sentences),
        impression=impression,
        triplets=tuple(dict.fromkeys((*stated, *pneumonia))),
    )


def _impression(study: Study, facts: Sequence[Fact], rng: np.random.Generator) -> tuple[str, tuple[Triplet, ...]]:
    if not facts:
        denied = (Fact(name=name, shape=()) for name in _NORMAL_DENIES)
        return _pick(_NORMAL, rng), tuple(
            t for fact in denied for t in triplets(fact, certainty="absent", graded=False)
        )
    lines = [_sentence(fact, rng) for fact in facts]
    # From the film alone a consolidation with an infection cue is only ever suspicious of pneumonia.
    pneumonias = [fact.as_parent("pneumonia") for fact in study.matching("pneumonia")]
    lines += [_filled(_pick(_UNCERTAIN, rng), noun_phrase(fact), fact) for fact in pneumonias]
    stated = tuple(t for fact in pneumonias for t in triplets(fact, certainty="uncertain", graded=False))
    return " ".join(f"{number}. {line}" for number, line in enumerate(lines, start=1)), stated


def _sentence(fact: Fact, rng: np.random.Generator) -> str:
    phrase = noun_phrase(fact)
    if fact.side is None and fact.name not in UNSIDED:
        phrase = f"bilateral {phrase}"
    if _is_graded(fact):
        phrase = f"{SEVERITIES[fact.severity - 1]} {phrase}"
    return _filled(_pick(_UNCERTAIN if fact.certainty == "uncertain" else _PRESENT, rng), phrase, fact)


def _filled(template: str, phrase: str, fact: Fact) -> str:
    return template.format(
        finding=phrase,
        Finding=phrase[0].upper() + phrase[1:],
        a_finding=with_article(phrase, fact.name),
        is_or_are="are" if phrase == "support devices" else "is",
    )


def _is_graded(fact: Fact) -> bool:
    return fact.name not in UNGRADED


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _some(names: list[str], rng: np.random.Generator) -> list[str]:
    low, high = _NUM_NEGATIVES
    count = min(len(names), int(rng.integers(low, high)))
    return [names[place] for place in rng.permutation(len(names))[:count].tolist()]
