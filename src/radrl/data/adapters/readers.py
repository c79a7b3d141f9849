"""Labels and boxes of several readers of one film, made one.

A union keeps what any reader marked, a majority what more than half of the film's readers marked. Boxes of one finding
that different readers drew over one another (intersection over union of at least 0.4, the overlap that the VinBigData
challenge counts as a hit) are one place, whose corners are the mean of theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from radrl.data.adapters.labelled import State
from radrl.types import Box

Rule = Literal["union", "majority"]

SAME_PLACE: Final = 0.4
"""Intersection over union from which two readers' boxes mean one place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader said of a film.

    Example: `Reading(reader="R8", labels={"nodule or mass": True, "edema": False}, boxes=(Box(...),))`
    """

    reader: str
    labels: Mapping[str, bool]
    """A finding that the reader left open is not in it."""
    boxes: tuple[Box, ...] = ()


def agreed_labels(readings: Sequence[Reading], *, rule: Rule) -> dict[str, State]:
    """The film's labels; one that a reader left open is open."""
    names = dict.fromkeys(name for reading in readings for name in reading.labels)
    votes = {
        name: [reading.labels[name] for reading in readings]
        for name in names
        if all(name in reading.labels for reading in readings)
    }
    return {
        name: "present" if _is_kept(sum(marked), num_readers=len(readings), rule=rule) else "absent"
        for name, marked in votes.items()
    }


def agreed_boxes(readings: Sequence[Reading], *, rule: Rule) -> tuple[Box, ...]:
    """The film's boxes, in the order in which a reader first marked each place."""
    places: list[_Place] = []
    for reading in readings:
        for box in reading.boxes:
            place = _same_place(places, box, reader=reading.reader)
            if place is None:
                places.append(_Place(boxes={reading.reader: box}))
            else:
                place.boxes[reading.reader] = box
    kept = [place for place in places if _is_kept(len(place.boxes), num_readers=len(readings), rule=rule)]
    return tuple(place.mean for place in kept)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (_area(one) + _area(other) - shared)


@dataclass(slots=True)
class _Place:
    """Boxes of one finding that mean the same place, one a reader."""

    boxes: dict[str, Box] = field(default_factory=dict[str, Box])

    @property
    def mean(self) -> Box:
        boxes = list(self.boxes.values())
        x0, y0, x1, y1 = (sum(getattr(box, side) for box in boxes) / len(boxes) for side in ("x0", "y0", "x1", "y1"))
        return Box(label=boxes[0].label, x0=x0, y0=y0, x1=x1, y1=y1)


def _same_place(places: Sequence[_Place], box: Box, *, reader: str) -> _Place | None:
    """The place that the box overlaps most. A reader's own boxes are always different places."""
    near = [
        (overlap(place.mean, box), place)
        for place in places
        if place.mean.label == box.label and reader not in place.boxes
    ]
    most, place = max(near, key=lambda pair: pair[0], default=(0.0, None))
    return place if most >= SAME_PLACE else None


def _is_kept(num_marked: int, *, num_readers: int, rule: Rule) -> bool:
    return num_marked > 0 if rule == "union" else 2 * num_marked > num_readers


def _area(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)
