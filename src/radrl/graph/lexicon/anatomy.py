"""Places in the chest radiograph, canonical names and the words for them (anatomy.yaml)."""

from collections.abc import Mapping
from dataclasses import dataclass

from radrl.graph.lexicon.tables import LazyTable, read_table
from radrl.graph.lexicon.words import fold

BOTH = ("left", "right")

SIDED_PLACES = (
    "lung", "upper zone", "mid zone", "lower zone", "apex", "hilum", "costophrenic angle", "pleural space",
    "hemidiaphragm", "clavicle", "ribs", "shoulder", "chest wall",
)  # fmt: skip
MIDLINE_PLACES = (
    "cardiac silhouette", "mediastinum", "upper mediastinum", "aortic arch", "aorta", "pulmonary artery", "trachea",
    "carina", "spine", "abdomen", "neck",
)  # fmt: skip
ANATOMY: tuple[str, ...] = (*(f"{side} {place}" for place in SIDED_PLACES for side in BOTH), *MIDLINE_PLACES)
"""Canonical names. A sided place may also stand without a side, where a text does not say which."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """What a word for a place says; forms that say the same share one object.

    Example: "bibasilar" is `Place(name="lower zone", sides=("left", "right"), subject="lung")`
    """

    name: str
    """Canonical, without side; empty for words that only give a side."""
    sides: tuple[str, ...] = ()
    """Sides that the word itself implies."""
    subject: str
    """What is normal or abnormal when that is said of this place: a key of `statements.normal_means`."""


def _places() -> dict[str, Place]:
    places: dict[str, Place] = {}
    for entry in read_table("anatomy")["places"]:
        place = Place(
            name=entry["name"], sides=tuple(entry.get("sides", ())), subject=entry.get("subject", entry["name"])
        )
        places.update({fold(form): place for form in entry["forms"]})
    return places


PLACES: Mapping[str, Place] = LazyTable(_places)
"""Folded surface form -> what it says. Lobes are read as zones: a frontal film shows zones."""
