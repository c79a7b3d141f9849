"""The radrl arm: a training run like any other, from its configuration file.

python benchmarks/radrl_step.py CONFIG.yaml
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import processor_time

from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.jsonl import read_jsonl
from radrl.train import run_training

_PHASES = {
    "generation": "gen",
    "sync": "sync",
    "old_logprobs": "old_log_prob",
    "reference": "ref",
    "update": "update_actor",
}
"""Name that both arms share -> ours."""


def times_of(folder: Path) -> list[dict[str, float]]:
    """Seconds of each finished step of a run by phase, with its peak memory and the floor of its update."""
    file = folder / "metrics.jsonl"
    rows = cast("list[Mapping[str, float]]", list(read_jsonl(file)) if file.exists() else [])
    return [_times(row) for row in rows if "timing_s/step" in row]


def _times(metrics: Mapping[str, float]) -> dict[str, float]:
    passes = ("ref", "update_actor")
    return {
        **{name: metrics.get(f"timing_s/{phase}", 0.0) for name, phase in _PHASES.items()},
        "step": metrics["timing_s/step"],
        "peak_update_gib": max(metrics.get(f"perf/peak_memory_gb_{phase}", 0.0) for phase in passes)
        or metrics.get("perf/max_memory_allocated_gb", 0.0),
        "floor": sum(metrics.get(f"perf/floor_s_{phase}", 0.0) for phase in passes),
        "prompt_tokens": metrics["prompt_length/mean"],
        "completion_tokens": metrics["response_length/mean"],
    }


if __name__ == "__main__":
    processor_time.count_if_asked()
    importlib.import_module("step_reward")  # Registers the reward that the configuration names.
    config = load_config(Config, [f"config={sys.argv[1]}"]).config
    run_training(config, command=["benchmarks/radrl_step.py", *sys.argv[1:]])
