"""What every hack earns over 500 questions, by the seeds' rules and by ours, as the docs have it."""

from pathlib import Path

import pytest

from radrl.config.lint import LintConfig
from radrl.lint.command import complaints_of, lint
from radrl.lint.reference import NUM_QUESTIONS, RECIPES, describe, result_of
from radrl.lint.targets import target_of
from radrl.rewards.pool import RewardPool

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reward-hacks.md"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results():
    return [result_of(preset, recipe) for recipe in RECIPES for preset in (recipe.theirs, recipe.ours)]


@pytest.mark.parametrize("preset", ["cx_mind_closed", "cx_mind_open", "chex_phi4mm"])
def test_no_hack_earns_more_than_the_majority_answer_under_a_recipe_of_ours_over_500_questions(preset):
    config = LintConfig(reward=preset)
    assert config.num_questions == 500
    with RewardPool() as pool:
        result = lint(target_of(config), config, pool=pool)
    assert complaints_of(result) == []
    assert result.gold.num_questions == 500


def test_every_rule_of_the_seeds_is_beaten_by_some_hack(results):
    theirs, ours = results[::2], results[1::2]
    assert all(result.winners for result in theirs)
    assert not any(result.winners for result in ours)


def test_the_table_in_the_docs_is_up_to_date(results):
    assert NUM_QUESTIONS == 500
    assert PAGE.read_text(encoding="utf-8") == describe(results), "run python -m radrl.lint.reference docs/reference"
