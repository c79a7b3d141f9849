"""An experiment from nothing, in one command: world, model, warm-ups, two arms of two seeds, and their comparison."""

import json
from pathlib import Path

import pytest
import yaml

from radrl.sweep.command import sweep_from
from radrl.sweep.page import write_page

pytestmark = pytest.mark.slow

SMALLER = {
    "seeds: [1, 2, 3]": "seeds: [1]",
    "equal_budgets: true\n": "",
    "--train, 5600": "--train, 160",
    "--train, 2560, --val, 100, --test, 400, --ood, 200": "--train, 160, --val, 6, --test, 12, --ood, 6",
    "global_step_550": "global_step_2",
    "warm_up.yaml\n": "warm_up.yaml\n      - trainer.max_steps=2\n",
}
"""What makes an experiment that ships a matter of minutes."""

ROOT = Path(__file__).parents[2]

EXPERIMENT = """
title: Two arms
base: {root}/examples/ablations/base.yaml
out: {out}
seeds: [1, 2]
jobs: 2
equal_budgets: true
prepare:
  - name: world
    command: [phantom, "{{out}}/world", --size, 64, --difficulty, 0, --findings, "cardiomegaly,pneumothorax", --kinds,
      presence=1, --kinds, open=1, --kinds, closed=1, --options, 2, --style, short, --set, max_studies=1, --set,
      zoned_options=false, --train, 60, --val, 8, --test, 24, --ood, 0]
    makes: "{{out}}/world"
  - name: model
    command: [tiny, --out, "{{out}}/models/{{seed}}", --seed, "{{seed}}", --corpus, "{{out}}/world/train.jsonl"]
    makes: "{{out}}/models/{{seed}}"
    after: [world]
  - name: warm_up
    command: [sft, config={root}/examples/ablations/warm_up.yaml, "data.train_files={{out}}/world/train.jsonl",
      "worker.actor.model.model_path={{out}}/models/{{seed}}", "trainer.seed={{seed}}", trainer.max_steps=40,
      "trainer.save_checkpoint_path={{out}}/warm_up_{{seed}}"]
    makes: "{{out}}/warm_up_{{seed}}/checkpoints/global_step_40"
    after: [model]
settings:
  - "data.train_files={{out}}/world/train.jsonl"
  - "data.val_files={{out}}/world/val.jsonl"
  - "worker.actor.model.model_path={{out}}/warm_up_{{seed}}/checkpoints/global_step_40/actor/huggingface"
  - trainer.val_before_train=true
  - curriculum.stages.0.steps=1
  - curriculum.stages.1.steps=1
  - data.rollout_batch_size=4
  - worker.actor.global_batch_size=4
evaluation: [config={root}/examples/ablations/evaluate.yaml, "data={{out}}/world/test.jsonl", blind=false, resamples=20]
arms:
  outcome: [config={root}/examples/ablations/arms/outcome.yaml]
  both: [config={root}/examples/ablations/arms/both.yaml]
"""


def test_one_file_and_one_command_go_from_nothing_to_a_comparison(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(EXPERIMENT.format(root=ROOT, out=tmp_path / "out"))
    comparison = sweep_from([f"config={file}"])
    assert [row.status for row in comparison.rows] == ["done"] * 4
    outcome, both = comparison.recipes
    assert (outcome.name, outcome.seeds, both.name) == ("outcome", (1, 2), "both")
    assert outcome.cost is not None
    assert both.cost is not None
    assert outcome.cost.budget == both.cost.budget
    assert (outcome.cost.budget.prompts, outcome.cost.budget.completions) == (8, 64)
    for recipe in comparison.recipes:
        assert recipe.measured["accuracy"].num_patients == 24
        assert 0 <= recipe.recorded.metrics["hallucination_rate"].mean <= 1
    # Both arms of a seed start alike: their first validation, before any step, is the same.
    first_points = [[point for point in recipe.curve if point.step == 0] for recipe in comparison.recipes]
    assert first_points[0]
    assert first_points[0] == first_points[1]
    made = sorted((tmp_path / "out").glob("**/*.made.json"))
    before = [path.stat().st_mtime_ns for path in made]
    again = sweep_from([f"config={file}"])
    assert [path.stat().st_mtime_ns for path in made] == before
    assert again.recipes == comparison.recipes
    page = write_page(tmp_path / "out" / "comparison.json", tmp_path / "docs" / "concepts" / "arms.md")
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert f"{100 * written['recipes'][0]['measured']['accuracy']['mean']:.1f}" in page.read_text()


@pytest.mark.parametrize(
    ("name", "arms", "warm_ups"),
    [
        (
            "cx_mind",
            ["outcome only", "plain reasoning", "no cold start"],
            ["warm-up", "warm-up of plain reasoning", "warm-up without reasoning"],
        ),
        ("rewards", ["outcome", "both"], ["warm-up"]),
    ],
)
def test_the_experiments_that_ship_run_from_nothing(tmp_path, monkeypatch, name, arms, warm_ups):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "examples" / "ablations" / f"{name}.yaml").read_text()
    for wanted, smaller in SMALLER.items():
        assert wanted in text
        text = text.replace(wanted, smaller)
    experiment = yaml.safe_load(text)
    short = ["curriculum.stages.0.steps=1", "curriculum.stages.1.steps=1"]
    experiment["arms"] = {arm: [*experiment["arms"][arm], *short] for arm in arms}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))
    comparison = sweep_from([f"config={tmp_path / 'experiment.yaml'}", f"out={tmp_path / 'out'}"])
    assert [row.status for row in comparison.rows] == ["done"] * len(arms)
    assert [recipe.name for recipe in comparison.recipes] == [*warm_ups, *arms]
    assert not any(recipe.cost for recipe in comparison.recipes[: len(warm_ups)])
