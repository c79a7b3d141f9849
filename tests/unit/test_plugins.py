import sys

import pytest

from radrl.errors import PluginError
from radrl.plugins import is_reference, locate, resolve


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_file_is_found_from_the_working_directory_and_run_once(folder):
    (folder / "mine.py").write_text("def score(text):\n    return len(text)\n\nclass Box:\n    side = 3\n")
    assert resolve("mine.py:score")("four") == 4
    assert resolve("mine.py:Box.side") == 3
    assert resolve(f"{folder}/mine.py:score") is resolve("mine.py:score")


def test_a_file_may_import_its_neighbours(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "beside_it.py").write_text("LIMIT = 7\n")
    (folder / "sub" / "mine.py").write_text("from beside_it import LIMIT\n\ndef limit():\n    return LIMIT\n")
    assert resolve("sub/mine.py:limit")() == 7


def test_a_module_is_found_by_its_name_also_in_the_working_directory(folder):
    assert resolve("json:dumps")([1]) == "[1]"
    (folder / "local_rewards.py").write_text("def one():\n    return 1\n")
    assert resolve("local_rewards:one")() == 1


def test_two_files_of_one_name_are_two_plugins(folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "same.py").write_text(f"NAME = {name!r}\n")
    assert [resolve(f"{name}/same.py:NAME") for name in "ab"] == ["a", "b"]


def test_a_missing_file_is_answered_with_the_nearest(folder):
    (folder / "rewards.py").write_text("")
    with pytest.raises(PluginError, match=r"no file .*/reward\.py\. Did you mean .*/rewards\.py\?"):
        resolve("reward.py:f")
    with pytest.raises(PluginError, match=rf"no file .*/x\.py\. Relative paths start from {folder}"):
        resolve("gone/x.py:f")


def test_a_name_that_is_not_there_is_answered_with_those_that_are(folder):
    (folder / "mine.py").write_text("def score(): ...\ndef grade(): ...\ndef _hidden(): ...\n")
    with pytest.raises(PluginError, match=r"defines no 'scor'\. Did you mean score\?"):
        resolve("mine.py:scor")
    with pytest.raises(PluginError, match=r"defines no 'zzz'\. It defines: grade, score\.$"):
        resolve("mine.py:zzz")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nimport gone_package\n", r"mine\.py:2 fails when it is imported: ModuleNotFoundError.*gone_package"),
        ("\n\n1 / 0\n", r"mine\.py:3 fails when it is imported: ZeroDivisionError"),
        ("def f(:\n", r"mine\.py:1 fails when it is imported: SyntaxError"),
        ("import sys\nsys.exit(4)\n", r"mine\.py:2 fails when it is imported: SystemExit: 4"),
    ],
)
def test_a_plugin_that_fails_on_import_is_named_with_its_own_line(folder, source, message):
    (folder / "mine.py").write_text(source)
    with pytest.raises(PluginError, match=message):
        resolve("mine.py:f")
    # It is not remembered as loaded: mended, it works.
    (folder / "mine.py").write_text("def f():\n    return 'mended'\n")
    assert resolve("mine.py:f")() == "mended"


def test_a_missing_module_is_told_from_one_that_needs_a_missing_module(folder):
    (folder / "needy.py").write_text("import gone_package\n")
    with pytest.raises(PluginError, match=r"there is no module 'gone_module'"):
        resolve("gone_module.part:f")
    with pytest.raises(PluginError, match=r"needy\.py:1 fails when it is imported"):
        resolve("needy:f")


@pytest.mark.parametrize("text", ["plain", "file.py:", ":f", "a b:f", "file.py:f g", "module:1x"])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(PluginError, match=r"Write path/to/file\.py:name or package\.module:name"):
        locate(text)


def test_registered_names_are_no_references():
    assert [is_reference(name) for name in ("graph_f1", "a.py:f", "p.m:f")] == [False, True, True]
