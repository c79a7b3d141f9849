"""Every code block of "Write a reward in five lines" does what the page says."""

import json
import re
import shlex
from pathlib import Path

import pytest
from processes import radrl

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-reward.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = "<think>no left pleural effusion</think><answer>left pleural effusion ❌</answer>"
OTHER = "<think>the heart is normal</think><answer>cardiomegaly ❌</answer>"


def blocks():
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def commands():
    """(what to type, exit code) of each line of the shell blocks."""
    lines = [line for language, block in blocks() if language == "sh" for line in block.splitlines()]
    return [(command.strip(), int(code)) for command, code in (line.split("# exits ") for line in lines)]


def a_line(index, reference):
    final = "<think>so</think><answer>no</answer>"
    return {
        "step": 1, "stage": "train", "id": f"q{index}", "index": 0, "kind": "presence", "patient_id": f"p{index}",
        "prompt": "Is it there?", "images": [], "answer": reference + final, "completion": reference + final,
        "completion_ids": [1, 2], "raw_completion_tokens": ["a", "b"], "per_token_logps": [-0.1, -0.1], "stop": "eos",
        "policy_version": 0, "temperature": 1.0, "rewards": {}, "outcome": 1.0, "advantage": 0.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page, each under the name in its first line, and a few completions."""
    folder = tmp_path_factory.mktemp("howto")
    for language, block in blocks():
        if language in ("python", "yaml"):
            (folder / block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    lines = [a_line(index, reference) for index, reference in enumerate((REFERENCE, OTHER))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "completions.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_the_page_has_a_reward_in_five_lines_that_is_named_in_a_configuration(folder):
    assert {path.name for path in folder.iterdir()} == {
        "heart.py", "rubric.yaml", "brief.py", "short.py", "completions.jsonl",
    }  # fmt: skip
    reward = (folder / "heart.py").read_text(encoding="utf-8")
    assert len([line for line in reward.splitlines() if line and not line.startswith("#")]) <= 5
    assert "heart.py:mentions" in (folder / "rubric.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "code"), commands(), ids=[command for command, _ in commands()])
def test_every_command_of_the_page_ends_as_the_page_says(folder, command, code):
    program, *args = shlex.split(command)
    ended = radrl(*args, folder=folder)
    assert program == "radrl"
    assert ended.code == code, ended.output


def test_the_linter_says_of_the_first_reward_what_the_page_says(folder):
    ended = radrl("lint-reward", "heart.py:mentions", "num_questions=20", folder=folder)
    assert "the hack 'boilerplate' wins" in ended.output
    assert "the gold reference is not the best paid" in ended.output


def test_the_gold_check_names_the_reward_and_the_sample(folder):
    ended = radrl("score", "completions.jsonl", "--rubric", "rubric.yaml", "--gold", folder=folder)
    assert "mentions" in ended.output
    assert "q1" in ended.output


def test_every_link_of_the_page_leads_somewhere():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert all((PAGE.parent / link).exists() for link in links)
