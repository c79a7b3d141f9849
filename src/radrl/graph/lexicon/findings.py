"""Findings, devices and procedures: canonical names, the words for them, what they count as and where each one sits.

The entries are in findings.yaml, devices.yaml and procedures.yaml; their headers say where they come from and how they
map to CheXpert's 14 labels (Irvin et al. 2019, arXiv 1901.07031).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from radrl.graph.lexicon.anatomy import MIDLINE_PLACES, SIDED_PLACES
from radrl.graph.lexicon.tables import LazyTable, read_table
from radrl.graph.lexicon.words import fold

NO_FINDING = "no finding"
SUPPORT_DEVICES = "support devices"

FINDINGS: tuple[str, ...] = (
    NO_FINDING, "enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "lung lesion", "edema", "consolidation",
    "pneumonia", "atelectasis", "pneumothorax", "pleural effusion", "pleural other", "fracture", SUPPORT_DEVICES,
)  # fmt: skip
"""CheXpert's names, in its order: the label space."""

TermKind = Literal["disorder", "device", "procedure"]

PARENCHYMAL = frozenset({"lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"})
"""Findings of the lung itself: where one is asserted, a general "no acute process" does not deny opacity."""

_SIDED_CLASSES = frozenset({"pleural", "lung", "bone", *SIDED_PLACES})
LUNG_ZONES = ("upper zone", "mid zone", "lower zone", "apex", "hilum")
"""Places that narrow down a lung."""
BONES = ("ribs", "clavicle", "shoulder", "spine")
"""Places that narrow down a fracture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Term:
    """A finding, device or procedure as the lexicon knows it; there is one object a name.

    Example: "granuloma" is `Term(name="granuloma", fact="lung lesion", kind="disorder", parents=("lung lesion",),
             place="lung", is_of_both=False, needs_side=False, forms=("granuloma", ...))`
    """

    name: str
    """Canonical name; an entity carries it."""
    fact: str
    """Name in triplets and labels: CheXpert's where the term is a kind of one of the 14, else its own."""
    kind: TermKind
    parents: tuple[str, ...]
    """Directly broader names."""
    place: str
    """"pleural", "lung" or "bone": a class of sided sites; a canonical place; or "stated": wherever the text says."""
    is_of_both: bool = False
    """Asserted without a side, it is of both."""
    needs_side: bool = False
    """Has no site until its side is stated: a chest tube."""
    companions: tuple[str, ...] = ()
    """Findings that come with it wherever it is not denied: the effusion of a hydropneumothorax."""
    forms: tuple[str, ...]

    @property
    def is_sided(self) -> bool:
        """Whether a denial without a side denies both."""
        return self.place in _SIDED_CLASSES and not self.needs_side


@cache
def terms() -> Mapping[str, Term]:
    """Every term by canonical name."""
    read: dict[str, Term] = {}
    kinds: tuple[tuple[str, TermKind], ...] = (
        ("findings", "disorder"),
        ("devices", "device"),
        ("procedures", "procedure"),
    )
    for table, kind in kinds:
        for name, entry in read_table(table).items():
            read[name] = _term(name, entry, kind)
    return read


def _term(name: str, entry: Mapping[str, Any], kind: TermKind) -> Term:
    broader: str = entry.get("counts_as", SUPPORT_DEVICES if kind == "device" else name)
    fact = name if broader == "null" else broader
    parents: tuple[str, ...] = tuple(entry.get("parents", ()))
    if fact != name and not parents:
        parents = (fact,)
    is_device = name == SUPPORT_DEVICES or kind == "device"
    return Term(
        name=name,
        fact=fact,
        kind="device" if is_device else kind,
        parents=parents,
        place=entry["place"],
        is_of_both=entry.get("both") == "true",
        needs_side=entry.get("sided") == "true",
        companions=tuple(entry.get("with", ())),
        forms=(*entry["forms"], name),
    )


def term(name: str) -> Term | None:
    """The term of a canonical name, or None."""
    return terms().get(name)


def _synonyms() -> dict[str, str]:
    """Own forms win over those of kinds, so that a form listed twice means what the name itself says."""
    return {
        key: term.fact
        for term in sorted(terms().values(), key=lambda term: term.fact == term.name)
        if term.fact in FINDINGS
        for form in term.forms
        for key in (form, fold(form))
    }


SYNONYMS: Mapping[str, str] = LazyTable(_synonyms)
"""Surface form -> canonical finding of the 14. Keys are folded (see `fold`) and, for convenience, as listed."""

DEVICES: Mapping[str, tuple[str, ...]] = LazyTable(
    lambda: {term.name: term.forms for term in terms().values() if term.kind == "device" and term.name not in FINDINGS}
)
"""Device -> surface forms. Nearly all are the finding `support devices`; which device it is decides the site."""


def canonical_finding(text: str) -> str | None:
    """Canonical finding of a surface form that carries no side, zone or severity, or None.

    >>> canonical_finding("Pulmonary nodules")
    'lung lesion'
    """
    return SYNONYMS.get(fold(text))


def default_site(finding: str, *, side: str | None = None, zone: str | None = None) -> str | None:
    """Canonical place of a finding, from the side ("left", "right") and zone ("upper zone", "lower", "apex") stated.

    The finding decides what of the two counts: an effusion is in the pleural space wherever in the chest it was seen.
    For a fracture the zone is the bone ("clavicle"; ribs by default). None when there is no site to name, as for a
    device whose site is not stated.

    >>> default_site("consolidation", side="left", zone="upper zone")
    'left upper zone'
    """
    known = term(finding)
    if zone in ("upper", "mid", "lower"):
        zone = f"{zone} zone"
    place = known.place if known is not None else "stated"
    if place == "stated":
        site = zone
    elif place == "pleural":
        site = "pleural space"
    elif place == "lung":
        site = zone or "lung"
    elif place == "bone":
        site = zone if zone in BONES else "ribs"
    else:
        site = place
    return _on_side(site, side)


def device_site(device: str, *, side: str | None = None) -> str | None:
    """Where a device ends by what it is: the trachea for an endotracheal tube, `side`'s pleural space for a chest tube.

    None for a sided device whose side is not stated, and for devices that may be anywhere.
    """
    known = term(device)
    if known is None or known.place == "stated" or (known.needs_side and side is None):
        return None
    return _on_side(known.place, side)


def _on_side(site: str | None, side: str | None) -> str | None:
    if site is None or side is None or site in MIDLINE_PLACES or site not in SIDED_PLACES:
        return site
    return f"{side} {site}"
