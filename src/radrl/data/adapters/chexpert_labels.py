"""CheXpert's labels as their labellers write them: 1 present, 0 absent, -1 uncertain, blank for not mentioned."""

from collections.abc import Mapping
from typing import Final

from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import NORMAL, State
from radrl.data.rows import Row

_STATES: Final[Mapping[float, State]] = {1.0: "present", 0.0: "absent", -1.0: "uncertain"}


def chexpert_labels(row: Row, *, space: str) -> Mapping[str, State]:
    """The labels that a row settles or leaves uncertain, by reading name, in the label space's order.

    Two spellings of a label (`Lung Opacity`, `Airspace Opacity`) are the same; the row has one of them.
    """
    spellings = label_space(space).values()
    states: dict[str, State] = {
        label.name: state for label in spellings if (state := _state(row, label.label)) is not None
    }
    return {label.name: states[label.name] for label in spellings if label.name in states}


def settles_all(labels: Mapping[str, State], *, space: str) -> bool:
    """Whether the labels leave no finding of the space open."""
    return all(label.name in labels for label in label_space(space).values() if label.name != NORMAL)


def _state(row: Row, field: str) -> State | None:
    value = row.fields.get(field)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        state = _STATES.get(float(str(value)))
    except ValueError:
        state = None
    if state is None:
        row.refuse(field, value, "1, 0, -1 or blank")
    return state
