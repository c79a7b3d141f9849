"""Spec row 12: a seeded order of prompts that resumes exactly."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrl.data.stream import PromptStream
from radrl.errors import ConfigError, DataError


def stream(size=7, *, seed=1, shuffle=True, kinds=None):
    items = [f"{'abc'[i % 3]}{i}" for i in range(size)]
    return PromptStream(items, seed=seed, shuffle=shuffle, kinds=kinds, kind_of=lambda item: item[0])


def test_without_shuffling_the_order_is_that_of_the_files_again_and_again():
    assert stream(3, shuffle=False).take(7) == ["a0", "b1", "c2", "a0", "b1", "c2", "a0"]


def test_every_epoch_holds_every_item_once_in_an_order_of_its_own():
    orders = stream(20)
    first, second = orders.take(20), orders.take(20)
    assert sorted(first) == sorted(second)
    assert first != second


def test_the_order_follows_from_the_seed_alone():
    assert stream(20).take(50) == stream(20).take(50)
    assert stream(20, seed=1).take(20) != stream(20, seed=2).take(20)


def test_the_epoch_is_the_share_of_passes_made():
    prompts = stream(8)
    prompts.take(12)
    assert (len(prompts), prompts.epoch) == (8, 1.5)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(3, 25),
    takes=st.lists(st.integers(0, 12), min_size=1, max_size=8),
    cut=st.integers(0, 8),
    kinds=st.sampled_from([None, {"a": 1.0, "b": 3.0}, {"a": 0.2, "b": 0.3, "c": 0.5}]),
    shuffle=st.booleans(),
)
def test_a_resumed_stream_goes_on_as_an_uninterrupted_one_would(size, takes, cut, kinds, shuffle):
    whole = stream(size, shuffle=shuffle, kinds=kinds)
    expected = [whole.take(k) for k in takes]
    before, after = stream(size, shuffle=shuffle, kinds=kinds), stream(size, shuffle=shuffle, kinds=kinds)
    got = [before.take(k) for k in takes[:cut]]
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    got += [after.take(k) for k in takes[cut:]]
    assert got == expected
    assert after.state_dict() == whole.state_dict()


@settings(max_examples=60, deadline=None)
@given(shares=st.lists(st.floats(0.01, 1), min_size=1, max_size=6), num_items=st.integers(1, 200))
def test_after_any_number_of_items_each_kind_is_within_one_of_its_share(shares, num_items):
    kinds = {str(number): share for number, share in enumerate(shares)}
    items = [(kind, i) for kind in kinds for i in range(3)]
    taken = PromptStream(items, seed=0, shuffle=True, kinds=kinds, kind_of=lambda item: item[0]).take(num_items)
    for kind, share in kinds.items():
        exact = num_items * share / sum(shares)
        assert abs(sum(item[0] == kind for item in taken) - exact) < 1 + 1e-6


def test_shares_that_come_out_even_are_met_exactly():
    prompts = stream(9, kinds={"a": 0.25, "b": 0.75})
    for _ in range(5):
        kinds = [item[0] for item in prompts.take(16)]
        assert (kinds.count("a"), kinds.count("b")) == (4, 12)
    assert len(prompts) == 6


def test_a_kind_that_no_item_has_is_refused():
    with pytest.raises(ConfigError, match="no question is of kind d"):
        stream(kinds={"a": 0.5, "d": 0.5})


def test_a_stream_of_nothing_is_refused():
    with pytest.raises(DataError, match="no questions to draw"):
        stream(0)


def test_a_state_of_other_data_is_refused():
    with pytest.raises(DataError, match=r"now hold \{'': 8\}.*trainer\.fresh=true"):
        stream(8).load_state_dict(stream(7).state_dict())
