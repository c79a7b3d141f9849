"""The generated pages of rewards and hacks say what the code does."""

from pathlib import Path

import pytest

from radrl.config.rubrics import PRESETS
from radrl.lint.reference import NUM_QUESTIONS, RECIPES
from radrl.rewards.api import aliases, entry, reward_names
from radrl.rewards.hacks import HACKS
from radrl.rewards.reference import rewards_page

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def page(name):
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_the_page_of_rewards_is_up_to_date():
    assert page("rewards.md") == rewards_page(), "run python -m radrl.lint.reference docs/reference"


def test_the_page_of_rewards_has_every_reward_preset_and_other_name():
    written = page("rewards.md")
    for name in reward_names():
        assert f"\n## {name}\n" in written
    for name in (*aliases(), *PRESETS):
        assert f"`{name}`" in written


@pytest.mark.parametrize("name", [name for name in reward_names() if not entry(name).is_legacy])
def test_every_reward_says_what_hack_it_resists_and_what_it_replaces(name):
    doc = " ".join((entry(name).function.__doc__ or "").split())
    assert "Hack it resists: " in doc or "Hacks it resists: " in doc
    assert "replaces" in doc


def test_the_table_of_hacks_has_every_hack_and_says_how_many_questions():
    """The numbers themselves are computed anew in tests/slow/test_hack_table.py."""
    written = page("reward-hacks.md")
    assert f"the mean over {NUM_QUESTIONS} questions" in written
    for hack in HACKS:
        assert f"| {hack.name} | {hack.does} | {hack.fooled} |" in written
        (row,) = [
            line for line in written.splitlines() if line.startswith(f"| {hack.name} |") and hack.does not in line
        ]
        assert len(row.split("|")) == 2 * len(RECIPES) + 3
