import numpy as np
import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.run_lengths import mask_extent
from radrl.data.adapters.siim import ADAPTER
from radrl.errors import DataError
from radrl.types import Box

HEADER = "ImageId, EncodedPixels\n"
FILM = "1.2.276.0.7230010.3.1.4.8323329.1999.1"


def write(folder, *rows, header=HEADER, name="train-rle.csv"):
    (folder / name).write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


def test_a_blank_before_the_name_of_the_column_is_no_part_of_it(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path, f"{FILM}, -1"), Choices(kinds=("presence",)))
    assert record.answer == ("no",)
    write(tmp_path, f"{FILM},-1", header="ImageId,EncodedPixels\n")
    assert read_all(ADAPTER, tmp_path, Choices(kinds=("presence",)))[0][0].answer == ("no",)


def test_starts_count_from_the_last_end_down_the_columns(tmp_path):
    # Column 256, rows 512 to 767; then 1024 - 256 further on: column 257, rows 512 to 767.
    row = f"{FILM}, {256 * 1024 + 512} 256 768 256"
    records, _ = read_all(ADAPTER, write(tmp_path, row))
    assert [record.answer for record in records if record.kind == "presence"] == [("yes",)]
    (place,) = [record for record in records if record.kind == "grounding"]
    assert place.boxes == (Box(label="pneumothorax", x0=0.25, y0=0.5, x1=258 / 1024, y1=0.75),)


def test_a_film_has_a_row_a_mask_wherever_they_stand(tmp_path):
    rows = [f"{FILM}, 0 1", "1.2.3, -1", f"{FILM}, 1048575 1"]
    (record,), _ = read_all(ADAPTER, write(tmp_path, *rows), Choices(kinds=("grounding",)))
    assert [(box.x0, box.y0, box.x1, box.y1) for box in record.boxes] == [
        (0, 0, 1 / 1024, 1 / 1024),
        (1023 / 1024, 1023 / 1024, 1, 1),
    ]


def test_the_extent_of_a_mask_is_that_of_its_pixels():
    """Against a mask painted pixel by pixel."""
    rng = np.random.default_rng(7)
    for _ in range(50):
        runs = rng.integers(1, 9, size=2 * int(rng.integers(1, 5))).tolist()
        painted = np.zeros(12 * 7, dtype=bool)
        at = 0
        for start, length in zip(runs[::2], runs[1::2], strict=True):
            painted[at + start : at + start + length] = True
            at += start + length
        x, y = np.nonzero(painted.reshape(12, 7))
        assert mask_extent(runs, width=12, height=7) == (x.min(), y.min(), x.max() + 1, y.max() + 1)


def test_films_are_found_in_folders_by_study_and_series(tmp_path):
    film = tmp_path / "dicom-images-train" / "1.2.3" / "1.2.3.4" / f"{FILM}.dcm"
    film.parent.mkdir(parents=True)
    film.touch()
    records, _ = read_all(ADAPTER, write(tmp_path, f"{FILM}, -1", "1.2.9, -1"), Choices(kinds=("presence",)))
    assert [record.images for record in records] == [(film,), (tmp_path / "1.2.9.dcm",)]


@pytest.mark.parametrize("mask", ["", "3", "3 0", "3 -1", "a b", "1048576 1"])
def test_a_mask_that_is_none_is_an_error_with_its_line(tmp_path, mask):
    with pytest.raises(DataError, match=r"train-rle.csv:2: field 'EncodedPixels'"):
        read_all(ADAPTER, write(tmp_path, f"{FILM}, {mask}"))
