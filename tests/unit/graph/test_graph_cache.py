"""Graphs on disk: kept for every process, never wrong, and never worth a crash."""

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from radrl.graph.cache import DiskCache, default_folder
from radrl.graph.extract import extract

_TEXTS = ("Left effusion.", "No edema.", "")
_GRAPHS = {text: extract(text) for text in _TEXTS}


def _put(cache: DiskCache, **key: str) -> None:
    cache.put(_GRAPHS, **{"name": "rexkg", "version": "1", **key})


def _get(cache: DiskCache, **key: str) -> dict[str, object]:
    return {**cache.get(_TEXTS, **{"name": "rexkg", "version": "1", **key})}


def _file(cache: DiskCache) -> Path:
    return cache.folder / "graphs.sqlite"


def test_what_was_put_is_there_for_a_new_cache_object(tmp_path: Path):
    _put(DiskCache(tmp_path))
    assert _get(DiskCache(tmp_path)) == _GRAPHS


@pytest.mark.parametrize("other", [{"name": "radgraph"}, {"version": "2"}])
def test_another_back_end_or_version_finds_nothing(tmp_path: Path, other: dict[str, str]):
    cache = DiskCache(tmp_path)
    _put(cache)
    assert _get(cache, **other) == {}


def test_texts_with_lone_surrogates_can_be_kept(tmp_path: Path):
    cache, text = DiskCache(tmp_path), "effusion \ud83d"
    cache.put({text: extract(text)}, name="rexkg", version="1")
    assert cache.get([text], name="rexkg", version="1") == {text: extract(text)}


def test_the_folder_is_for_its_owner_only(tmp_path: Path):
    cache = DiskCache(tmp_path / "cache")
    _put(cache)
    assert cache.folder.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_moved_aside_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = DiskCache(tmp_path)
    cache.folder.mkdir()
    _file(cache).write_bytes(b"not a database, whatever its name says" * 100)
    assert _get(cache) == {}
    _put(cache)
    assert _get(cache) == _GRAPHS
    assert (tmp_path / "graphs-1.damaged-1" / "graphs.sqlite").read_bytes().startswith(b"not a database")
    assert len(caplog.records) == 1
    assert "moved to" in caplog.text


def test_a_database_with_broken_pages_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = DiskCache(tmp_path)
    cache.put({str(i): extract("Left effusion.") for i in range(200)}, name="rexkg", version="1")
    size = _file(cache).stat().st_size
    with _file(cache).open("r+b") as file:
        file.seek(4096)
        file.write(b"\x55" * (size - 4096))
    assert cache.get([str(i) for i in range(200)], name="rexkg", version="1") == {}
    assert (tmp_path / "graphs-1.damaged-1").is_dir()
    _put(cache)
    assert _get(cache) == _GRAPHS


def test_an_entry_that_was_altered_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = DiskCache(tmp_path)
    _put(cache)
    with sqlite3.connect(_file(cache)) as connection:
        connection.execute("UPDATE graphs SET graph = replace(graph, 'present', 'absent')")
    connection.close()
    assert _get(cache) == {text: graph for text, graph in _GRAPHS.items() if "present" not in str(graph.to_json())}
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("obstacle", ["file", "read-only database"])
def test_a_cache_that_cannot_be_written_is_worth_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, obstacle: str
):
    cache = DiskCache(tmp_path / "cache")
    if obstacle == "file":
        (tmp_path / "cache").write_text("in the way")
    else:
        cache.folder.mkdir(parents=True)
        (cache.folder / "graphs.sqlite").mkdir()
    _put(cache)
    assert _get(cache) == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "RADRL_CACHE" in caplog.text


_WRITER = """
import sys
from pathlib import Path
from radrl.graph.cache import DiskCache
from radrl.graph.extract import extract

first, folder = int(sys.argv[1]), Path(sys.argv[2])
cache = DiskCache(folder)
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
for number in range(first, first + 60):
    cache.put({f"text {n}": extract("Left effusion.") for n in (number, number + 1)}, name="rexkg", version="1")
    assert cache.get([f"text {number}"], name="rexkg", version="1")
"""


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(first), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 30)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert errors == ["", ""]
    texts = [f"text {number}" for number in range(91)]
    assert list(DiskCache(tmp_path).get(texts, name="rexkg", version="1")) == texts


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RADRL_CACHE", raising=False)
    assert default_folder() == tmp_path / "radrl"
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
