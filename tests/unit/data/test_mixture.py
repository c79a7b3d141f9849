"""Spec row 7: sources are mixed by weights, which are shares of what is drawn and not of what is there."""

from collections import Counter

import pytest
from rows import closed_row, write_image, write_rows

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.data.mixture import by_source
from radrl.data.stream import PromptStream
from radrl.errors import ConfigError


@pytest.fixture
def sources(tmp_path):
    """A folder of two files with 12 rows and a file with 3; the folder's files lie in folders of their own."""
    write_image(tmp_path)
    for name, number in (("big/one/train.jsonl", 7), ("big/two/train.jsonl", 5), ("small.jsonl", 3)):
        rows = [closed_row(id=f"{name}-{n}", images=[str(tmp_path / "a.png")]) for n in range(number)]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_rows((tmp_path / name).parent, rows, (tmp_path / name).name)
    return (f"{tmp_path / 'big'}@train", str(tmp_path / "small.jsonl"))


def stream(sources, *weights, seed=1):
    samples = load_samples(sources, DataConfig())
    return PromptStream(
        samples, seed=seed, shuffle=True, quotas=by_source(sources, weights, sample_of=lambda sample: sample)
    )


def drawn(stream, num):
    return Counter(sample.source for sample in stream.take(num))


def test_every_sample_knows_the_source_it_came_with_whatever_file_held_it(sources):
    samples = load_samples(sources, DataConfig())
    assert Counter(sample.source for sample in samples) == {sources[0]: 12, sources[1]: 3}


def test_row_7_a_weight_is_the_share_of_what_is_drawn_whatever_the_size(sources):
    mixed = stream(sources, 1, 3)
    for _ in range(5):
        assert drawn(mixed, 16) == {sources[0]: 4, sources[1]: 12}


def test_without_weights_an_epoch_is_every_row_once(sources):
    assert drawn(stream(sources), 15) == {sources[0]: 12, sources[1]: 3}


def test_row_7_the_order_of_a_mixture_follows_from_its_seed(sources):
    def first(seed):
        return [sample.id for sample in stream(sources, 0.5, 0.5, seed=seed).take(12)]

    assert first(1) == first(1) != first(2)


def test_a_small_source_comes_round_before_a_large_one_is_through(sources):
    taken = [sample.id for sample in stream(sources, 1, 1).take(12) if sample.source == sources[1]]
    assert sorted(Counter(taken).values()) == [2, 2, 2]


@pytest.mark.parametrize("named", [("a",), ("a", "a"), ("a", "b", "c")])
def test_weights_are_one_a_source_and_a_source_stands_once(named):
    with pytest.raises(ConfigError, match="Name each source once and give each one weight"):
        by_source(named, (1.0, 2.0), sample_of=lambda sample: sample)
