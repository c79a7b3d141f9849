"""The README stays short, and what it tells a reader to type exists."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from radrl.cli import app
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.sweep import SweepConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def code(readme: str) -> str:
    """What stands in code blocks and between backticks."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", readme, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`]+)`", rest)])


def test_the_readme_is_short_and_says_what_this_is_not_for(readme):
    assert len(readme.splitlines()) <= 150
    assert "not for clinical use" in readme.lower()


def test_every_command_of_the_readme_exists(code):
    known = set(get_command(app).commands)
    named = set(re.findall(r"\bradrl ([a-z][a-z-]*)", code))
    assert {"train", "demo"} <= known
    assert named
    assert named <= known


def test_every_make_target_of_the_readme_exists(code):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    assert "demo" in named
    assert named <= targets


def test_every_configuration_file_of_the_readme_loads(code):
    named = re.findall(r"radrl (\w+) +config=([\w./-]+\.yaml)", code)
    assert len(named) > 3
    for command, file in named:
        schema = SweepConfig if command == "sweep" else Config
        assert load_config(schema, [f"config={ROOT / file}"]).warnings == ()


def test_every_linked_file_of_the_readme_exists(readme):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", readme)
    assert all((ROOT / link).exists() for link in links), links
