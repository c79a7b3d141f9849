"""Spec row 12: a seeded order of prompts that resumes exactly."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrl.data.stream import PromptStream, Quota, due_part
from radrl.errors import ConfigError, DataError


def stream(size=7, *, seed=1, shuffle=True, kinds=None):
    items = [f"{'abc'[i % 3]}{i}" for i in range(size)]
    return PromptStream(items, seed=seed, shuffle=shuffle, quotas=by_first(kinds))


def by_first(shares):
    return [Quota(shares=shares, part_of=lambda item: item[0])] if shares else []


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
    taken = PromptStream(items, seed=0, shuffle=True, quotas=by_first(kinds)).take(num_items)
    for kind, share in kinds.items():
        exact = num_items * share / sum(shares)
        assert abs(sum(item[0] == kind for item in taken) - exact) < 1 + 1e-6


def test_shares_that_come_out_even_are_met_exactly():
    prompts = stream(9, kinds={"a": 0.25, "b": 0.75})
    for _ in range(5):
        kinds = [item[0] for item in prompts.take(16)]
        assert (kinds.count("a"), kinds.count("b")) == (4, 12)
    assert len(prompts) == 6


def test_a_part_that_no_item_is_in_is_refused():
    with pytest.raises(ConfigError, match="no question that the shares let through is of d"):
        stream(kinds={"a": 0.5, "d": 0.5})


def test_a_stream_of_nothing_is_refused():
    with pytest.raises(DataError, match="no questions to draw"):
        stream(0)


def test_a_state_of_other_data_is_refused():
    with pytest.raises(DataError, match=r"now hold \{'': 8\}.*trainer\.fresh=true"):
        stream(8).load_state_dict(stream(7).state_dict())


# Mixtures of files (row 26: the stages of a curriculum draw from several data sets).

FILES = {"x": 3.0, "y": 1.0}
ROWS = [(file, kind, number) for file in "xy" for kind in "ab" for number in range(4)] + [("y", "c", 0)]


def mixture(*, kinds=None, rows=ROWS):
    quotas = [Quota(shares=FILES, part_of=lambda row: row[0])]
    if kinds:
        quotas.append(Quota(shares=kinds, part_of=lambda row: row[1]))
    return PromptStream(rows, seed=1, shuffle=True, quotas=quotas)


def test_row_26_every_take_holds_the_files_in_their_weights():
    prompts = mixture()
    for _ in range(6):
        files = [file for file, _, _ in prompts.take(8)]
        assert (files.count("x"), files.count("y")) == (6, 2)


def test_kinds_have_their_shares_within_each_file_over_those_that_the_file_holds():
    taken = mixture(kinds={"a": 1.0, "b": 2.0, "c": 1.0}).take(48)
    counts = {(file, kind): sum(row[:2] == (file, kind) for row in taken) for file in "xy" for kind in "abc"}
    # Of 48 draws 36 are from x, which holds a and b as 1 to 2, and 12 from y, which holds a, b and c as 1 to 2 to 1.
    assert counts == {
        ("x", "a"): 12,
        ("x", "b"): 24,
        ("x", "c"): 0,
        ("y", "a"): 3,
        ("y", "b"): 6,
        ("y", "c"): 3,
    }


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(0.05, 1), min_size=2, max_size=4),
    kinds=st.lists(st.floats(0.05, 1), min_size=1, max_size=3),
    num_items=st.integers(1, 150),
)
def test_after_any_number_of_items_each_file_is_within_one_of_its_share(weights, kinds, num_items):
    rows = [(f"f{file}", f"k{kind}") for file in range(len(weights)) for kind in range(len(kinds))]
    shares = {f"f{number}": weight for number, weight in enumerate(weights)}
    by_kind = {f"k{number}": weight for number, weight in enumerate(kinds)}
    quotas = [
        Quota(shares=shares, part_of=lambda row: row[0]),
        Quota(shares=by_kind, part_of=lambda row: row[1]),
    ]
    taken = PromptStream(rows, seed=1, shuffle=True, quotas=quotas).take(num_items)
    for file, weight in shares.items():
        of_file = [row for row in taken if row[0] == file]
        assert abs(len(of_file) - num_items * weight / sum(weights)) < 1 + 1e-6
        for kind, share in by_kind.items():
            exact = len(of_file) * share / sum(kinds)
            assert abs(sum(row[1] == kind for row in of_file) - exact) < 1 + 1e-6


def test_a_file_that_holds_none_of_the_kinds_is_refused():
    with pytest.raises(ConfigError, match="is of x"):
        mixture(kinds={"c": 1.0})


def test_the_part_that_lags_most_for_its_share_is_due():
    assert due_part({"a": 3, "b": 1}, {"a": 2, "b": 0}) == "b"
    assert due_part({"a": 3, "b": 1}, {"a": 0, "b": 0}) == "a"


# Narrowing.


def test_a_narrowed_stream_draws_what_is_kept_from_the_beginning_in_its_shares():
    prompts = stream(12, kinds={"a": 1.0, "b": 1.0})
    prompts.take(5)
    assert prompts.restrict(lambda item: item in ("a0", "b1", "b4")) == ()
    assert (len(prompts), prompts.epoch) == (3, 0)
    taken = prompts.take(8)
    assert taken.count("a0") == 4
    assert (taken.count("b1"), taken.count("b4")) == (2, 2)
    assert "b7" in prompts.items


def test_a_part_of_which_nothing_is_kept_is_named_and_the_others_take_its_share():
    prompts = stream(12, kinds={"a": 1.0, "b": 1.0, "c": 2.0})
    assert prompts.restrict(lambda item: item[0] != "c") == ("c",)
    kinds = [item[0] for item in prompts.take(8)]
    assert (kinds.count("a"), kinds.count("b")) == (4, 4)


def test_narrowing_again_starts_from_all_items():
    prompts = stream(12)
    prompts.restrict(lambda item: item[0] == "a")
    prompts.restrict(lambda item: item[0] == "b")
    assert {item[0] for item in prompts.take(8)} == {"b"}


def test_narrowing_to_nothing_is_refused():
    with pytest.raises(DataError, match="no questions to draw"):
        stream(5).restrict(lambda item: False)


def test_a_narrowed_stream_resumes_only_where_the_same_is_kept():
    prompts, same, other = stream(9), stream(9), stream(9)
    for each in (prompts, same):
        each.restrict(lambda item: item[0] == "a")
    prompts.take(4)
    same.load_state_dict(json.loads(json.dumps(prompts.state_dict())))
    assert same.take(7) == prompts.take(7)
    with pytest.raises(DataError, match="now hold"):
        other.load_state_dict(prompts.state_dict())


# Pairs.


def paired(pairs, singles, *, quotas=(), shuffle=True):
    items = [f"{name}{side}" for name in pairs for side in "+-"] + [f"{name}." for name in singles]

    def pair(given):
        whole = {item[:-1] for item in given if f"{item[:-1]}+" in given and f"{item[:-1]}-" in given}
        return [(f"{name}+", f"{name}-") for name in sorted(whole)] + [(i,) for i in given if i[:-1] not in whole]

    return PromptStream(items, seed=1, shuffle=shuffle, quotas=quotas, pair=pair)


def test_what_belongs_together_is_drawn_together_in_every_take():
    prompts = paired("abcde", "xyz")
    for _ in range(30):
        taken = prompts.take(4)
        for first, second in (taken[:2], taken[2:]):
            assert (first[-1] == ".") == (second[-1] == ".")
            assert first[-1] == "." or first[0] == second[0] != second


def test_an_epoch_of_pairs_leaves_nothing_out_and_draws_one_left_over_twice():
    prompts = paired("ab", "xyz")
    assert len(prompts) == 8
    for _ in range(5):
        epoch = prompts.take(8)
        assert set(epoch) == {"a+", "a-", "b+", "b-", "x.", "y.", "z."}
        assert sum(epoch.count(single) for single in ("x.", "y.", "z.")) == 4


def test_pairs_keep_the_shares_and_resume():
    quotas = [Quota(shares={"a": 1.0, "b": 3.0}, part_of=lambda item: item[0])]
    prompts, after = (paired("ab", "", quotas=quotas) for _ in range(2))
    taken = prompts.take(16)
    assert sum(item[0] == "a" for item in taken) == 4
    after.load_state_dict(json.loads(json.dumps(prompts.state_dict())))
    assert after.take(10) == prompts.take(10)


def test_half_a_pair_is_never_drawn():
    with pytest.raises(AssertionError):
        paired("ab", "").take(3)


def test_what_is_drawn_is_prepared_when_it_is_drawn():
    asked = []

    def prepare(items):
        asked.append(len(items))
        return [item.upper() for item in items]

    kinds = {"a": 1.0, "b": 1.0}
    prepared = PromptStream(["a1", "b1", "c1"], seed=1, shuffle=False, quotas=by_first(kinds), prepare=prepare)
    assert asked == []
    assert sorted(prepared.take(2)) == ["A1", "B1"]
    assert (prepared.items, prepared.unprepared) == (("A1", "B1"), ("a1", "b1"))
    assert asked == [2, 2]
    assert list(prepared.each(lambda item: item != "a1")) == ["B1"]
    assert asked == [2, 2, 1]
