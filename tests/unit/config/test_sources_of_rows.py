"""Where rows come from is checked before anything is loaded: files, folders, splits, names on the hub, and weights."""

import pytest

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.sources import SourceName, source_name
from radrl.errors import ConfigError


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """Check a configuration in a folder that holds `rows/test.jsonl`, `a.jsonl` and a model; returns what it says."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "model").mkdir()
    for name in ("rows/test.jsonl", "a.jsonl"):
        (tmp_path / name).write_text('{"a": 1}')
    monkeypatch.chdir(tmp_path)

    def say(*args):
        config = load_config(Config, ["worker.actor.model.model_path=model", *args]).config
        try:
            check(config, paths=True)
        except ConfigError as error:
            return str(error)
        return ""

    return say


@pytest.mark.parametrize(
    ("source", "path", "split"),
    [
        ("a.jsonl", "a.jsonl", None),
        ("rows@test", "rows", "test"),
        ("someone/films@train[:10%]", "someone/films", "train[:10%]"),
        ("someone/films@train+test", "someone/films", "train+test"),
        ("/home/me@work/a.jsonl", "/home/me@work/a.jsonl", None),
        ("/home/me@work/rows@dev", "/home/me@work/rows", "dev"),
        ("rows@", "rows@", None),
        ("@test", "@test", None),
    ],
)
def test_the_split_is_what_stands_behind_the_last_at_sign(source, path, split):
    assert source_name(source) == SourceName(path=path, split=split)


@pytest.mark.parametrize("source", ["a.jsonl", "rows@test", "a.jsonl@train[:1]", "someone/films", "someone/films@test"])
def test_files_folders_and_what_may_be_on_the_hub_pass(checked, source):
    assert checked(f"data.train_files={source}", f"data.val_files={source}") == ""


@pytest.mark.parametrize("source", ["b.jsonl", "b.jsonl@train", "./someone/films", "rows/train.jsonl", "rows/films"])
def test_what_reads_like_a_path_has_to_be_there(checked, source):
    path = source.partition("@")[0]
    for key in ("train_files", "val_files"):
        said = checked("data.train_files=a.jsonl", f"data.{key}={source}")
        assert f"data.{key}" in said
        assert f"{path} does not exist. Correct the path" in said


def test_weights_are_one_a_source_of_a_run_without_stages(checked):
    assert checked("data.train_files=[a.jsonl, rows@test]", "data.train_weights=[3, 1]") == ""
    said = checked("data.train_files=[a.jsonl, rows@test]", "data.train_weights=[3]")
    assert "has 1 shares for 2 sources. Give one for each of data.train_files" in said
    stage = "curriculum.stages=[{name: a, steps: 3}]"
    said = checked("data.train_files=a.jsonl", "data.train_weights=[3]", stage)
    assert "is for a run without stages. Give shares as curriculum.stages.N.data.weights" in said
