"""Recipes over their seeds: worked by hand from stand-in evaluations of four questions of four patients."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from stand_ins import config_of, lay_out, run

from radrl.errors import ConfigError
from radrl.evaluation.intervals import Bootstrap
from radrl.sweep.page import write_page
from radrl.sweep.spreads import Spread, mean_curve

EVALUATION = ("data={out}/world/test.jsonl",)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A sweep that has ended: outcome got 1 and 2 of 4 right, final 3 and 4, and the warm-up 0 and 1."""
    folder = tmp_path_factory.mktemp("bench")
    lay_out(folder)
    rights = json.loads((folder / "rights.json").read_text())
    (folder / "rights.json").write_text(json.dumps({**rights, "before_1": 0, "before_2": 1}))
    return folder


@pytest.fixture(scope="module")
def config(bench):
    for seed in (1, 2):
        out = f"out={bench}/out/before_{seed}/evaluation/test"
        subprocess.run([sys.executable, bench / "evaluate.py", "model=warm", out], check=True)
    return config_of(
        bench,
        evaluation=EVALUATION,
        baselines={"warm-up": "{out}/before_{seed}/evaluation/test"},
        against=["outcome", "warm-up"],
        title="Two arms",
        about="Does it help?",
        equal_budgets=True,
    )


@pytest.fixture(scope="module")
def recipes(bench, config):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radrl.sweep.recipes.BOOTSTRAP", Bootstrap(resamples=100, seed=1))
        comparison = run(bench, config)
    return {recipe.name: recipe for recipe in comparison.recipes}


def test_baselines_stand_before_the_arms_in_the_order_given(recipes):
    assert list(recipes) == ["warm-up", "outcome", "final"]
    assert recipes["warm-up"].cost is None
    assert recipes["final"].seeds == (1, 2)


def test_accuracy_is_the_mean_over_seeds_with_their_deviation(recipes):
    """Outcome: 0.25 and 0.5. Deviation from the mean 0.375: sqrt(2 x 0.125^2 / 1) = 0.1768."""
    accuracy = recipes["outcome"].measured["accuracy"]
    assert accuracy.values == (0.25, 0.5)
    assert accuracy.mean == 0.375
    assert accuracy.std == pytest.approx(0.176777, abs=1e-6)
    assert recipes["final"].measured["accuracy"].mean == 0.875


def test_differences_are_to_each_that_recipes_are_held_against(recipes):
    final = recipes["final"].minus
    assert list(final) == ["outcome", "warm-up"]
    assert final["outcome"]["accuracy"].difference.value == 0.875 - 0.375
    assert final["warm-up"]["accuracy"].difference.value == 0.875 - 0.125
    assert list(recipes["outcome"].minus) == ["warm-up"]


def test_what_the_summaries_recorded_is_spread_over_seeds(recipes):
    """Hallucination is 0.5 - right / 10: 0.2 and 0.1 for three and four right."""
    recorded = recipes["final"].recorded
    assert recorded.metrics["hallucination_rate"].mean == pytest.approx(0.15)
    assert recorded.files == {"test": Spread.of([0.75, 1.0])}
    assert recorded.kinds["presence"].values == (0.75, 1.0)
    assert set(recorded.blind) == {"majority"}


def test_curves_are_means_with_the_range_of_the_seeds(recipes):
    """0.25 + 0.1 x step x seed: at step 2 it is 0.45 and 0.65."""
    last = recipes["final"].curve[-1]
    assert (last.step, last.mean, last.least, last.greatest) == pytest.approx((2, 0.55, 0.45, 0.65))


def test_curves_leave_out_steps_that_a_seed_does_not_have():
    assert [point.step for point in mean_curve([{0: 0.1, 5: 0.2}, {5: 0.4, 9: 0.5}])] == [5]
    assert mean_curve([]) == ()


def test_cost_is_what_the_logged_steps_took(recipes):
    """Two steps of 4 prompts x 3 completions with two updates each; 100 + 200 tokens; 72 s."""
    cost = recipes["final"].cost
    assert (cost.budget.steps, cost.budget.prompts, cost.budget.completions, cost.budget.updates) == (2, 8, 24, 4)
    assert cost.tokens.mean == 300
    assert cost.hours.mean == pytest.approx(0.02)


def test_the_comparison_holds_the_recipes_and_how_they_came_about(bench, recipes):
    written = json.loads((bench / "out" / "comparison.json").read_text())
    assert written["sweep"]["arms"]["final"] == [f"config={bench}/final.yaml"]
    assert written["recipes"][2]["minus"]["outcome"]["accuracy"]["difference"]["value"] == 0.5
    assert written["recipes"][1]["cost"]["completions"] == 24
    page = (bench / "out" / "comparison.html").read_text()
    assert "<h1>Two arms</h1>" in page
    assert "<title>final: 87.5 [50.0, 100.0]</title>" in page
    assert "<title>final: +50.0 [" in page
    assert page.count('class="seed"') == 6
    assert '<th scope="row">final</th><td class="num">2</td><td class="num">8</td><td class="num">24</td>' in page


def test_the_documentation_page_follows_from_the_results(bench, recipes, tmp_path):
    page = write_page(bench / "out" / "comparison.json", tmp_path / "docs" / "concepts" / "two-arms.md")
    text = page.read_text()
    assert text.startswith("# Two arms\n\nDoes it help?\n")
    assert "2 recipes, 2 seeds each, the last model of every run asked about 4 held-out patients." in text
    assert "The highest mean is that of *final*, 87.5 [50.0, 100.0] % [95 % interval]." in text
    assert "| final | 87.5 [50.0, 100.0] |" in text
    assert "| outcome | 2 | 8 | 24 | 4 | 0k | 1.2 min |" in text
    assert "4 differences are told without correction" in text
    for name in ("accuracy", "minus-1", "minus-2", "curves"):
        assert f"(../images/two-arms-{name}.svg)" in text
        drawing = ElementTree.parse(tmp_path / "docs" / "images" / f"two-arms-{name}.svg").getroot()
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.9, "*final* is above it"),
        (-0.9, -0.01, "*final* is below it"),
        (-0.1, 0.2, "*warm-up* and *final* are not told apart from it"),
    ],
)
def test_the_page_says_what_the_interval_says(bench, recipes, tmp_path, low, high, words):
    """The mean of the difference is given the sign that its interval has."""
    found = json.loads((bench / "out" / "comparison.json").read_text())
    change = found["recipes"][2]["minus"]["outcome"]["accuracy"]["difference"]
    change |= {"value": (low + high) / 2, "low": low, "high": high}
    (tmp_path / "results.json").write_text(json.dumps(found))
    page = write_page(tmp_path / "results.json", tmp_path / "docs" / "concepts" / "page.md")
    assert words in page.read_text()


def test_a_sweep_without_evaluations_makes_no_page(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"metric": "m", "sweep": {}, "recipes": [], "runs": []}))
    with pytest.raises(ConfigError, match="holds no recipe: nothing of the sweep was evaluated"):
        write_page(tmp_path / "results.json", tmp_path / "page.md")


def test_recipes_are_held_against_what_there_is(bench):
    with pytest.raises(ConfigError, match=r"held against finale \(from against\), which is no arm and no baseline"):
        run(bench, config_of(bench, against=["finale"]))
