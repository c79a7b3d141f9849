"""Times of the phases of a step, written as they end: a run that is stopped leaves what it measured."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from radrl.jsonl import read_jsonl

PHASES = "phases.jsonl"
UPDATE = ("old_logprobs", "reference", "vision", "update", "optimizer")
"""Phases that are not sampling: what an update is compared by."""
_FACTS = ("prompt_tokens", "sampler_prompt_tokens", "completion_tokens")


class PhaseLog:
    """Phases nest; the seconds of a phase are without those of the phases in it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._within: list[float] = []
        self.step = 1

    @contextlib.contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Time a block, its work on the GPU included, and note the most memory since the last phase began or ended."""
        self._settle()
        start = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
        finally:
            self._settle()
            total = time.perf_counter() - start
            seconds = total - self._within.pop()
            if self._within:
                self._within[-1] += total
            self.write(phase, seconds)

    def write(self, phase: str, seconds: float = 0.0, **facts: float) -> None:
        """Append one line."""
        peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
        line = {"step": self.step, "phase": phase, "seconds": seconds, "peak_gib": peak, **facts}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _settle(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """What was written so far."""
    file = folder / PHASES
    return list(read_jsonl(file)) if file.exists() else []


def times_of(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Seconds of each step by phase, the steps from 1; one that did not end has no `step` of its own."""
    return [
        _sums([line for line in lines if line["step"] == step]) for step in sorted({line["step"] for line in lines})
    ]


def _sums(lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    times: dict[str, float] = {}
    for line in lines:
        times[line["phase"]] = times.get(line["phase"], 0.0) + line["seconds"]
        times |= {name: line[name] for name in _FACTS if name in line}
    times["peak_update_gib"] = max((line["peak_gib"] for line in lines if line["phase"] in UPDATE), default=0.0)
    return times
