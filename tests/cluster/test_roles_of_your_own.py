"""The page "Roles of your own": its four roles make a run, in one process and over workers."""

import json
import re
import shutil
from pathlib import Path

import pytest
from cluster_world import a_config, completions, metrics, train_in

from radrl.engines.learner import PolicyLearner
from radrl.errors import PluginError
from radrl.train import run_training

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "roles-of-your-own.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = {"rollout": "Counted", "actor": "Timed", "ref": "Older", "critic": "Table"}
COMMAND = ["radrl", "train"]


@pytest.fixture
def roles(world, tmp_path, monkeypatch):
    """Settings of a run in which the roles of the page do all the work, in a folder that has the model it names."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(world.folder / "model", tmp_path / "runs" / "before" / "model")
    (code,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    file = tmp_path / code.splitlines()[0].removeprefix("# ")
    file.write_text(code.replace('"runs/before/model"', repr(str(tmp_path / "runs" / "before" / "model"))))
    names = {f"worker.{section}.name": f"{file}:{name}" for section, name in KEYS.items()}
    learning = {"algorithm.adv_estimator": "gae", "algorithm.kl_coef": 0.1, "algorithm.use_kl_loss": True}
    return {**names, **learning, "trainer.save_freq": 1}


def assert_all_at_work(out):
    steps = metrics(out)
    assert [step["critic/questions"] for step in steps] == [4.0, 8.0, 8.0]
    assert all(step["actor/tokens_per_s"] > 0 for step in steps)
    assert steps[0]["actor/kl_loss"] == pytest.approx(0.0, abs=1e-6), "the older model is the one it starts from"
    assert steps[2]["actor/kl_loss"] > 0
    table = json.loads((out / "checkpoints" / "global_step_3" / "critic" / "table.json").read_text())
    returned: dict[str, list[float]] = {}
    for line in completions(out):
        returned.setdefault(line["id"], []).append(line["outcome"])
    assert {name: sorted(values) for name, values in table.items()} == {
        name: pytest.approx(sorted(values)) for name, values in returned.items()
    }


def test_the_roles_of_the_page_make_a_run_that_resumes(world, tmp_path, roles, monkeypatch):
    config = a_config(world, tmp_path / "run", roles)
    step, num_steps = PolicyLearner.learn, 0

    def breaking(*args, **named):
        nonlocal num_steps
        num_steps += 1
        if num_steps == 3:
            raise RuntimeError("out of luck")
        return step(*args, **named)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="out of luck"):
        patch.setattr(PolicyLearner, "learn", breaking)
        run_training(config, command=COMMAND)
    run_training(config, command=COMMAND)
    assert_all_at_work(tmp_path / "run")


@pytest.mark.slow
def test_they_do_in_two_workers(two, world, tmp_path, roles):
    two_ranks = {"trainer.n_gpus_per_node": 2, "worker.actor.fsdp.mode": "full"}
    assert_all_at_work(train_in(two, a_config(world, tmp_path / "run", {**roles, **two_ranks})))


@pytest.mark.parametrize(
    ("section", "role", "lacking"),
    [
        ("rollout", "radrl.roles.Sampler", "generate, publish"),
        ("actor", "radrl.engines.actor.Learner", "logprobs, learn, fit, save, load"),
        ("ref", "radrl.roles.Reference", "logprobs"),
        ("critic", "radrl.engines.critic.CriticLearner", "values, learn, save, load"),
    ],
)
def test_a_class_that_is_no_such_role_is_refused_with_what_it_lacks(world, tmp_path, roles, section, role, lacking):
    (tmp_path / "none.py").write_text("class Nothing:\n    def __init__(self, *args, **named): pass\n")
    key = f"worker.{section}.name"
    config = a_config(world, tmp_path / "run", {**roles, key: f"{tmp_path / 'none.py'}:Nothing"})
    with pytest.raises(PluginError, match=f"{key} = .* makes a Nothing, which is no {role}: it lacks {lacking}"):
        run_training(config, command=COMMAND)


@pytest.mark.parametrize("section", KEYS)
def test_a_name_that_is_neither_built_in_nor_says_where_is_refused(world, tmp_path, section):
    with pytest.raises(ValueError, match=f"worker\\.{section}\\.name\n.*it should be .*, or where a class stands"):
        a_config(world, tmp_path / "run", {f"worker.{section}.name": "mine"})
