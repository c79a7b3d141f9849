"""Arranging completions in rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.errors import ConfigError
from radrl.models.packing import plan
from radrl.types import AnswerKind, Prompt, Sample

LENGTHS = st.lists(st.tuples(st.integers(1, 12), st.lists(st.integers(0, 15), max_size=6)), max_size=8)
"""Prompt length and completion lengths of each group."""


def prompt(num_tokens: int) -> Prompt:
    sample = Sample(
        id="s", patient_id="p", kind="open", question="", answer=frozenset(), answer_kind=AnswerKind.SET, reference=""
    )
    return Prompt(sample=sample, text="", token_ids=tuple(range(num_tokens)), num_image_tokens=0)


def completion_tokens(groups: list[tuple[int, list[int]]]) -> list[list[tuple[int, ...]]]:
    """Completions of these lengths whose tokens are numbered through, so that a token names its place."""
    number = 0
    completions: list[list[tuple[int, ...]]] = []
    for _, lengths in groups:
        completions.append([])
        for length in lengths:
            completions[-1].append(tuple(range(number, number + length)))
            number += length
    return completions


@given(groups=LENGTHS, row_tokens=st.integers(27, 90), spare_tokens=st.integers(0, 200))
def test_every_completion_token_appears_once_and_within_budget(
    groups: list[tuple[int, list[int]]], row_tokens: int, spare_tokens: int
) -> None:
    micro_batches = plan(
        [prompt(length) for length, _ in groups],
        completion_tokens(groups),
        row_tokens=row_tokens,
        micro_batch_tokens=row_tokens + spare_tokens,
    )
    placed = [token for micro_batch in micro_batches for token in micro_batch.token_index]
    assert sorted(placed) == list(range(sum(sum(lengths) for _, lengths in groups)))
    for micro_batch in micro_batches:
        assert micro_batch.token_ids == micro_batch.token_index
        assert micro_batch.width <= row_tokens
        assert micro_batch.width * len(micro_batch.rows) <= row_tokens + spare_tokens


def test_a_group_that_fits_shares_one_copy_of_its_prompt() -> None:
    (micro_batch,) = plan([prompt(5)], [[(1, 2), (3,), (4, 5, 6)]], row_tokens=11, micro_batch_tokens=11)
    ((part,),) = micro_batch.rows
    assert part.completions == ((1, 2), (3,), (4, 5, 6))
    assert part.starts == (0, 2, 3)
    assert micro_batch.width == 11


def test_a_longer_group_is_split_and_each_part_has_the_prompt() -> None:
    micro_batches = plan([prompt(5)], [[(1, 2), (3,), (4, 5, 6)]], row_tokens=9, micro_batch_tokens=18)
    parts = [part for micro_batch in micro_batches for row in micro_batch.rows for part in row]
    assert [(len(part.prompt.token_ids), part.completions) for part in parts] == [
        (5, ((1, 2), (3,))),
        (5, ((4, 5, 6),)),
    ]


def test_short_groups_fill_rows_as_wide_as_the_longest() -> None:
    lengths = [2, 10, 4, 3]
    completions = completion_tokens([(1, [length]) for length in lengths])
    (micro_batch,) = plan([prompt(1)] * 4, completions, row_tokens=100, micro_batch_tokens=100)
    assert [[part.num_tokens for part in row] for row in micro_batch.rows] == [[11], [5, 4], [3]]


def test_a_completion_longer_than_a_row_is_an_error_that_names_the_sample() -> None:
    with pytest.raises(
        ConfigError, match="sample s: a prompt of 5 tokens and a completion of 6 do not fit a row of 10"
    ):
        plan([prompt(5)], [[(1,) * 6]], row_tokens=10, micro_batch_tokens=10)


def test_a_row_wider_than_a_micro_batch_is_an_error() -> None:
    with pytest.raises(ConfigError, match="row_tokens is 20, over micro_batch_tokens = 10"):
        plan([], [], row_tokens=20, micro_batch_tokens=10)
