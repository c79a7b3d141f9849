"""Torch profiler traces of chosen steps."""

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

log = logging.getLogger(__name__)

_ROWS = 40
"""Operations in the table."""


class StepProfiler:
    """Records the steps it is told to, each as a trace for a browser and a table of the operations that took longest.

    Recording slows a step down by a good part and its traces grow to hundreds of megabytes on a large model: choose one
    or two steps after the first, which warms everything up.
    """

    def __init__(self, steps: Collection[int], *, folder: Path) -> None:
        self._steps = frozenset(steps)
        self._folder = folder

    @contextlib.contextmanager
    def around(self, step: int) -> Iterator[None]:
        """Record the block when this step is wanted; writes `step_{k}.json.gz` and `step_{k}.txt` into the folder."""
        if step not in self._steps:
            yield
            return
        has_gpu = torch.cuda.is_available()
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if has_gpu else [])]
        with profile(activities=activities) as recorded:
            yield
        self._folder.mkdir(parents=True, exist_ok=True)
        trace = self._folder / f"step_{step}.json.gz"
        recorded.export_chrome_trace(str(trace))
        order = "self_cuda_time_total" if has_gpu else "self_cpu_time_total"
        table = recorded.key_averages().table(sort_by=order, row_limit=_ROWS)
        trace.with_name(f"step_{step}.txt").write_text(table, encoding="utf-8")
        log.info("profile of step %d: %s (open it in chrome://tracing or ui.perfetto.dev)", step, trace)
