"""Every named algorithm learns on the phantom world: a few questions, asked again and again, are answered better."""

from pathlib import Path
from statistics import mean

import pytest
from processes import Moment, radrl
from small_world import World, lines, settings, without_times

KILLED = -9
RUN = Path("runs/phantom/ppo")
REWARDS = "[{name: format, weight: 0.1}, {name: answer_f1, weight: 1.0, outcome: true}]"
STEPS = 40
OTHERS = ("grpo", "dr_grpo", "dapo", "rloo", "reinforce_plus_plus", "remax", "gspo", "cispo")


def training(world: World, preset: str, **changes: object) -> list[str]:
    """`radrl train` arguments: one batch of eight questions in every step, eight answers to each."""
    return settings(
        {
            "algorithm.preset": preset,
            "data.train_files": world.folder / "train.jsonl",
            "data.max_prompt_length": 64,
            "data.max_response_length": 64,
            "data.max_pixels": 1024,
            "data.rollout_batch_size": 8,
            "worker.actor.model.model_path": world.warm,
            "worker.actor.global_batch_size": 8,
            "worker.actor.row_tokens": 256,
            "worker.actor.optim": "{lr: 1.0e-3, betas: [0.9, 0.95], weight_decay: 0.0}",
            "worker.critic.optim": "{lr: 3.0e-3, betas: [0.9, 0.95]}",
            "worker.rollout.n": 8,
            "curriculum.stages": f"[{{name: closed, steps: {STEPS}, data: {{kinds: {{presence: 0.5, closed: 0.5}}}}}}]",
            "rewards": REWARDS,
            "algorithm.filter_when_short": "original",
            "trainer.debug": "overfit_one_batch",
            "trainer.project_name": "phantom",
            "trainer.experiment_name": "ppo",
            "trainer.max_try_make_batch": 1,
            "trainer.logger": "console",
        },
        changes,
    )


def steps_of(folder: Path) -> list[dict]:
    return [record for record in lines(folder / RUN / "metrics.jsonl") if "outcome/mean" in record]


def gain(steps: list[dict]) -> float:
    """Mean outcome of the last ten steps less that of the first five."""
    outcomes = [step["outcome/mean"] for step in steps]
    return mean(outcomes[-10:]) - mean(outcomes[:5])


def test_row_45_ppo_with_a_critic_learns_and_the_critic_comes_to_know_which_questions_are_hard(world, tmp_path):
    ended = radrl("train", *training(world, "ppo"), folder=tmp_path)

    assert ended.code == 0, ended.output
    steps = steps_of(tmp_path)
    assert gain(steps) > 0.1
    explained = [step["critic/vf_explained_var"] for step in steps]
    assert explained[0] == pytest.approx(0.0, abs=1e-6)
    assert mean(explained[-5:]) > 0.2
    for phase in ("values", "update_critic"):
        assert all(step[f"perf/floor_ratio_{phase}"] > 1 for step in steps), "no pass is below its floor"


@pytest.mark.slow
@pytest.mark.parametrize("preset", OTHERS)
def test_row_36_every_other_estimator_learns_too(world, tmp_path, preset):
    ended = radrl("train", *training(world, preset), folder=tmp_path)

    assert ended.code == 0, ended.output
    assert gain(steps_of(tmp_path)) > 0.1


@pytest.mark.slow
def test_row_45_a_ppo_run_killed_in_and_after_the_critics_warm_up_ends_like_one_that_was_not(world, tmp_path):
    few = {
        "curriculum.stages": "[{name: closed, steps: 5}]",
        "worker.rollout.probe": "{first: 0, every: 0}",
        "worker.critic.model.lora.rank": 4,
        "worker.rollout.n": 2,
        "trainer.critic_warmup": 2,
        "trainer.save_freq": 1,
    }
    command = ["train", *training(world, "ppo", **{name.replace(".", "__"): value for name, value in few.items()})]
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    straight.mkdir()
    killed.mkdir()
    ended = radrl(*command, folder=straight)
    assert ended.code == 0, ended.output

    for _ in range(2):
        moment = Moment(part="completions.jsonl", event="open", count=2)
        assert radrl(*command, folder=killed, moment=moment).code == KILLED
    assert radrl(*command, folder=killed).code == 0

    steps = steps_of(straight)
    assert ["actor/pg_loss" in step for step in steps] == [False, False, True, True, True]
    assert without_times(steps_of(killed)) == without_times(steps)
    assert lines(killed / RUN / "completions.jsonl") == lines(straight / RUN / "completions.jsonl")
    for name in ("critic/optimizer.json", "actor/huggingface/model.safetensors"):
        last = RUN / "checkpoints/global_step_5" / name
        assert (killed / last).read_bytes() == (straight / last).read_bytes(), name
