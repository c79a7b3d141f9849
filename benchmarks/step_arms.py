"""Runs the arms of a comparison, each in a process of its own, and reads what they measured."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import phase_log
import radrl_step
import yaml
from phase_log import UPDATE
from step_settings import StepSettings

_FOLDER = Path(__file__).parent
_POLL_S = 0.2
_LAST_LINES = 30
"""Of an arm that failed, as many lines of its output are shown."""


def run_radrl(
    settings: StepSettings, *, limit_s: float, overrides: Mapping[str, Any] | None = None, on_step: Callable[[], None]
) -> list[dict[str, float]]:
    """Times of the steps of a radrl run. `overrides` are further settings by dotted key."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    # One step more than is measured: the arm is stopped before it writes a checkpoint, which is no part of a step.
    config = replace(settings, steps=settings.steps + 1, folder=str(folder / "run")).radrl_config()
    for key, value in (overrides or {}).items():
        _set(config, key.split("."), value)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return _run(
        [sys.executable, str(_FOLDER / "radrl_step.py"), str(file)],
        lambda: radrl_step.times_of(folder / "run"),
        folder=folder,
        num_steps=settings.steps,
        limit_s=limit_s,
        on_step=on_step,
    )


def run_trl(settings: StepSettings, *, limit_s: float, on_step: Callable[[], None]) -> list[dict[str, float]]:
    """Times of the steps of a TRL run; what was measured of a step that did not end is among them."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / phase_log.PHASES).unlink(missing_ok=True)
    file = folder / "settings.json"
    file.write_text(json.dumps(settings.to_json()), encoding="utf-8")
    return _run(
        [sys.executable, str(_FOLDER / "trl_step.py"), str(file)],
        lambda: phase_log.times_of(phase_log.lines_of(folder)),
        folder=folder,
        num_steps=settings.steps,
        limit_s=limit_s,
        on_step=on_step,
    )


def read_overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """Further settings as a command line gives them, `key=value` each."""
    parts = (pair.partition("=") for pair in pairs)
    return {key: yaml.safe_load(value) for key, _, value in parts}


def middle_step(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median of each number over the whole steps after the first, which warms up; `update_in_all` sums the passes."""
    timed = [{**step, "update_in_all": sum(step.get(phase, 0.0) for phase in UPDATE)} for step in whole(steps)[1:]]
    names = dict.fromkeys(name for step in timed for name in step)
    return {name: median(step.get(name, 0.0) for step in timed) for name in names}


def whole(steps: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """The steps that ended."""
    return [step for step in steps if "step" in step]


def _run(
    command: Sequence[str],
    measured: Callable[[], list[dict[str, float]]],
    *,
    folder: Path,
    num_steps: int,
    limit_s: float,
    on_step: Callable[[], None],
) -> list[dict[str, float]]:
    """Run until the steps are there, the time is over or the arm has ended; what it has written is kept throughout."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "0"}
    deadline, num_seen = time.monotonic() + limit_s, 0
    output = folder / "output.txt"
    with output.open("w", encoding="utf-8") as sink:
        arm = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        try:
            while arm.poll() is None and time.monotonic() < deadline and num_seen < num_steps:
                time.sleep(_POLL_S)
                num_now = len(whole(measured()))
                for _ in range(num_now - num_seen):
                    on_step()
                num_seen = num_now
        finally:
            arm.kill()
            arm.wait()
    steps = measured()
    if len(whole(steps)) < num_steps:
        last = output.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        print(f"{command[1]} ended after {len(whole(steps))} of {num_steps} steps:", *last, sep="\n", file=sys.stderr)
    return steps


def _set(tree: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = value
