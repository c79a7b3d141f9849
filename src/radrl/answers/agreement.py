"""Whether two canonical answers say the same: equality, but for measured answers."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from radrl.answers.quantities import read_boxes, read_number
from radrl.types import AnswerKind

SAME_BOX_IOU = 0.5
"""Intersection over union from which two boxes are taken for the same place."""


def agree(predicted: AbstractSet[str] | None, gold: AbstractSet[str], *, kind: AnswerKind) -> bool:
    """Whether a canonical answer is the gold one; an unreadable one (None) never is."""
    return predicted is not None and len(predicted) == len(gold) == num_agreeing(predicted, gold, kind=kind)


def num_agreeing(predicted: AbstractSet[str], gold: AbstractSet[str], *, kind: AnswerKind) -> int:
    """How many items of a canonical answer are among the gold ones, each gold item counted once.

    Numbers agree within the gold's tolerance, boxes from an IoU of one half (closest pairs first), all else by name.

    >>> num_agreeing({"25 mm"}, {"24 mm +- 2"}, kind=AnswerKind.NUMBER)
    1
    """
    match kind:
        case AnswerKind.NUMBER:
            return _num_paired(predicted, gold, _closeness_of_numbers)
        case AnswerKind.BOXES:
            return _num_paired(predicted, gold, _closeness_of_boxes)
        case _:
            return len(predicted & gold)


def _num_paired(predicted: Iterable[str], gold: Iterable[str], closeness: Callable[[str, str], float | None]) -> int:
    """Pairs of a predicted and a gold item, closest first, no item in two of them."""
    pairs = [(near, one, other) for one in predicted for other in gold if (near := closeness(one, other)) is not None]
    taken: set[tuple[str, str]] = set()
    for _, one, other in sorted(pairs, reverse=True):
        if ("predicted", one) not in taken and ("gold", other) not in taken:
            taken |= {("predicted", one), ("gold", other)}
    return len(taken) // 2


def _closeness_of_numbers(predicted: str, gold: str) -> float | None:
    one, other = read_number(predicted), read_number(gold, may_have_tolerance=True)
    if one is None or other is None or not other.admits(one):
        return None
    return -abs(one.value - other.value)


def _closeness_of_boxes(predicted: str, gold: str) -> float | None:
    one, other = read_boxes(predicted), read_boxes(gold)
    if one is None or other is None:
        return None
    iou = one[0].iou(other[0])
    return iou if iou >= SAME_BOX_IOU else None
