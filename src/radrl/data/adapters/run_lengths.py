"""Masks of the SIIM-ACR challenge: run lengths down the columns of a film, each start counted from the last end."""

from collections.abc import Sequence

from radrl.data.rows import Row


def mask_extent(runs: Sequence[int], *, width: int, height: int) -> tuple[int, int, int, int]:
    """The smallest box (x0, y0, x1, y1) in pixels that holds a mask, far edges exclusive.

    `runs` are start, length, start, length, ...; pixel 0 is top left, pixel 1 the one below it.

    >>> mask_extent([2, 2, 3, 1], width=4, height=5)  # pixels 2, 3 and 7: column 0, rows 2 and 3; column 1, row 2
    (0, 2, 2, 4)
    """
    at = 0
    columns: list[int] = []
    rows: list[int] = []
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        first = at + start
        at = first + length
        columns += [first // height, (at - 1) // height]
        crosses = columns[-2] != columns[-1]
        rows += [0, height - 1] if crosses else [first % height, (at - 1) % height]
    if max(columns) >= width:
        raise ValueError(f"the mask ends in column {max(columns)} of {width}")
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def read_runs(row: Row, column: str) -> list[int] | None:
    """Run lengths of a cell; None for `-1`, which is no mask. Raises DataError naming file, line and column."""
    text = row.text(column).strip()
    if text == "-1":
        return None
    words = text.split()
    if not words or len(words) % 2 or not all(word.isdigit() for word in words) or "0" in words[1::2]:
        row.refuse(column, text, "-1, or pairs of a start and a length, all whole numbers")
    return [int(word) for word in words]
