"""How well the boxes of an answer cover the gold boxes."""

from collections.abc import Iterable, Sequence
from typing import cast

from radrl.answers import Rectangle, predicted_answer, read_boxes
from radrl.rewards.answer import gold_answer
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.types import AnswerKind, Evidence

MOST_BOXES = 100
"""More boxes than this are no answer: pairing them up would cost more than all other rewards together."""


@reward("box_iou", lowest=-1.0)
def box_iou(attempt: Attempt, *, shaped: bool = False) -> Score:
    """Sum of the IoU of paired boxes / max(number of boxes, number of gold boxes), pairs chosen to make it largest.

    IoU is intersection over union, so every box without a partner costs, on either side. With `shaped` two boxes that
    do not overlap count GIoU in place of 0, from 0 for touching ones towards -1 for far ones (Rezatofighi et al.,
    arXiv 1902.09630), and a box without a partner counts -1, so that a near miss is better than a far one and a far
    one better than none. Boxes are read by the answer reader, in pixels or fractions; an answer without readable boxes
    is all of them unpaired. Abstains on answers that are not boxes.

    Hacks it resists: many boxes in the hope that one fits, one box over the whole image, and giving none. It replaces
    nothing of the seeds, whose rewards compare boxes as text.
    """
    if attempt.sample.answer_kind is not AnswerKind.BOXES:
        return ABSTAIN
    gold = _rectangles(gold_answer(attempt.sample))
    predicted = predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
    boxes = _rectangles(predicted or ())
    value = best_pairing(boxes, gold, shaped=shaped) if len(boxes) <= MOST_BOXES else -float(shaped)
    note = f"{len(boxes)} boxes for {len(gold)}, {value:.2f} of a full cover"
    verdict = "unreadable" if predicted is None else "right" if value >= 0.5 else "wrong"
    return Score(
        value=value,
        evidence=tuple(
            Evidence(start=span.start, end=span.end, verdict=verdict, note=note) for span in attempt.trace.answers[-1:]
        ),
    )


def best_pairing(boxes: Sequence[Rectangle], gold: Sequence[Rectangle], *, shaped: bool = False) -> float:
    """Mean worth of the best pairs over the larger of the two numbers of boxes; 1 for no boxes on either side.

    >>> left, right = Rectangle(x0=0, y0=0, x1=0.5, y1=1), Rectangle(x0=0.5, y0=0, x1=1, y1=1)
    >>> best_pairing([right, left], [left]), best_pairing([right], [left])
    (0.5, 0.0)
    """
    most = max(len(boxes), len(gold))
    if not most:
        return 1.0
    alone = -1.0 if shaped else 0.0
    if not boxes or not gold:
        return alone
    # Imported late: scipy costs more to import than everything else here together.
    from scipy.optimize import linear_sum_assignment  # pyright: ignore

    worths = [[_worth(box, wanted, shaped=shaped) for wanted in gold] for box in boxes]
    pairs = cast("tuple[Iterable[int], Iterable[int]]", linear_sum_assignment(worths, maximize=True))
    paired = [worths[row][column] for row, column in zip(*pairs, strict=True)]
    return (sum(paired) + alone * (most - len(paired))) / most


def giou(one: Rectangle, other: Rectangle) -> float:
    """IoU - (hull - union) / hull, in (-1, 1]; the hull is the smallest box around both."""
    iou = one.iou(other)
    union = (one.area + other.area) / (1 + iou)
    width = max(one.x1, other.x1) - min(one.x0, other.x0)
    height = max(one.y1, other.y1) - min(one.y0, other.y0)
    return iou - (width * height - union) / (width * height)


def _worth(box: Rectangle, gold: Rectangle, *, shaped: bool) -> float:
    iou = box.iou(gold)
    return giou(box, gold) if shaped and iou == 0 else iou


def _rectangles(answer: frozenset[str] | tuple[()]) -> list[Rectangle]:
    """Boxes of a canonical answer, in a fixed order."""
    return sorted(rectangle for item in answer for rectangle in read_boxes(item) or ())
