import io
import json

import pytest
from rich.console import Console
from rows import closed_row, write_image, write_rows
from typer.testing import CliRunner

from radrl.cli import app
from radrl.data.adapters.registry import NAMES
from radrl.data.convert_command import convert_data_set
from radrl.errors import ConfigError
from radrl.jsonl import read_jsonl


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path / "src")
    write_rows(tmp_path / "src", [closed_row(id="q1"), closed_row(id="q2", images=["gone.png"])], name="train.jsonl")
    write_rows(tmp_path / "src", [closed_row(id="q3", kind="closed")], name="val.jsonl")
    return tmp_path


def printed(folder, **options):
    text = io.StringIO()
    convert_data_set(
        folder / "src", folder / "out", data_set="cx_mind", console=Console(file=text, width=100), **options
    )
    return text.getvalue()


def test_the_command_says_what_it_wrote_and_what_it_left_out(folder):
    words = printed(folder).split()
    assert words[words.index("closed") :][:5] == ["closed", "│", "1", "│", "1"]
    assert words[words.index("patients") :][:5] == ["patients", "│", "1", "│", "1"]
    assert " ".join(words).count("row cannot be read │ 1") == 1
    assert [row["id"] for row in read_jsonl(folder / "out" / "train.jsonl")] == ["q1"]


def test_a_choice_that_is_none_is_refused(folder):
    for option, word in {"uncertain": "maybe", "readers": "first", "section": "all", "splits": "random"}.items():
        with pytest.raises(ConfigError, match=f"--{option} is '{word}'; it is one of "):
            printed(folder, **{option: word})


def test_the_command_needs_two_paths_and_to_know_what_is_there(folder):
    with pytest.raises(ConfigError, match="takes two paths"):
        convert_data_set(folder, None, data_set="nih")
    with pytest.raises(ConfigError, match=r"say with --from what data set .* is"):
        convert_data_set(folder, folder / "o", data_set=None)
    with pytest.raises(ConfigError, match="do not go together"):
        convert_data_set(folder, folder / "o", data_set="nih", to="chex_phi4mm")


def test_list_prints_one_name_a_line():
    result = CliRunner().invoke(app, ["convert", "--list"])
    assert result.exit_code == 0
    assert result.output.split("\n")[:-1] == list(NAMES)


def test_the_command_line_reaches_the_writer(folder):
    arguments = ["convert", "--from", "cx_mind", str(folder / "src"), str(folder / "out"), "--kinds", "closed, view"]
    result = CliRunner().invoke(app, [*arguments, "--splits", "patient", "--languages", "en,zh"])
    assert result.exit_code == 0, result.output
    account = json.loads((folder / "out" / "conversion.json").read_text())
    assert account["choices"]["kinds"] == ["closed", "view"]
    assert account["choices"]["splits"] == "patient"
    assert account["choices"]["languages"] == ["en", "zh"]
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_runs_completions_are_written_in_the_other_recipes_form(tmp_path):
    names = ("step", "prompt", "completion", "per_token_logps", "raw_completion_tokens", "rewards")
    (tmp_path / "completions.jsonl").write_text(json.dumps({name: [1] for name in names}) + "\n")
    arguments = ["convert", "--to", "chex_phi4mm", str(tmp_path / "completions.jsonl"), str(tmp_path / "theirs.jsonl")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert list(read_jsonl(tmp_path / "theirs.jsonl")) == [
        {name: [[1]] if name in ("per_token_logps", "raw_completion_tokens") else [1] for name in names}
    ]
