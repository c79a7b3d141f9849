import os
from pathlib import Path

import pytest

from radrl.durable import flush, rename, write_atomically


@pytest.fixture
def synced(monkeypatch):
    """What fsync was called for, by path, in order."""
    paths, fsync = [], os.fsync

    def record(descriptor):
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return paths


def test_every_file_and_every_folder_is_brought_onto_the_disk(tmp_path, synced):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "weights").write_bytes(b"1")
    (tmp_path / "top").write_bytes(b"2")

    flush(tmp_path)

    wanted = {tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "weights", tmp_path / "top"}
    assert sorted(synced) == sorted(map(str, wanted))
    assert synced[-1] == str(tmp_path)


def test_a_new_name_is_brought_onto_the_disk_too(tmp_path, synced):
    (tmp_path / "old").mkdir()
    rename(tmp_path / "old", tmp_path / "new")
    assert synced == [str(tmp_path)]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_reader_sees_the_old_text_until_the_new_one_is_whole(tmp_path, monkeypatch):
    file = tmp_path / "tracker.json"
    write_atomically(file, "old")

    def refuse(descriptor):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
