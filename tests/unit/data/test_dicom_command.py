"""`radrl dicom` prints what was done with a film and writes it."""

import numpy as np
import pytest
from dicom_files import SECRETS, film, save
from PIL import Image
from typer.testing import CliRunner

from radrl.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["dicom", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture
def path(tmp_path):
    stored = np.arange(6, dtype=np.uint16).reshape(2, 3)
    tags = {"PatientOrientation": ["R", "F"], "ViewPosition": "PA", "PatientSex": "F", "BurnedInAnnotation": "YES"}
    return save(film(stored, photometric="MONOCHROME1", **tags), tmp_path / "film.dicom")


def test_the_film_is_written_as_it_is_shown_and_every_step_is_said(path, tmp_path):
    result = run(path, "--out", tmp_path / "seen" / "film.png", "--preset", "minmax")
    assert result.exit_code == 0, result.output
    assert np.asarray(Image.open(tmp_path / "seen" / "film.png")).tolist() == [[153, 204, 255], [0, 51, 102]]
    said = " ".join(result.output.split())
    for part in (
        "3 x 2 pixels",
        "PA",
        "minmax",
        "yes, low values are white",
        "mirrored",
        "look: the file says",
        "wrote",
    ):
        assert part in said
    assert not [secret for secret in SECRETS if secret in said]


def test_without_out_nothing_is_written(path, tmp_path):
    assert run(path).exit_code == 0
    assert sorted(tmp_path.iterdir()) == [path]


def test_what_is_no_film_ends_in_one_sentence_and_code_2(tmp_path):
    (tmp_path / "film.dcm").write_bytes(b"no film")
    result = run(tmp_path / "film.dcm")
    assert result.exit_code == 2
    assert "film.dcm is no DICOM file" in " ".join(result.output.split())


@pytest.mark.parametrize("wrong", [("--preset", "lung"), ("--out", "film.jpg")])
def test_a_wrong_option_is_refused_before_the_film_is_read(tmp_path, wrong):
    result = run(tmp_path / "gone", *wrong)
    assert result.exit_code == 2
    assert wrong[1] in result.output
