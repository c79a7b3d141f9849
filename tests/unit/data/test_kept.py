"""What was found out about a film is not found out again, unless the film is another."""

import logging
import time

import numpy as np
import pytest
from dicom_files import film, save
from rows import write_image

from radrl.data import kept
from radrl.data.images import image_ref
from radrl.data.kept import FilmNames, KeptLines
from radrl.errors import DataError


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read."""
    names = []
    monkeypatch.setattr(kept, "image_ref", lambda path, **kw: names.append(path.name) or image_ref(path, **kw))
    return names


@pytest.fixture
def minutes_later(monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 120 * 10**9)


def test_a_film_is_read_once_whatever_names_it_afterwards(tmp_path, read, minutes_later):
    path = write_image(tmp_path)
    first = FilmNames(tmp_path / "cache")
    assert first.ref(path) == first.ref(path) == image_ref(path)
    first.save()
    assert FilmNames(tmp_path / "cache").ref(path) == image_ref(path)
    assert read == ["a.png"]
    assert "a.png" not in (tmp_path / "cache" / "film-names-1" / "names.txt").read_text()


def test_a_film_that_changed_is_read_again(tmp_path, read, minutes_later):
    path = write_image(tmp_path, shade=1)
    names = FilmNames(tmp_path / "cache")
    before = names.ref(path)
    path.unlink()
    write_image(tmp_path, shade=200)
    assert names.ref(path) == image_ref(path) != before
    assert len(read) == 2


def test_a_film_that_changed_just_now_is_not_kept(tmp_path, read):
    path = write_image(tmp_path)
    names = FilmNames(tmp_path / "cache")
    assert names.ref(path) == names.ref(path)
    names.save()
    assert len(read) == 2
    assert not (tmp_path / "cache").exists()


def test_a_dicom_film_is_read_once_for_each_preset(tmp_path, read, minutes_later):
    path = save(film(np.array([[0, 100], [200, 255]], np.uint8)), tmp_path / "film")
    names = FilmNames(tmp_path / "cache")
    for _ in range(2):
        assert names.ref(path, preset="voi") == image_ref(path, preset="voi")
        assert names.ref(path, preset="minmax") == image_ref(path, preset="minmax")
    assert len(read) == 2


def test_a_missing_or_broken_film_is_refused_every_time(tmp_path, minutes_later):
    (tmp_path / "bad.png").write_bytes(b"no")
    names = FilmNames(tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(DataError, match=r"gone\.png does not exist"):
            names.ref(tmp_path / "gone.png")
        with pytest.raises(DataError, match=r"bad\.png is not an image"):
            names.ref(tmp_path / "bad.png")


def test_lines_that_are_damaged_are_passed_over_and_later_ones_stand(tmp_path):
    lines = KeptLines(tmp_path / "deep" / "facts.txt", key_digits=2, fact_digits=3)
    assert lines.read() == {}
    lines.add({"0a": "abc", "0b": "def"})
    lines.file.write_bytes(lines.file.read_bytes()[:-2] + b"\xff")
    lines.add({"0c": "123"})
    lines.add({})
    assert lines.read() == {"0a": "abc", "0c": "123"}


def test_a_disk_that_refuses_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        KeptLines(tmp_path / "file" / "facts.txt", key_digits=2, fact_digits=3).add({"0a": "abc"})
    assert "cannot be written" in caplog.text
