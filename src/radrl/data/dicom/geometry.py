"""What a DICOM header tells of a film's view, of which way round it stands, and of millimetres."""

import math
import re
from typing import Final

from pydicom.dataset import Dataset

from radrl.data.dicom.film import Spacing, Turn, View
from radrl.data.dicom.values import items, numbers, text

_POSITIONS: Final[dict[str, View]] = {
    "AP": "AP", "PA": "PA", "LL": "LATERAL", "RL": "LATERAL", "LATERAL": "LATERAL", "LAT": "LATERAL",
    "LLAT": "LATERAL", "RLAT": "LATERAL",
}  # fmt: skip

_VIEW_WORDS: Final[dict[View, re.Pattern[str]]] = {
    "AP": re.compile(r"\bantero-?\s?posterior\b|\bap\b", re.IGNORECASE),
    "PA": re.compile(r"\bpostero-?\s?anterior\b|\bpa\b", re.IGNORECASE),
    "LATERAL": re.compile(r"\blateral\b|\blat\b", re.IGNORECASE),
}
_DECUBITUS: Final = re.compile("decub", re.IGNORECASE)
"""Lying on the side: `left lateral decubitus` is a frontal film."""

_NOT_LETTERS: Final = re.compile("[^a-z-]+", re.IGNORECASE)


def read_view(dataset: Dataset) -> tuple[View | None, str]:
    """The view, and the tag that says it: the position, else the view's code, else the words of a description."""
    position = _POSITIONS.get(text(dataset, "ViewPosition").upper())
    if position is not None:
        return position, "ViewPosition"
    said = {
        "ViewCodeSequence": " ".join(text(item, "CodeMeaning") for item in items(dataset, "ViewCodeSequence")),
        "SeriesDescription": text(dataset, "SeriesDescription"),
        "ProtocolName": text(dataset, "ProtocolName"),
    }
    for keyword, words in said.items():
        view = _view_named(words)
        if view is not None:
            return view, keyword
    return None, ""


def _view_named(words: str) -> View | None:
    """The one view that a text names; None where it names none or several (`chest PA and lateral`)."""
    plain = _NOT_LETTERS.sub(" ", words)
    named: list[View] = [view for view, pattern in _VIEW_WORDS.items() if pattern.search(plain)]
    return named[0] if len(named) == 1 and not _DECUBITUS.search(plain) else None


def read_turn(dataset: Dataset) -> tuple[Turn, str]:
    """What brings the film upright, and a note where the file's orientation cannot be read.

    `PatientOrientation` says where a row and where a column lead, `L\\F` on a frontal film as it should be. On a
    lateral film (`A\\F`, `P\\F`) either way is right. The letter on the film is not looked at.
    """
    orientation = text(dataset, "PatientOrientation").upper()
    if not orientation:
        return Turn(), ""
    row, _, column = orientation.partition("\\")
    row, column = row[:1], column[:1]
    is_transposed = row in ("F", "H") and column in ("L", "R", "A", "P")
    if is_transposed:
        row, column = column, row
    if row not in ("L", "R", "A", "P") or column not in ("F", "H"):
        return Turn(), "PatientOrientation cannot be read: the film is left as it is stored"
    return Turn(is_transposed=is_transposed, is_mirrored=row == "R", is_flipped=column == "H"), ""


def read_spacing(dataset: Dataset, turn: Turn) -> tuple[Spacing | None, str]:
    """Millimetres in the patient, of the film upright, and how they came about; None where they are not known.

    `PixelSpacing` holds when it is calibrated, or differs from the detector's. The detector's is divided by the
    magnification.
    """
    stated, detector = numbers(dataset, "PixelSpacing"), numbers(dataset, "ImagerPixelSpacing")
    magnification = (numbers(dataset, "EstimatedRadiographicMagnificationFactor") or (0.0,))[0]
    is_calibrated = text(dataset, "PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL")
    if stated and (is_calibrated or stated != detector):
        return _spacing(stated, turn=turn, divided_by=1.0), "PixelSpacing"
    if not detector:
        return None, "no spacing: the film has no millimetres"
    if not magnification > 0:
        return None, "spacing at the detector only, without a magnification: the film has no millimetres"
    return _spacing(detector, turn=turn, divided_by=magnification), "ImagerPixelSpacing over the magnification"


def _spacing(given: tuple[float, ...], *, turn: Turn, divided_by: float) -> Spacing | None:
    if len(given) != 2 or not all(math.isfinite(mm / divided_by) and mm > 0 for mm in given):
        return None
    row_mm, column_mm = given[::-1] if turn.is_transposed else given
    return Spacing(row_mm=row_mm / divided_by, column_mm=column_mm / divided_by)
