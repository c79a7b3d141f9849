"""Runs of two steps on a tiny model: whole, in halves, on one batch, profiled, and tried out."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from radrl.config.schema import Config
from radrl.dry_run import run_dry
from radrl.errors import CheckFailed, ConfigError, DataError
from radrl.models.tiny import build_tiny
from radrl.train import compose, open_pool, run_training

TRACE = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>sum</think><answer>yes</answer>"

REWARD = '''
def letters(attempt):
    """1 for the reference; else by the number of different letters, so that nonsense has a spread too."""
    return 1.0 if attempt.text == attempt.sample.reference else len(set(attempt.text)) % 7 / 7
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    rows = [
        {"id": f"q{at}", "prompt": f"Is there a left pleural effusion, {at}?", "answer": TRACE, "images": []}
        for at in range(8)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "rewards.py").write_text(REWARD, encoding="utf-8")
    build_tiny(folder / "model", corpus=[TRACE, *(row["prompt"] for row in rows)], vocab_size=400)
    return folder


def a_config(world: Path, out: Path, **trainer) -> Config:
    return Config.model_validate(
        {
            "data": {
                "train_files": [str(world / "train.jsonl")],
                "rollout_batch_size": 2,
                "max_prompt_length": 64,
                "max_response_length": 12,
                "max_pixels": 4096,
            },
            "worker": {
                "actor": {
                    "model": {"model_path": str(world / "model")},
                    "optim": {"lr": 1e-3},
                    "global_batch_size": 2,
                    "row_tokens": 256,
                },
                "rollout": {"n": 4},
            },
            "rewards": [{"name": f"{world / 'rewards.py'}:letters", "outcome": True}],
            "trainer": {
                "max_steps": 2,
                "device": "cpu",
                "logger": ["console"],
                "save_checkpoint_path": str(out),
                **trainer,
            },
        }
    )


def run(world: Path, out: Path, **trainer) -> list[dict]:
    """Train, and return the metrics of each step."""
    run_training(a_config(world, out, **trainer), command=["radrl", "train"])
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "completions.jsonl").read_text().splitlines()]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(next((out / "checkpoints" / "global_step_2" / "actor").rglob("model.safetensors")))


@pytest.fixture(scope="module")
def online(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "online"
    metrics = run(world, out)
    assert any(step["actor/grad_norm"] > 0 for step in metrics), "a run that learns nothing tests nothing"
    return out


def test_a_replayed_run_makes_the_same_update_to_the_bit(world, online, tmp_path):
    run(world, tmp_path / "again", debug="replay", replay_file=str(online / "completions.jsonl"))
    first, again = weights(online), weights(tmp_path / "again")
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert records(tmp_path / "again") == records(online)


def test_a_run_longer_than_its_recording_is_refused_before_it_starts(world, online, tmp_path):
    with pytest.raises(ConfigError, match="holds rollouts up to step 2, but the run has 3 steps"):
        run(world, tmp_path, debug="replay", replay_file=str(online / "completions.jsonl"), max_steps=3)


def test_a_recording_of_other_data_is_refused_by_sample(world, online, tmp_path):
    other = [{**record, "id": f"other-{record['id']}"} for record in records(online)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(record) + "\n" for record in other))
    with pytest.raises(DataError, match=r"sample 'other-q\d' is not among the run's questions"):
        run(world, tmp_path / "run", debug="replay", replay_file=str(tmp_path / "c.jsonl"))


def test_without_updates_a_run_samples_scores_and_keeps_its_weights(world, online, tmp_path):
    metrics = run(world, tmp_path / "idle", debug="rollout_only")
    assert "actor/pg_loss" not in metrics[0]
    assert metrics[0]["critic/score/mean"] == pytest.approx(metrics[0]["outcome/mean"])
    start = load_file(world / "model" / "model.safetensors")
    kept = weights(tmp_path / "idle")
    assert all(torch.equal(start[name], kept[name]) for name in start)
    moved = weights(online)
    assert not all(torch.equal(start[name], moved[name]) for name in start)


def test_one_batch_is_asked_in_every_step(world, online, tmp_path):
    run(world, tmp_path / "one", debug="overfit_one_batch")
    asked = [{record["id"] for record in records(tmp_path / "one") if record["step"] == step} for step in (1, 2)]
    assert asked[0] == asked[1]
    assert len(asked[0]) == 2
    elsewhere = [{record["id"] for record in records(online) if record["step"] == step} for step in (1, 2)]
    assert elsewhere[0] != elsewhere[1]


def test_every_step_logs_seconds_floor_ratio_and_memory_of_its_phases(online):
    """The ledger of a whole run: seconds that add up, floors under them, and the tokens that sharing saved."""
    for step in [json.loads(line) for line in (online / "metrics.jsonl").read_text().splitlines()]:
        parts = [value for name, value in step.items() if name.startswith("timing_s/") and name != "timing_s/step"]
        assert sum(parts) == pytest.approx(step["timing_s/step"], rel=0.05, abs=0.02)
        for phase in ("gen", "update_actor"):
            assert step[f"perf/floor_ratio_{phase}"] == pytest.approx(
                step[f"timing_s/{phase}"] / step[f"perf/floor_s_{phase}"]
            )
        assert 0 < step["perf/shared_tokens_frac"] < 0.75
        assert 0 < step["perf/pack_efficiency"] <= 1


def test_row_68_the_start_up_table_is_kept_with_the_run(online):
    """Spec row 68: the table is printed once at the start and stands in environment.json."""
    set_up = json.loads((online / "environment.json").read_text())["set_up"]
    assert set_up["step"] == "2 prompts x 4 = 8 completions, 1 optimizer step"
    assert "float32" in set_up["device"]


def test_the_steps_that_are_named_are_profiled_and_the_table_is_printed_once(world, tmp_path, capsys):
    run(world, tmp_path / "run", profile_steps=[2])
    assert capsys.readouterr().err.count("gradient summed over") == 1
    files = sorted(path.name for path in (tmp_path / "run" / "logs" / "profile").iterdir())
    assert files == ["step_2.json.gz", "step_2.txt"]
    assert "aten::" in (tmp_path / "run" / "logs" / "profile" / "step_2.txt").read_text()


def test_a_dry_run_updates_on_the_longest_prompt_and_completions_and_writes_nothing(world, tmp_path):
    config = a_config(world, tmp_path / "run")
    with open_pool(config) as pool:
        composed = compose(config, pool)
    tried = run_dry(config, composed)
    assert (tried.num_prompts, tried.num_completions, tried.completion_tokens) == (2, 8, 12)
    assert tried.prompt_tokens == max(len(p.token_ids) for p in composed.curriculum.stage.prompts.items)
    assert tried.seconds > 0
    assert "It fits" in tried.sentences()
    assert not (tmp_path / "run").exists()


def test_a_dry_run_that_runs_out_of_memory_fails_the_check(world, tmp_path, monkeypatch):
    config = a_config(world, tmp_path / "run")
    with open_pool(config) as pool:
        composed = compose(config, pool)

    def full(batch):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(composed.roles.actor, "update", full)
    with pytest.raises(CheckFailed, match=r"Tried to allocate 2.00 GiB. Lower worker.actor.micro_batch_tokens"):
        run_dry(config, composed)
