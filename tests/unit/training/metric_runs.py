"""Tiny runs that between them write every metric a process without a GPU can write."""

import json
from pathlib import Path

from radrl.config.schema import Config
from radrl.models.tiny import build_tiny
from radrl.train import run_training, run_warm_up

TRACE = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>sum</think><answer>yes</answer>"

REWARD = '''
from radrl.rewards.api import Score


def letters(attempt):
    """1 for the reference; else by the number of different letters, so that nonsense has a spread too."""
    value = 1.0 if attempt.text == attempt.sample.reference else len(set(attempt.text)) % 7 / 7
    return Score(value=value, extras={"number": float(len(attempt.text))})
'''


def make_world(folder: Path) -> Path:
    """Questions, a model and a reward."""
    rows = [
        {"id": f"q{at}", "prompt": f"Is there a left pleural effusion, {at}?", "answer": TRACE, "images": []}
        for at in range(8)
    ]
    too_long = {**rows[0], "id": "long", "prompt": " and ".join(row["prompt"] for row in rows)}
    train = [*rows, too_long]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train), encoding="utf-8")
    (folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]), encoding="utf-8")
    (folder / "rewards.py").write_text(REWARD, encoding="utf-8")
    build_tiny(folder / "model", corpus=[TRACE, *(row["prompt"] for row in rows)], vocab_size=400)
    return folder


def settings(world: Path, out: Path) -> dict:
    return {
        "data": {
            "train_files": [str(world / "train.jsonl")],
            "val_files": [str(world / "val.jsonl")],
            "val_batch_size": 2,
            "rollout_batch_size": 2,
            "max_prompt_length": 64,
            "max_response_length": 12,
            "max_pixels": 4096,
        },
        "algorithm": {"kl_coef": 0.01},
        "worker": {
            "actor": {
                "model": {"model_path": str(world / "model")},
                "optim": {"lr": 1e-3},
                "global_batch_size": 2,
                "row_tokens": 256,
            },
            "rollout": {"n": 2},
        },
        "rewards": [
            {"name": f"{world / 'rewards.py'}:letters", "outcome": True},
            {"name": "format", "weight": 0.1, "gate": ["ema", "conditional"]},
        ],
        "trainer": {
            "max_steps": 1,
            "device": "cpu",
            "logger": ["console"],
            "save_checkpoint_path": str(out),
            "val_before_train": True,
            "val_generations_to_log": 2,
        },
    }


def learn(world: Path, out: Path, **algorithm: object) -> list[dict]:
    """Train for a step, and return what metrics.jsonl holds."""
    tree = settings(world, out)
    tree["algorithm"] |= algorithm
    tree["curriculum"] = {"stages": [{"name": "only", "steps": 1, "data": {"pass_rate": {"low": 0.0, "high": 1.0}}}]}
    run_training(Config.model_validate(tree), command=["radrl", "train"])
    return lines(out)


def imitate(world: Path, out: Path) -> list[dict]:
    """Warm up for a step, and return what metrics.jsonl holds."""
    tree = settings(world, out)
    tree["data"] |= {"val_files": [], "max_response_length": 128}
    tree["trainer"] |= {"val_before_train": False}
    run_warm_up(Config.model_validate(tree), command=["radrl", "sft"])
    return lines(out)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
