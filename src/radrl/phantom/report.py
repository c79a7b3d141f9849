"""The study's report: FINDINGS and IMPRESSION in several phrasings, with explicit negatives and hedges."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

import numpy as np

from radrl.phantom.sampling import draw_patient, generator
from radrl.phantom.scene import SEVERITIES, UNGRADED, UNSIDED, Fact, Patient, Study, triplets
from radrl.phantom.wording import noun_phrase, with_article
from radrl.phantom.world import MAX_PATIENTS, REPHRASED, SPLITS, PhantomWorld
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The sentences that reports are made of.

    Example: `Templates(present=("There is {a_finding}.",), uncertain=(...), denied=(...), course={...}, normal=(...))`
    """

    present: tuple[str, ...]
    uncertain: tuple[str, ...]
    denied: tuple[str, ...]
    course: Mapping[str, tuple[str, ...]]
    """By what became of the finding since the study before."""
    normal: tuple[str, ...]
    """Conclusions where there is nothing to find, each beginning with `No`."""


_USUAL: Final = Templates(
    present=(
        "There is {a_finding}.",
        "{Finding} is seen.",
        "The film shows {a_finding}.",
        "Findings include {a_finding}.",
    ),
    uncertain=(
        "There may be {a_finding}.",
        "Possible {finding}.",
        "{Finding} cannot be excluded.",
        "Findings are suspicious for {finding}.",
    ),
    denied=(
        "There {is_or_are} no {finding}.",
        "No {finding} {is_or_are} seen.",
        "No evidence of {finding}.",
    ),
    course={
        "new": ("This is new since the prior study.", "It was not there before.", "New in the interval."),
        "worse": (
            "This has progressed since the prior study.", "It is worse than before.", "Increased in the interval.",
        ),
        "better": (
            "This has improved since the prior study.", "It is better than before.", "Decreased in the interval.",
        ),
        "stable": ("This is unchanged from the prior study.", "It is stable.", "Unchanged in the interval."),
    },
    normal=("No acute cardiopulmonary process.", "No acute abnormality.", "No active disease."),
)  # fmt: skip
_UNSEEN: Final = Templates(
    present=("{Finding} is noted.", "{Finding} is present.", "Again, the film demonstrates {a_finding}."),
    uncertain=("{Finding} is questionable.", "{Finding} is not excluded.", "Concern for {finding}."),
    denied=("{Finding} {is_or_are} absent.", "Negative for {finding}.", "Without {finding}."),
    course={
        "new": ("This has developed in the meantime.", "The earlier film did not have it."),
        "worse": ("This has become larger.", "It has grown in the meantime."),
        "better": ("This has become smaller.", "It has receded in the meantime."),
        "stable": ("This looks the same on both films.", "It has not moved."),
    },
    normal=("No acute disease.", "No focal abnormality."),
)
"""Sentences of the split in other words, which no other report holds."""
_NORMAL_DENIES: Final = ("lung opacity", "pneumothorax", "pleural effusion")
"""What such a conclusion denies."""
_NUM_NEGATIVES: Final = (3, 7)
"""Pertinent negatives: from three to six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence of a report, and the finding that it speaks of.

    Example: `Line(text="No evidence of pneumothorax.", phrase="pneumothorax", certainty="absent")`
    """

    text: str
    phrase: str = ""
    """The finding as it is put here, side and severity included, in lower case; empty where none is named."""
    certainty: Literal["present", "absent", "uncertain"] = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and the graph that it states.

    Example: `Report(findings="There is cardiomegaly.", impression="1. Cardiomegaly is seen.",
    triplets=(Triplet(head="cardiomegaly", relation="located_at", tail="cardiac silhouette"),))`
    """

    findings: str
    impression: str
    triplets: tuple[Triplet, ...]
    lines: tuple[Line, ...]
    """Sentences of both sections in order, without the numbers of the impression."""
    indication: str = ""
    """Why the film was taken; not part of the text, for no film tells it."""
    comparison: str = ""
    """Which film it is compared with: `None.` for a first study. Not part of the text either."""

    @property
    def text(self) -> str:
        """Both sections under their headings."""
        return f"FINDINGS: {self.findings}\nIMPRESSION: {self.impression}"


def phantom_reports(world: PhantomWorld, *, num: int, split: str = "train") -> Iterator[Report]:
    """Reports of a split's first `num` studies with the graph each states: text alone, no film is drawn.

    They are the ones that an export of the world writes into its scenes.
    """
    patients = (draw_patient(world, index, split=split) for index in range(MAX_PATIENTS))
    studies = ((patient, study) for patient in patients for study in patient.studies)
    return (report_of(world, patient, study) for patient, study in islice(studies, num))


def report_of(world: PhantomWorld, patient: Patient, study: Study) -> Report:
    """The report of one study of the world, the same whenever it is asked for."""
    rng = generator(world, patient.number, study.index, purpose="text")
    is_rephrased = SPLITS[patient.number // MAX_PATIENTS] == REPHRASED
    return write_report(study, classes=world.findings, rng=rng, templates=_UNSEEN if is_rephrased else _USUAL)


def write_report(
    study: Study, *, classes: Sequence[str], rng: np.random.Generator, templates: Templates | None = None
) -> Report:
    """Write what is there in reading order (devices, lungs, pleura, heart, bones), then what is not.

    `classes` are the findings of the world, of which some absent ones are denied.
    """
    templates = templates or _USUAL
    facts = sorted(study.facts, key=lambda fact: _READING_ORDER.index(fact.name))
    lines: list[Line] = []
    stated: list[Triplet] = []
    for fact in facts:
        lines.append(_line(fact, rng, templates))
        stated += triplets(fact, certainty=fact.certainty, graded=_is_graded(fact))
        if study.index > 0 and fact.name != "support devices":
            lines.append(Line(text=_pick(templates.course[fact.course], rng)))
    absent = [name for name in classes if not study.matching(name) and name != "pneumonia"]
    for name in _some(absent, rng):
        denied = Fact(name=name, shape=())
        lines.append(_filled(_pick(templates.denied, rng), noun_phrase(denied), denied, certainty="absent"))
        stated += triplets(denied, certainty="absent", graded=False)
    concluded, in_impression = _impression(study, facts, rng, templates)
    numbered = (f"{number}. {line.text}" for number, line in enumerate(concluded, start=1))
    return Report(
        findings=" ".join(line.text for line in lines),
        impression=" ".join(numbered) if facts else concluded[0].text,
        triplets=tuple(dict.fromkeys((*stated, *in_impression))),
        lines=(*lines, *concluded),
        indication="Fever and cough." if study.infection_cue else "Follow-up.",
        comparison="Prior study." if study.index > 0 else "None.",
    )


def _impression(
    study: Study, facts: Sequence[Fact], rng: np.random.Generator, templates: Templates
) -> tuple[list[Line], tuple[Triplet, ...]]:
    """What the film comes to, and what that states beyond the facts."""
    if not facts:
        denied = (Fact(name=name, shape=()) for name in _NORMAL_DENIES)
        stated = tuple(t for fact in denied for t in triplets(fact, certainty="absent", graded=False))
        text = _pick(templates.normal, rng)
        return [Line(text=text, phrase=text.removeprefix("No ").removesuffix("."), certainty="absent")], stated
    lines = [_line(fact, rng, templates) for fact in facts]
    # From the film alone a consolidation with an infection cue is only ever suspicious of pneumonia.
    pneumonias = [fact.as_parent("pneumonia") for fact in study.matching("pneumonia")]
    hedged = templates.uncertain
    lines += [_filled(_pick(hedged, rng), noun_phrase(fact), fact, certainty="uncertain") for fact in pneumonias]
    return lines, tuple(t for fact in pneumonias for t in triplets(fact, certainty="uncertain", graded=False))


def _line(fact: Fact, rng: np.random.Generator, templates: Templates) -> Line:
    phrase = noun_phrase(fact)
    if fact.side is None and fact.name not in UNSIDED:
        phrase = f"bilateral {phrase}"
    if _is_graded(fact):
        phrase = f"{SEVERITIES[fact.severity - 1]} {phrase}"
    template = _pick(templates.uncertain if fact.certainty == "uncertain" else templates.present, rng)
    return _filled(template, phrase, fact, certainty=fact.certainty)


def _filled(template: str, phrase: str, fact: Fact, *, certainty: Literal["present", "absent", "uncertain"]) -> Line:
    text = template.format(
        finding=phrase,
        Finding=phrase[0].upper() + phrase[1:],
        a_finding=with_article(phrase, fact.name),
        is_or_are="are" if phrase == "support devices" else "is",
    )
    return Line(text=text, phrase=phrase, certainty=certainty)


def _is_graded(fact: Fact) -> bool:
    return fact.name not in UNGRADED


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _some(names: list[str], rng: np.random.Generator) -> list[str]:
    low, high = _NUM_NEGATIVES
    count = min(len(names), int(rng.integers(low, high)))
    return [names[place] for place in rng.permutation(len(names))[:count].tolist()]
