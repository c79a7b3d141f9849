"""Films that training and held-out data share are found by what they show, and reported by row."""

import io
import logging

import numpy as np
import pytest
from PIL import Image, ImageOps

from radrl.data import duplicates
from radrl.data.duplicates import MAX_DISTANCE, HashIndex, check_apart, near_duplicates, perceptual_hash
from radrl.data.images import image_ref
from radrl.errors import DataError
from radrl.types import AnswerKind, Sample


def film(seed, size=(96, 80)):
    """Smooth noise: bright and dark places of a film's coarseness."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 7), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def as_jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(io.BytesIO(file.getvalue()))


def distance(one, other):
    return int(np.unpackbits(perceptual_hash(one) ^ perceptual_hash(other)).sum())


def sample(name, *refs, origin):
    return Sample(
        id=name, patient_id=name, kind="open", question="?", images=refs, answer=frozenset(), reference="",
        answer_kind=AnswerKind.SET, origin=origin,
    )  # fmt: skip


@pytest.fixture
def refs(tmp_path):
    """Three films, the first once more as a smaller JPEG, and the second once more byte by byte."""
    for number in range(3):
        film(number).save(tmp_path / f"{number}.png")
    as_jpeg(film(0).resize((48, 40))).save(tmp_path / "smaller.jpg")
    (tmp_path / "copy.png").write_bytes((tmp_path / "1.png").read_bytes())
    return {path.name: image_ref(path) for path in tmp_path.iterdir()}


def test_the_hash_says_where_it_gets_brighter_to_the_right_and_downwards():
    """On a wedge that brightens to the right all bits across are set and none down; its mirror image has none."""
    wedge = Image.fromarray(np.tile(np.arange(0, 170, dtype=np.uint8), (170, 1)))
    assert perceptual_hash(wedge).tolist() == [255] * 32 + [0] * 32
    assert perceptual_hash(wedge.rotate(-90)).tolist() == [0] * 32 + [255] * 32
    assert perceptual_hash(ImageOps.mirror(wedge)).tolist() == [0] * 64


@pytest.mark.parametrize(
    "change",
    [as_jpeg, lambda image: image.resize((60, 50)), lambda image: image.point(lambda v: int(255 * (v / 255) ** 0.7))],
    ids=["JPEG", "smaller", "gamma"],
)
def test_a_film_that_was_saved_anew_is_near_and_another_is_far(change):
    for seed in range(10):
        assert distance(film(seed), change(film(seed))) <= MAX_DISTANCE < distance(film(seed), film(seed + 1))


def test_pairs_are_found_across_the_two_sets_only_the_closest_first(refs, tmp_path):
    train = [refs["0.png"], refs["1.png"], refs["2.png"]]
    pairs = near_duplicates(train, [refs["smaller.jpg"], refs["copy.png"]], index=HashIndex(tmp_path / "cache"))
    assert [(pair.train.sha256, pair.held_out.sha256) for pair in pairs] == [
        (refs["1.png"].sha256, refs["copy.png"].sha256),
        (refs["0.png"].sha256, refs["smaller.jpg"].sha256),
    ]
    assert pairs[0].distance == 0 < pairs[1].distance <= MAX_DISTANCE
    assert near_duplicates(train, [], index=HashIndex(tmp_path / "cache")) == []


def test_comparing_in_blocks_finds_what_comparing_all_at_once_does(refs, tmp_path, monkeypatch):
    index = HashIndex(tmp_path / "cache")
    everything = near_duplicates(refs.values(), refs.values(), index=index)
    monkeypatch.setattr(duplicates, "_BLOCK", 2)
    assert near_duplicates(refs.values(), refs.values(), index=index) == everything


def test_a_film_is_decoded_once_and_a_damaged_line_is_passed_over(refs, tmp_path, monkeypatch):
    index = HashIndex(tmp_path / "cache")
    hashes = index.hashes(refs.values())
    index.kept.file.write_bytes(index.kept.file.read_bytes()[:-30])
    decoded = []
    original = duplicates.open_image
    monkeypatch.setattr(duplicates, "open_image", lambda ref, **kw: decoded.append(ref) or original(ref, **kw))
    again = HashIndex(tmp_path / "cache").hashes(refs.values())
    assert len(decoded) == 1
    assert {key: bits.tolist() for key, bits in again.items()} == {key: bits.tolist() for key, bits in hashes.items()}
    HashIndex(tmp_path / "cache").hashes(refs.values())
    assert len(decoded) == 1


def test_a_warning_names_the_rows_of_each_pair(refs, tmp_path, caplog):
    train = [sample("a", refs["0.png"], origin="train.jsonl:1"), sample("b", refs["2.png"], origin="train.jsonl:2")]
    held_out = [sample("c", refs["smaller.jpg"], origin="val.jsonl:7"), sample("d", origin="val.jsonl:8")]
    with caplog.at_level(logging.WARNING):
        (pair,) = check_apart(train, held_out, mode="warn", index=HashIndex(tmp_path / "cache"))
    assert f"train.jsonl:1 and val.jsonl:7 ({pair.distance})" in caplog.text
    assert "data.near_duplicates=off" in caplog.text
    with pytest.raises(DataError, match=r"1 pairs of a training and a validation image"):
        check_apart(train, held_out, mode="error", index=HashIndex(tmp_path / "cache"))


def test_nothing_is_decoded_when_it_is_off_or_there_is_nothing_to_compare(refs, tmp_path):
    index = HashIndex(tmp_path / "cache")
    train = [sample("a", refs["0.png"], origin="train.jsonl:1")]
    assert check_apart(train, train, mode="off", index=index) == []
    assert check_apart(train, [], mode="error", index=index) == []
    assert not index.kept.file.exists()
