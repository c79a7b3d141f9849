"""Labels as CheXpert's labeller would read them off a film's report."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from radrl.phantom.lots import Shown
from radrl.phantom.scene import FINDINGS

NORMAL: Final = "No Finding"
CHEXPERT: Final = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
    "Support Devices",
)  # fmt: skip
"""CheXpert's order of its labels. MIMIC-CXR-JPG has them by the alphabet."""

State = Literal["present", "absent", "uncertain"]
_RANKS: Final[Mapping[State, int]] = {"present": 0, "uncertain": 1, "absent": 2}
_VALUES: Final[Mapping[State, float]] = {"present": 1.0, "absent": 0.0, "uncertain": -1.0}


def stated_values(film: Shown) -> dict[str, float | None]:
    """Label -> 1.0, 0.0 or -1.0 as the report states it, None where it does not speak of it.

    A film is without finding where the report states none but devices.
    """
    values: dict[str, float | None] = dict.fromkeys(CHEXPERT)
    for name, state in _states(film).items():
        values[_label(name)] = _VALUES[state]
    is_normal = not any(value in (1.0, -1.0) for label, value in values.items() if label != "Support Devices")
    return {**values, NORMAL: 1.0 if is_normal else None}


def true_values(film: Shown) -> dict[str, float | None]:
    """Label -> 1.0 or 0.0 as the scene is, which is what radiologists would settle on."""
    there = {name: bool(film.study.matching(name)) for name in FINDINGS}
    is_normal = not any(is_there for name, is_there in there.items() if name != "support devices")
    return {NORMAL: float(is_normal), **{_label(name): float(is_there) for name, is_there in there.items()}}


def _states(film: Shown) -> dict[str, State]:
    """What the report states of each finding; where it says two things the surer one counts."""
    states: dict[str, State] = {}
    for name, state in _statements(film):
        if name not in states or _RANKS[state] < _RANKS[states[name]]:
            states[name] = state
    return states


def _statements(film: Shown) -> Iterator[tuple[str, State]]:
    for triplet in film.report.triplets:
        if triplet.head in FINDINGS and triplet.relation == "located_at":
            yield triplet.head, triplet.certainty


def _label(name: str) -> str:
    """`pleural effusion` as `Pleural Effusion`."""
    return name.title()
