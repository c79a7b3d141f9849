"""Images are named by content, refused when broken, and decoded to 8-bit RGB."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from radrl.data.images import image_ref, open_image
from radrl.errors import DataError


def save(path, values):
    Image.fromarray(values).save(path)
    return path


def test_a_reference_is_the_absolute_path_and_the_hash_of_the_bytes(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", np.full((4, 5), 7, np.uint8))
    monkeypatch.chdir(tmp_path)
    ref = image_ref(path.relative_to(tmp_path))
    assert ref.path == str(path)
    assert ref.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_copies_share_their_hash_and_other_pictures_do_not(tmp_path):
    values = np.arange(20, dtype=np.uint8).reshape(4, 5)
    one, copy, other = (save(tmp_path / f"{i}.png", values + (i == 2)) for i in range(3))
    assert image_ref(one).sha256 == image_ref(copy).sha256 != image_ref(other).sha256


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        image_ref(tmp_path / "gone.png")


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        image_ref(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"], ids=["empty", "text", "header"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png is not an image"):
        image_ref(tmp_path / "bad.png")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_png_is_refused_before_training(tmp_path, kept):
    path = save(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=r"cut\.png is not an image"):
        image_ref(path)


def test_a_truncated_jpeg_is_refused_when_it_is_decoded(tmp_path):
    path = save(tmp_path / "cut.jpg", np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8))
    ref = image_ref(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"cut\.jpg is not an image"):
        open_image(ref)


def test_an_image_that_vanished_since_is_named(tmp_path):
    ref = image_ref(save(tmp_path / "a.png", np.zeros((4, 4), np.uint8)))
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png is gone"):
        open_image(ref)


def test_eight_bit_grey_keeps_its_values(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = open_image(image_ref(save(tmp_path / "a.png", values)))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image)[:, :, 1], values)


@pytest.mark.parametrize("low, high", [(0, 65535), (100, 4195)])
def test_sixteen_bit_grey_is_stretched_from_darkest_to_brightest(tmp_path, low, high):
    values = np.array([[low, (low + high) // 2, high]], np.uint16)
    image = open_image(image_ref(save(tmp_path / "a.png", values)))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 127, 255]


def test_a_flat_deep_image_is_black_and_not_an_error(tmp_path):
    image = open_image(image_ref(save(tmp_path / "a.png", np.full((3, 3), 700, np.uint16))))
    assert np.asarray(image).max() == 0
