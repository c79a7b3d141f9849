"""What DICOM headers tell: encodings, view, orientation, spacing, and nothing of whose film it is."""

import dataclasses
import logging
import sys

import numpy as np
import pytest
from dicom_files import SECRETS, film, save
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from radrl.data.dicom import Turn, dicom_size, is_dicom, read_dicom
from radrl.errors import DataError
from radrl.types import Box

NUMBERED = np.arange(6, dtype=np.uint16).reshape(2, 3)
"""0 1 2 above 3 4 5, which minmax shows as steps of 51."""


def read(tmp_path, dataset, preset="minmax"):
    return read_dicom(save(dataset, tmp_path / "film"), preset)


@pytest.mark.parametrize("name", ["film.dcm", "film.dicom", "film", "film.png"])
def test_a_film_is_known_by_its_content_whatever_it_is_called(tmp_path, name):
    path = save(film(NUMBERED), tmp_path / name)
    assert is_dicom(path)
    assert is_dicom(path.read_bytes())
    assert read_dicom(path).pixels.shape == (2, 3)


@pytest.mark.parametrize("content", [b"", b"DICM", b"\0" * 200, b"\0" * 127 + b"DICM"])
def test_other_files_are_not_taken_for_films(tmp_path, content):
    (tmp_path / "film.dcm").write_bytes(content)
    assert not is_dicom(tmp_path / "film.dcm")
    with pytest.raises(DataError, match=r"film\.dcm is no DICOM file"):
        read_dicom(tmp_path / "film.dcm")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["implicit", "big-endian"])
def test_bytes_in_another_order_give_the_same_film(tmp_path, syntax):
    stored = np.array([[1, 256, 513, 4000]], np.uint16)
    other = read(tmp_path, film(stored, bits=12, syntax=syntax), "voi")
    assert other.pixels.tolist() == read(tmp_path, film(stored, bits=12), "voi").pixels.tolist()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless], ids=["JPEG 2000", "RLE"])
def test_lossless_compression_changes_no_pixel(tmp_path, syntax, signed):
    values = np.random.default_rng(0).integers(-1000 if signed else 0, 2000, (64, 70))
    dataset = film(values.astype(np.int16 if signed else np.uint16), bits=12, signed=signed)
    plain = read(tmp_path, dataset).pixels
    dataset.compress(syntax)
    assert np.array_equal(read(tmp_path, dataset).pixels, plain)


def test_lossy_jpeg_2000_is_near(tmp_path):
    row = np.linspace(0, 4000, 64).astype(np.uint16)
    dataset = film(np.tile(row, (64, 1)), bits=12)
    plain = read(tmp_path, dataset).pixels.astype(int)
    dataset.compress(JPEG2000, j2k_cr=[4])
    assert np.abs(read(tmp_path, dataset).pixels - plain).max() <= 4


def test_of_several_frames_the_first_is_taken_and_said(tmp_path):
    frames = np.stack([NUMBERED, NUMBERED[::-1]])
    shown = read(tmp_path, film(frames, NumberOfFrames=2))
    assert shown.pixels.tolist() == [[0, 51, 102], [153, 204, 255]]
    assert "2 frames, of which the first is taken" in shown.warnings


def test_text_burned_into_a_film_and_a_missing_modality_are_said(tmp_path):
    warnings = read(tmp_path, film(NUMBERED, BurnedInAnnotation="YES", Modality=None)).warnings
    assert len(warnings) == 2
    assert "burned into" in warnings[0]
    assert "no modality" in warnings[1]


def view_code(meaning):
    item = Dataset()
    item.CodeMeaning = meaning
    return {"ViewCodeSequence": [item]}


@pytest.mark.parametrize(
    ("tags", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "AP", "SeriesDescription": "CHEST PA"}, "AP"),
        ({"ViewPosition": "LL"}, "LATERAL"),
        ({"ViewPosition": "RL"}, "LATERAL"),
        ({"ViewPosition": "LATERAL"}, "LATERAL"),
        ({"ViewPosition": "", **view_code("postero-anterior")}, "PA"),
        (view_code("antero-posterior"), "AP"),
        (view_code("left lateral"), "LATERAL"),
        ({**view_code("chest"), "SeriesDescription": "W033 Thorax AP"}, "AP"),
        ({"ViewPosition": "", "ProtocolName": "CHEST_PA"}, "PA"),
        ({"SeriesDescription": "Chest PA & Lateral"}, None),
        ({"SeriesDescription": "left lateral decubitus"}, None),
        ({"SeriesDescription": "PANORAMA OF APEX"}, None),
        ({}, None),
    ],
)
def test_the_view_is_the_position_else_the_code_else_the_one_that_a_description_names(tmp_path, tags, view):
    assert read(tmp_path, film(NUMBERED, **tags)).view == view


@pytest.mark.parametrize(
    ("orientation", "turn", "shown"),
    [
        (["L", "F"], Turn(), [[0, 51, 102], [153, 204, 255]]),
        (["R", "F"], Turn(is_mirrored=True), [[102, 51, 0], [255, 204, 153]]),
        (["L", "H"], Turn(is_flipped=True), [[153, 204, 255], [0, 51, 102]]),
        (["R", "H"], Turn(is_mirrored=True, is_flipped=True), [[255, 204, 153], [102, 51, 0]]),
        (["F", "L"], Turn(is_transposed=True), [[0, 153], [51, 204], [102, 255]]),
        # A row leads to the head and a column to the right: the last column is the first row.
        (["H", "R"], Turn(is_transposed=True, is_mirrored=True, is_flipped=True), [[255, 102], [204, 51], [153, 0]]),
        (["A", "F"], Turn(), [[0, 51, 102], [153, 204, 255]]),
        (["P", "F"], Turn(), [[0, 51, 102], [153, 204, 255]]),
        (["LF", "FP"], Turn(), [[0, 51, 102], [153, 204, 255]]),
    ],
)
def test_a_film_is_turned_only_where_its_orientation_says_otherwise(tmp_path, orientation, turn, shown):
    found = read(tmp_path, film(NUMBERED, PatientOrientation=orientation))
    assert (found.turn, found.pixels.tolist()) == (turn, shown)
    assert any("turned" in note for note in found.notes) == bool(turn)


def test_an_orientation_that_cannot_be_read_leaves_the_film_and_is_said(tmp_path):
    found = read(tmp_path, film(NUMBERED, PatientOrientation=["X", "Y"]))
    assert found.turn == Turn()
    assert found.warnings == ("PatientOrientation cannot be read: the film is left as it is stored",)


@pytest.mark.parametrize("orientation", [["L", "F"], ["R", "F"], ["F", "L"], ["H", "R"], ["R", "H"], ["H", "L"]])
def test_a_box_drawn_on_the_stored_film_stays_on_what_it_encloses(tmp_path, orientation):
    stored = np.zeros((20, 30), np.uint16)
    stored[2:6, 15:24] = 9
    found = read(tmp_path, film(stored, PatientOrientation=orientation))
    box = found.turn.box(Box(label="nodule", x0=15 / 30, y0=2 / 20, x1=24 / 30, y1=6 / 20))
    rows, columns = np.nonzero(found.pixels)
    height, width = found.pixels.shape
    edges = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(edges)


@pytest.mark.parametrize("orientation", [["L", "F"], ["F", "L"]])
def test_the_size_is_that_of_the_film_upright(tmp_path, orientation):
    path = save(film(NUMBERED, PatientOrientation=orientation), tmp_path / "film")
    assert dicom_size(path) == read_dicom(path).image.size


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.25}, (0.16, 0.08)),
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"PixelSpacing": [0.18, 0.09], "ImagerPixelSpacing": [0.2, 0.1]}, (0.18, 0.09)),
        # The same as at the detector is not in the patient, unless it was calibrated.
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, None),
        (
            {
                "PixelSpacing": [0.2, 0.1],
                "ImagerPixelSpacing": [0.2, 0.1],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            (0.2, 0.1),
        ),
        ({"PixelSpacing": [0, 0.1]}, None),
        ({"PixelSpacing": [0.2, 0.1], "PatientOrientation": ["F", "L"]}, (0.1, 0.2)),
    ],
)
def test_millimetres_are_those_in_the_patient_or_none(tmp_path, tags, spacing):
    found = read(tmp_path, film(NUMBERED, **tags)).spacing
    assert spacing is None if found is None else (found.row_mm, found.column_mm) == pytest.approx(spacing)


def test_only_listed_tags_are_kept_and_nothing_says_whose_film_it_is(tmp_path, caplog):
    tags = {
        "PatientSex": "F",
        "PatientAge": "045Y",
        "SeriesDescription": "Chest PA for Doe^Jane",
        "ProtocolName": "General Hospital PA",
        "WindowCenter": [2000, 10],
        "WindowWidth": [1000, 20],
    }
    with caplog.at_level(logging.DEBUG):
        found = read(tmp_path, film(NUMBERED, bits=12, **tags), "voi")
    assert found.view == "PA"
    assert found.meta == {
        "Modality": "DX",
        "PatientSex": "F",
        "PatientAge": "045Y",
        "Rows": 2,
        "Columns": 3,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "MONOCHROME2",
        "WindowCenter": "2000.0\\10.0",
        "WindowWidth": "1000.0\\20.0",
    }
    said = repr({name: getattr(found, name) for name in [field.name for field in dataclasses.fields(found)]})
    assert not [secret for secret in SECRETS if secret in said + caplog.text]


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"PatientAge": "089Y"}, {"PatientAge": "089Y"}),
        ({"PatientAge": "090Y"}, {"PatientAge": "090Y"}),
        ({"PatientAge": "103Y"}, {"PatientAge": "090Y"}),
        ({"PatientAge": "103D"}, {"PatientAge": "103D"}),
        ({"PatientAge": "Jane"}, {}),
        ({"PatientSex": "Doe"}, {}),
        ({"BodyPartExamined": "Doe^Jane"}, {}),
        ({"BodyPartExamined": "CHEST"}, {"BodyPartExamined": "CHEST"}),
    ],
)
def test_what_stands_in_a_listed_tag_is_kept_only_in_the_form_it_should_have(tmp_path, tags, kept):
    meta = read(tmp_path, film(NUMBERED, **tags)).meta
    assert {name: value for name, value in meta.items() if name in tags} == kept


def test_the_preset_is_recorded_with_what_it_did(tmp_path):
    found = read(tmp_path, film(NUMBERED, photometric="MONOCHROME1"), "mimic_jpg")
    assert (found.preset, found.is_inverted) == ("mimic_jpg", True)
    assert found.window == "raw values from the lowest to the highest, equalised"


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    path = save(film(NUMBERED), tmp_path / "film")
    monkeypatch.setattr("radrl.data.dicom.find_spec", lambda name: None if name == "pydicom" else sys)
    with pytest.raises(DataError, match=r"pip install 'radrl\[dicom\]'"):
        read_dicom(path)
