"""How the films of MIMIC-CXR were taken, by the columns that all tables about them share."""

from collections.abc import Mapping
from typing import Final

from radrl.data.adapters.labelled import View
from radrl.data.rows import Row

VIEW_COLUMNS: Final = ("ViewPosition", "ViewCodeSequence_CodeMeaning")
"""The first that is not blank counts."""
_VIEWS: Final[Mapping[str, View]] = {
    "pa": "PA",
    "ap": "AP",
    "lateral": "lateral",
    "ll": "lateral",
    "rl": "lateral",
    "postero-anterior": "PA",
    "antero-posterior": "AP",
    "left lateral": "lateral",
    "right lateral": "lateral",
}


def view_of_mimic(row: Row) -> View | None:
    """ViewPosition, or where it is blank what the view code means; None for oblique and unknown views."""
    stated = (row.text(column).strip().lower() for column in VIEW_COLUMNS)
    return _VIEWS.get(next((word for word in stated if word), ""))
