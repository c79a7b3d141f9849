"""Arms compare where they are given the same; those of the examples are."""

from pathlib import Path

import pytest
from stand_ins import config_of, lay_out, run

from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.sweep import SweepConfig
from radrl.errors import ConfigError
from radrl.sweep.budgets import Budget, budget_of, planned_budget, require_equal
from radrl.sweep.grid import build_points

ROOT = Path(__file__).parents[3]
STARTED_ELSEWHERE = {"plain reasoning": "plain", "no cold start": "answer"}


@pytest.fixture(scope="module")
def examples():
    """Points of the ablations that ship, by file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {
            name: build_points(load_config(SweepConfig, [f"config=examples/ablations/{name}.yaml"]).config)
            for name in ("cx_mind", "rewards")
        }


def test_a_budget_is_steps_times_prompts_times_completions():
    config = Config.model_validate(
        {
            "data": {"rollout_batch_size": 12},
            "worker": {"actor": {"global_batch_size": 4, "ppo_epochs": 2}, "rollout": {"n": 5}},
        }
    )
    assert budget_of(config, steps=3) == Budget(steps=3, prompts=36, completions=180, updates=18)


def test_every_arm_of_both_ablations_is_given_the_same(examples):
    """79 steps of 16 prompts x 8 completions with an update each."""
    budgets = {planned_budget(point.config) for points in examples.values() for point in points}
    assert budgets == {Budget(steps=79, prompts=1264, completions=10112, updates=79)}


def test_the_ablation_has_the_eight_arms_of_cx_mind_and_the_four_that_it_lacks(examples):
    arms = {str(point.axes["arm"]) for point in examples["cx_mind"]}
    assert arms == {
        "final", "outcome only", "think only", "mixed A", "mixed B", "no gate", "no cold start", "plain reasoning",
        "open only", "joint", "reversed", "answer bonus without gate",
    }  # fmt: skip
    assert len(examples["cx_mind"]) == 12 * 3
    assert len(examples["rewards"]) == 4 * 3


def test_the_curriculum_arms_draw_closed_and_open_questions_in_the_same_proportion(examples):
    stages = {
        str(point.axes["arm"]): [(stage.name, stage.steps) for stage in point.config.curriculum.stages]
        for point in examples["cx_mind"]
    }
    assert stages["final"] == stages["outcome only"] == [("closed", 31), ("open", 48)]
    assert stages["reversed"] == [("open", 48), ("closed", 31)]
    assert stages["open only"] == [("open", 79)]
    joint = next(point for point in examples["cx_mind"] if point.axes["arm"] == "joint").config.curriculum.stages[0]
    assert joint.steps == 79
    shares = joint.data.kinds
    assert (shares["presence"] + shares["closed"]) / shares["open"] == pytest.approx(31 / 48)
    assert pytest.approx(186 / 288, abs=1e-3) == 31 / 48


def test_arms_of_a_seed_start_from_the_same_warm_up_but_for_the_two_that_are_about_it(examples):
    for points in examples.values():
        for point in points:
            form = STARTED_ELSEWHERE.get(str(point.axes["arm"]), "interleaved")
            folder = f"{point.folder.parent}/warm_up/{form}_{point.axes['seed']}"
            assert point.config.worker.actor.model.model_path == (
                f"{folder}/checkpoints/global_step_550/actor/huggingface"
            )


def test_arms_of_a_seed_differ_in_nothing_but_rewards_stages_and_start(examples):
    for points in examples.values():
        first = points[0].config
        for point in points:
            same = point.config.worker.model_copy(update={"actor": first.worker.actor})
            assert same == first.worker
            actor = point.config.worker.actor
            assert actor.model_copy(update={"model": first.worker.actor.model}) == first.worker.actor
            assert (point.config.data, point.config.algorithm) == (first.data, first.algorithm)


def test_the_reward_arms_measure_the_same_terms_and_pay_for_different_ones(examples):
    paid = {}
    for point in examples["rewards"]:
        assert [(term.name, term.weight) for term in point.config.rewards] == [
            ("format", 0.1), ("answer_f1", 0.9), ("graph_f1", 0.5), ("step_correctness", 0.5),
        ]  # fmt: skip
        paid[point.axes["arm"]] = {term.name for term in point.config.rewards if term.gate != ("off",)}
    base = {"format", "answer_f1"}
    assert paid == {
        "outcome": base,
        "graph": base | {"graph_f1"},
        "process": base | {"step_correctness"},
        "both": base | {"graph_f1", "step_correctness"},
    }


def test_arms_of_different_budgets_are_refused_before_anything_runs(tmp_path):
    lay_out(tmp_path)
    config = config_of(tmp_path, equal_budgets=True)
    longer = config.model_copy(update={"arms": {**config.arms, "long": ("trainer.max_steps=3",)}})
    message = (
        r"the runs long_seed1 and outcome_seed1 have budgets that differ \(steps 3 and 2, prompts 12 and 8, "
        r"completions 36 and 24, updates 6 and 4\)"
    )
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, longer)
    assert not (tmp_path / "calls.txt").exists()
    require_equal(build_points(config))


@pytest.mark.parametrize(
    ("stages", "advice"),
    [([], r"Give trainer\.max_steps"), ([{"name": "one", "steps": 5}, {"name": "two"}], "Give every stage `steps`")],
)
def test_a_run_that_counts_epochs_has_no_budget_of_its_own(stages, advice):
    with pytest.raises(ConfigError, match=f"counts epochs, whose steps depend on the data. {advice}"):
        planned_budget(Config.model_validate({"curriculum": {"stages": stages}}))


def test_a_run_with_stages_takes_the_steps_of_all_of_them():
    stages = [{"name": "one", "steps": 5}, {"name": "two", "steps": 7}]
    config = Config.model_validate({"curriculum": {"stages": stages}, "trainer": {"max_steps": 9}})
    assert planned_budget(config).steps == 12
