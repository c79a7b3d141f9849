"""The scene graph: everything that is true of a phantom patient. Images, text and answers are all derived from it.

Patient -> Study (view, technique) -> Fact (finding, side, zone, severity, certainty)
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from radrl.types import Triplet

WORLD_VERSION: Final = 1
"""Part of every seed: a change of the renderer or the sampling that moves pixels or text raises it."""

View = Literal["PA", "AP"]
Side = Literal["left", "right"]
Zone = Literal["upper", "mid", "lower"]
Certainty = Literal["present", "uncertain"]
Course = Literal["new", "worse", "better", "stable"]

SIDES: Final[tuple[Side, ...]] = ("left", "right")
ZONES: Final[tuple[Zone, ...]] = ("upper", "mid", "lower")
SEVERITIES: Final = ("mild", "moderate", "severe")
"""Word of severity 1, 2 and 3."""

FINDINGS: Final = (
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
"""CheXpert's classes in its order, but for `no finding`, which is the absence of all of them."""

UNSIDED: Final = frozenset({"enlarged cardiomediastinum", "cardiomegaly", "edema", "support devices"})
"""Findings named without a side: midline, both lungs at once, or devices."""
ZONED: Final = frozenset({"lung opacity", "lung lesion", "consolidation", "pneumonia", "atelectasis"})
"""Findings that sit in one zone of one lung."""
UNGRADED: Final = frozenset({"support devices", "fracture", "enlarged cardiomediastinum"})
"""Findings whose severity is not a thing to ask about."""

CHILDREN: Final[dict[str, tuple[str, ...]]] = {
    "lung opacity": ("edema", "consolidation", "atelectasis", "lung lesion"),
    "enlarged cardiomediastinum": ("cardiomegaly",),
}
"""CheXpert's hierarchy: what is present below is present above.

Pneumonia is not here, for it has no shadow of its own."""

HELD_OUT: Final[frozenset[tuple[str, Zone]]] = frozenset(
    {
        ("consolidation", "upper"),
        ("lung lesion", "lower"),
        ("atelectasis", "mid"),
        ("lung opacity", "mid"),
    }
)
"""Pairs of finding and zone that only the out-of-distribution split shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One finding of one study.

    Example: `Fact(name="consolidation", side="left", zone="lower", severity=2, shape=(0.3, ...))`
    """

    name: str
    """One of FINDINGS."""
    side: Side | None = None
    """The patient's side; None for what has none (UNSIDED)."""
    zone: Zone | None = None
    """Zone of the lung, for ZONED findings."""
    severity: int = 2
    """1 mild, 2 moderate, 3 severe."""
    subtype: str = ""
    """Kind of device (`endotracheal tube`) or of fracture (`rib`, `clavicle`); empty where there is one kind."""
    certainty: Certainty = "present"
    """`uncertain` is drawn fainter and hedged in the report; no question depends on it."""
    course: Course = "new"
    """Against the patient's previous study; `new` in the first."""
    shape: tuple[float, ...]
    """Numbers in [0, 1) that fix where in its zone the finding lies and how it is shaped."""

    @property
    def label(self) -> str:
        """Finding with its side, as answers name it: `left pleural effusion`, `cardiomegaly`."""
        return sided(self.name, side=self.side)

    @property
    def zoned_label(self) -> str:
        """Finding with side and zone where it has one: `left lower zone consolidation`."""
        return sided(self.name, side=self.side, zone=self.zone)

    def as_parent(self, name: str) -> "Fact":
        """The same abnormality under a broader name of the hierarchy, which says nothing of its degree."""
        return replace(self, name=name, subtype="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """What stays with a patient from study to study. Lengths are fractions of the image's side."""

    sex: Literal["F", "M"]
    thorax_half_width: float
    apex_y: float
    dome_y: float
    """Top of the right hemidiaphragm; the left one lies lower."""
    heart_ratio: float
    """Cardiothoracic ratio on a PA film, 0.40 to 0.47 in a heart that is not enlarged."""
    mediastinum_half_width: float
    rib_gap: float
    rib_strength: float
    vessel_phase: float
    habitus: float
    """0 slim to 1 heavy: more soft tissue over the lungs."""
    texture: tuple[int, int, int]
    """Which lung texture of the bank, and by how much it is shifted (thousandths of the side)."""
    is_mirrored: bool = False
    """Whether all organs lie the other way round (situs inversus): the heart points to the patient's right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """What changes with every exposure."""

    view: View
    rotation_deg: float
    """Of the film in its plane."""
    shift: tuple[float, float]
    scale: float
    exposure: float
    gamma: float
    inspiration: float
    """Added to the height of the diaphragm, positive when the breath was shallow."""
    marker: Side
    """Which side's letter lies on the film."""
    noise_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One radiograph and everything true of it."""

    index: int
    """Place among the patient's studies, from 0."""
    offset_days: int
    technique: Technique
    facts: tuple[Fact, ...]
    infection_cue: bool
    """Whether the indication speaks of infection. With it a consolidation is pneumonia; drawn apart from the findings,
    so the words alone tell nothing."""

    def matching(self, name: str, *, side: Side | None = None, zone: Zone | None = None) -> tuple[Fact, ...]:
        """Facts that make the finding true, its children in the hierarchy included.

        `side` and `zone` narrow the search; a finding without a side matches whatever the side. Pneumonia is a
        consolidation in a patient whose indication speaks of infection.
        """
        if name == "pneumonia" and not self.infection_cue:
            return ()
        names = ("consolidation",) if name == "pneumonia" else (name, *CHILDREN.get(name, ()))
        return tuple(
            fact
            for fact in self.facts
            if fact.name in names
            and (side is None or fact.side in (side, None))
            and (zone is None or fact.zone in (zone, None))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A phantom patient, with studies in order of time."""

    number: int
    """Seeds everything; splits are ranges of it."""
    anatomy: Anatomy
    studies: tuple[Study, ...]

    @property
    def id(self) -> str:
        """`p19990000042`: shaped like a real identifier, in a range that no real data set uses."""
        return f"p1999{self.number:07d}"


def mirrored(fact: Fact) -> Fact:
    """The same finding on the other side."""
    return fact if fact.side is None else replace(fact, side="right" if fact.side == "left" else "left")


def sided(name: str, *, side: Side | None, zone: Zone | None = None) -> str:
    """Name of a finding with its side and zone: `left upper zone consolidation`."""
    words = [side, f"{zone} zone" if zone else None, name]
    return " ".join(word for word in words if word)


def sites(fact: Fact) -> tuple[str, ...]:
    """Canonical anatomy that the finding is located at; empty where the words state none."""
    if fact.name == "edema":
        return ("left lung", "right lung")
    if fact.name == "cardiomegaly":
        return ("cardiac silhouette",)
    if fact.name == "enlarged cardiomediastinum":
        return ("mediastinum",)
    if fact.name == "support devices":
        return _device_sites(fact)
    sides = (fact.side,) if fact.side else SIDES
    return tuple(_sided_site(fact, side=side) for side in sides)


def triplets(fact: Fact, *, certainty: Literal["present", "absent", "uncertain"], graded: bool) -> tuple[Triplet, ...]:
    """What a sentence about the fact states: where it is and, when `graded`, how severe.

    Example: a moderate left effusion gives (pleural effusion, located_at, left pleural space) and
    (moderate, modify, pleural effusion).
    """
    located = tuple(
        Triplet(head=fact.name, relation="located_at", tail=site, certainty=certainty) for site in sites(fact)
    )
    if not graded:
        return located
    word = SEVERITIES[fact.severity - 1]
    return (*located, Triplet(head=word, relation="modify", tail=fact.name, certainty=certainty))


def _sided_site(fact: Fact, *, side: Side) -> str:
    if fact.name in ("pleural effusion", "pneumothorax", "pleural other"):
        return f"{side} pleural space"
    if fact.name == "fracture":
        return f"{side} clavicle" if fact.subtype == "clavicle" else f"{side} ribs"
    return f"{side} {fact.zone} zone" if fact.zone else f"{side} lung"


def _device_sites(fact: Fact) -> tuple[str, ...]:
    match fact.subtype:
        case "endotracheal tube":
            return ("trachea",)
        case "enteric tube":
            return ("abdomen",)
        case "central venous catheter":
            return ("upper mediastinum",)
        case "chest tube":
            return (f"{fact.side} pleural space",)
        case "pacemaker":
            return (f"{fact.side} clavicle",)
        case _:
            return ()
