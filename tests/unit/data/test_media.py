"""Spec row 4: an image may be a path, bytes, base64, a Pillow image or DICOM; what is no file yet becomes one, once."""

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from dicom_files import film, save
from PIL import Image
from rows import closed_row, write_image, write_rows

from radrl.config.data import DataConfig
from radrl.data.images import image_ref, image_size, open_image
from radrl.data.load import load_samples, samples_of
from radrl.data.media import image_of, stored
from radrl.data.rows import Row
from radrl.errors import DataError

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def saved(image=None, form="PNG"):
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, form)
    return file.getvalue()


def files_of(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


PNG = saved()
FORMS = {
    "bytes": PNG,
    "bytes that can change": bytearray(PNG),
    "base64": base64.b64encode(PNG).decode(),
    "base64 in lines": base64.encodebytes(PNG).decode(),
    "data URI": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
    "Pillow image": Image.fromarray(PIXELS),
    "HF datasets": {"bytes": PNG, "path": "somewhere/a.png"},
    "base64 in an object": {"bytes": base64.b64encode(PNG).decode(), "path": None},
}


@pytest.mark.parametrize("form", FORMS)
def test_row_4_every_form_of_a_picture_opens_as_the_same_rgb_pixels(cache, tmp_path, form):
    image = open_image(image_of(FORMS[form], folder=tmp_path))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.repeat(PIXELS[:, :, None], 3, axis=2))


def test_row_4_a_path_is_named_where_it_lies_and_never_copied(cache, tmp_path):
    path = write_image(tmp_path, "films/a.png")
    assert image_of("films/a.png", folder=tmp_path) == image_ref(path)
    assert image_of({"bytes": None, "path": str(path)}, folder=Path("/elsewhere")) == image_ref(path)
    assert files_of(cache) == []


def test_content_is_written_once_under_its_hash(cache, tmp_path):
    refs = {image_of(FORMS[form], folder=tmp_path) for form in FORMS if form != "Pillow image"}
    digest = hashlib.sha256(PNG).hexdigest()
    (file,) = files_of(cache)
    assert file == cache / "images-1" / digest[:2] / f"{digest}.png"
    assert {(ref.path, ref.sha256) for ref in refs} == {(str(file), digest)}
    before = file.stat().st_mtime_ns
    stored(PNG)
    assert file.stat().st_mtime_ns == before


def test_a_cached_file_that_was_cut_off_is_written_again(cache):
    path = Path(stored(PNG).path)
    path.write_bytes(PNG[:20])
    assert stored(PNG).path == str(path)
    assert path.read_bytes() == PNG


@pytest.mark.parametrize("form", ["JPEG", "GIF", "TIFF", "WEBP"])
def test_base64_of_other_formats_is_told_from_a_name(cache, tmp_path, form):
    content = saved(form=form)
    ref = image_of(base64.b64encode(content).decode(), folder=tmp_path)
    assert ref.sha256 == hashlib.sha256(content).hexdigest()


def test_a_long_or_absolute_name_with_a_dot_is_a_name(cache, tmp_path):
    with pytest.raises(DataError, match=r"iVBORw0KGgo\.png does not exist"):
        image_of("iVBORw0KGgo.png", folder=tmp_path)
    with pytest.raises(DataError, match=r"/9j/film\.jpg does not exist"):
        image_of("/9j/film.jpg", folder=tmp_path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_pillow_images_of_every_mode_come_as_their_rgb_pixels(cache, tmp_path, mode):
    image = Image.fromarray(np.stack([PIXELS, PIXELS + 100, PIXELS[::-1]], axis=2)).convert(mode)
    assert open_image(image_of(image, folder=tmp_path)) == image.convert("RGB")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_pillow_images_keep_their_depth_until_they_are_stretched(cache, tmp_path, mode):
    """640 is a fifth of the way from 600 to 800."""
    values = np.array([[600, 640, 800]], np.float32 if mode == "F" else np.uint16 if mode == "I;16" else np.int32)
    image = open_image(image_of(Image.fromarray(values), folder=tmp_path))
    assert Image.fromarray(values).mode == mode
    assert np.asarray(image)[0, :, 0].tolist() == [0, 51, 255]


def test_a_pillow_image_that_lies_on_its_side_comes_upright(cache, tmp_path):
    """Orientation 6: the camera was turned to the right, so the first row of pixels is the right edge."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", exif=exif)
    image = open_image(image_of(Image.open(file), folder=tmp_path))
    assert np.array_equal(np.asarray(image)[:, :, 0], np.rot90(PIXELS, -1))


def test_a_disk_that_refuses_names_the_folder_and_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be kept as .*Set RADRL_CACHE"):
        stored(PNG)


def test_bytes_that_are_no_image_are_refused_and_not_kept(cache):
    with pytest.raises(DataError, match="an image of 5 bytes in the row is not an image"):
        stored(b"hello")
    assert files_of(cache) == []


@pytest.mark.parametrize("value", [3, None, {"url": "http://x"}, {"path": None, "bytes": None}, 1.5])
def test_what_is_no_form_of_an_image_is_none(value, tmp_path):
    assert image_of(value, folder=tmp_path) is None


def test_row_4_a_dicom_film_is_read_by_its_preset_and_named_by_content_and_preset(cache, tmp_path):
    """`minmax` of the values 0, 1000, 2000 and 3000 is 0, 85, 170 and 255."""
    path = save(film(np.array([[0, 1000], [2000, 3000]], np.uint16)), tmp_path / "film")
    ref = image_of("film", folder=tmp_path, preset="minmax")
    assert (ref.path, ref.preset, image_size(ref)) == (str(path), "minmax", (2, 2))
    assert np.asarray(open_image(ref))[:, :, 1].tolist() == [[0, 85], [170, 255]]
    assert ref.sha256 != image_of("film", folder=tmp_path, preset="voi").sha256
    from_bytes = image_of(path.read_bytes(), folder=tmp_path, preset="minmax")
    assert from_bytes.path.endswith(".dcm")
    assert from_bytes.sha256 == ref.sha256
    from_text = image_of(base64.b64encode(path.read_bytes()).decode(), folder=tmp_path, preset="minmax")
    assert from_text == from_bytes


def test_row_4_rows_with_images_of_every_form_load_together_and_one_row_may_mix_them(cache, tmp_path):
    write_image(tmp_path, "a.png")
    rows = [
        closed_row(images=["a.png", FORMS["base64"]], prompt="Compare."),
        closed_row(images="a.png"),
        closed_row(images=FORMS["data URI"]),
        closed_row(images=None, prompt="What does opacity mean?"),
    ]
    samples = load_samples([write_rows(tmp_path, rows)], DataConfig())
    assert [len(sample.images) for sample in samples] == [2, 1, 1, 0]
    assert samples[0].question == "<image><image>Compare."
    assert samples[0].images[1] == samples[2].images[0]


def test_row_4_rows_at_hand_may_hold_pillow_images_and_columns_leave_pixels_out(cache):
    fields = closed_row(images=[Image.fromarray(PIXELS)], thumbnail=FORMS["HF datasets"], raw=b"x", view="PA")
    (sample,) = samples_of([("memory", Row(fields=fields, file=Path("memory"), line=1))], DataConfig())
    assert np.array_equal(np.asarray(open_image(sample.images[0]))[:, :, 0], PIXELS)
    assert json.loads(json.dumps(sample.columns)) == {"view": "PA"}


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("data:image/png;base64,iVBOR", ["base64 that cannot be decoded", "Write the image again"]),
        ("data:image/png;base64,aGVsbG8=", ["an image of 5 bytes in the row is not an image"]),
        ({"url": "x"}, ["not a path, bytes, base64"]),
    ],
)
def test_a_bad_image_names_file_line_and_field(cache, tmp_path, image, parts):
    with pytest.raises(DataError) as caught:
        load_samples([write_rows(tmp_path, [closed_row(images=[image])])], DataConfig())
    assert str(caught.value).startswith(f"{tmp_path / 'rows.jsonl'}:1: field 'images'")
    assert all(part in str(caught.value) for part in parts)
