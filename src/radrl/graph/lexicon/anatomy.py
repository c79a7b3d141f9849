"""Places in the chest radiograph, canonical names and the words for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from radrl.graph.lexicon.words import fold

BOTH = ("left", "right")

SIDED_PLACES = (
    "lung", "upper zone", "mid zone", "lower zone", "apex", "hilum", "costophrenic angle", "pleural space",
    "hemidiaphragm", "clavicle", "ribs", "shoulder",
)  # fmt: skip
MIDLINE_PLACES = (
    "cardiac silhouette", "mediastinum", "upper mediastinum", "aortic arch", "trachea", "carina", "spine", "abdomen",
)  # fmt: skip
ANATOMY: tuple[str, ...] = (*(f"{side} {place}" for place in SIDED_PLACES for side in BOTH), *MIDLINE_PLACES)
"""Canonical names. A sided place may also stand without a side, where a text does not say which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a word for a place says.

    Example: "bibasilar" is `Place(name="lower zone", sides=("left", "right"), subject="lung")`
    """

    name: str
    """Canonical, without side; empty for words that only give a side."""
    sides: tuple[str, ...] = ()
    """Sides that the word itself implies."""
    subject: str
    """What is normal when this place is called normal: a key of `cues.NORMAL_MEANS`."""


def _places(name: str, *forms: str, sides: tuple[str, ...] = (), subject: str | None = None) -> dict[str, Place]:
    place = Place(name=name, sides=sides, subject=subject or name)
    return {fold(form): place for form in forms}


PLACES: Mapping[str, Place] = {
    **_places("lung", "lung", "pulmonary", "lung field", "lung parenchyma", "parenchyma", "pulmonary parenchyma"),
    **_places("lung", "hemithorax", "lobe"),
    **_places(
        "lung", "pulmonary vasculature", "vasculature", "pulmonary vascularity", "vascularity", "pulmonary vessel",
        "vascular marking", "pulmonary vascular marking", "pulmonary vascular", subject="vasculature",
    ),
    **_places(
        "upper zone", "upper zone", "upper lung zone", "upper lobe", "upper lung", "upper lung field", "upper",
        "suprahilar", "upper field", subject="lung",
    ),
    **_places(
        "mid zone", "mid zone", "mid lung zone", "middle zone", "mid lung", "middle lung", "mid lung field",
        "midlung",
        "midzone", "mid", "middle", "middle lung zone", subject="lung",
    ),
    **_places("mid zone", "middle lobe", "rml", "right middle lobe", sides=("right",), subject="lung"),
    **_places("mid zone", "lingula", "lingular", sides=("left",), subject="lung"),
    **_places(
        "lower zone", "lower zone", "lower lung zone", "lower lobe", "lower lung", "lower lung field", "lower",
        "base",
        "lung base", "basal", "basilar", "infrahilar", "lower field", "pulmonary base", subject="lung",
    ),
    **_places(
        "lower zone", "bibasal", "bibasilar", sides=BOTH, subject="lung",
    ),
    **_places("lower zone", "retrocardiac", "retrocardiac region", "lll", sides=("left",), subject="lung"),
    **_places("lower zone", "rll", sides=("right",), subject="lung"),
    **_places("upper zone", "rul", sides=("right",), subject="lung"),
    **_places("upper zone", "lul", sides=("left",), subject="lung"),
    **_places("apex", "apex", "apical", "apical zone", "lung apex", subject="lung"),
    **_places("apex", "biapical", sides=BOTH, subject="lung"),
    **_places("hilum", "hilum", "hilar", "perihilar", "parahilar", "hilar structure", "hilar contour", "hilar shadow"),
    **_places(
        "costophrenic angle", "costophrenic angle", "cp angle", "costophrenic sulcus", "costophrenic recess",
        "costophrenic sulci", "costophrenic",
    ),
    **_places(
        "pleural space", "pleural space", "pleural", "pleura", "pleural surface", "pleural cavity", "fissure",
        "pleural margin",
    ),
    **_places("hemidiaphragm", "hemidiaphragm", "diaphragm", "diaphragmatic", "subdiaphragmatic"),
    **_places("clavicle", "clavicle", "clavicular", subject="bones"),
    **_places("ribs", "rib", "costal", "rib cage", subject="bones"),
    **_places(
        "", "bone", "bony structure", "osseous structure", "bony thorax", "osseous", "skeleton", "skeletal structure",
        "bony", "visualized bone", "skeletal", subject="bones",
    ),
    **_places("shoulder", "shoulder", "humerus", "humeral", "scapula", "scapular", "shoulder joint", subject="bones"),
    **_places("spine", "spine", "thoracic spine", "vertebra", "vertebral body", "vertebral", subject="spine"),
    **_places(
        "cardiac silhouette", "heart", "cardiac silhouette", "cardiac shadow", "heart size", "cardiac size",
        "heart shadow", "cardiac contour", "cardiac", "heart border", "cardiac border", "cardiothoracic ratio",
        "size of the heart", "ctr", "heart contour",
    ),
    **_places(
        "mediastinum", "mediastinum", "mediastinal", "mediastinal contour", "mediastinal silhouette",
        "mediastinal width", "mediastinal structure", "mediastinal shadow",
    ),
    **_places(
        "mediastinum", "cardiomediastinal silhouette", "cardiomediastinal contour", "cardiomediastinal",
        "cardiomediastinum", "cardiac and mediastinal contour", "cardiac and mediastinal silhouette",
        "cardiomediastinal structure", "cardio mediastinal silhouette", subject="cardiomediastinum",
    ),
    **_places("upper mediastinum", "upper mediastinum", "superior mediastinum", "svc", "superior vena cava",
              "paratracheal", "cavoatrial junction", "brachiocephalic vein", subject="mediastinum"),
    **_places("aortic arch", "aortic arch", "aorta", "aortic", "aortic knob", "thoracic aorta", "aortic knuckle"),
    **_places("trachea", "trachea", "tracheal", "airway"),
    **_places("carina", "carina", "carinal"),
    **_places("abdomen", "abdomen", "abdominal", "stomach", "gastric", "upper abdomen", "duodenum", "jejunum"),
    **_places("", "chest", "thorax", "chest radiograph", "chest x ray", "radiograph", "chest film", "film", "study",
              "examination", "exam", "chest xray", "appearance of the chest", "image", subject="chest"),
    **_places("", "cardiopulmonary", "intrathoracic", "cardiothoracic", "thoracic", subject="cardiopulmonary"),
    **_places("", "left", "left sided", "left side", "left hand side", "lt", sides=("left",), subject=""),
    **_places("", "right", "right sided", "right side", "right hand side", "rt", sides=("right",), subject=""),
    **_places("", "bilateral", "bilaterally", "both", "both side", "either side", "each side", "either", sides=BOTH,
              subject=""),
}  # fmt: skip
"""Folded surface form -> what it says. Lobes are read as zones: a frontal film shows zones."""
