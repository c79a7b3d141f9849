"""Where the seconds and the memory of a step go: a clock of nested phases."""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch

log = logging.getLogger(__name__)

GIB = 2**30


class PeakMemory(Protocol):
    """The most memory in use since a mark, of the device that the work runs on."""

    metric: str
    """What the most of a whole step is logged as."""

    def settle(self) -> None:
        """Wait for work that was begun, so that its seconds and bytes belong to the phase that began it."""
        ...

    def mark(self) -> None:
        """Begin anew."""
        ...

    def peak_bytes(self) -> int | None:
        """Most bytes since the mark; None where the system does not tell."""
        ...


class GpuMemory:
    """Memory that torch has allocated on a GPU. Where none was used, as beside workers, there is nothing to tell."""

    metric = "perf/max_memory_allocated_gb"

    def settle(self) -> None:
        """Wait for the GPU."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def mark(self) -> None:
        """Begin anew."""
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()

    def peak_bytes(self) -> int | None:
        """Most bytes since the mark."""
        return torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None


class ProcessMemory:
    """Resident memory of this process, by the kernel's own high-water mark, which Linux lets a process reset."""

    metric = "perf/max_cpu_memory_gb"
    _status, _reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self) -> None:
        self._is_told = True
        try:
            self.mark()
            self._status.read_text(encoding="ascii")
        except OSError as error:
            self._is_told = False
            log.info("the memory of phases is left out: the system does not tell it (%s)", error)

    def settle(self) -> None:
        """Work on a CPU is done when its call returns."""

    def mark(self) -> None:
        """Begin anew; see proc(5), clear_refs, value 5."""
        if self._is_told:
            self._reset.write_text("5", encoding="ascii")

    def peak_bytes(self) -> int | None:
        """Most bytes since the mark."""
        if not self._is_told:
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB", self._status.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None


class PhaseClock:
    """Seconds and peak memory by phase. Phases nest, and what happens belongs to the innermost one alone.

    So the phases of a step never add up to more than the step, and scoring that waits for the sampler is not charged
    for it. What another thread does beside the one that made the clock takes none of the step's time, and is no phase.
    """

    def __init__(self, memory: PeakMemory | None = None) -> None:
        """Without a `memory` that of a GPU is watched where there is one, and that of the process elsewhere."""
        self._memory: PeakMemory = memory or (GpuMemory() if torch.cuda.is_available() else ProcessMemory())
        self._open: list[str] = []
        self._seconds: dict[str, float] = {}
        self._peaks: dict[str, int] = {}
        self._since = 0.0
        self._thread = threading.get_ident()

    @property
    def phase(self) -> str | None:
        """The innermost phase that is open."""
        return self._open[-1] if self._open else None

    @contextlib.contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Charge the block to a phase, less what it charges to others."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._turn()
        self._open.append(phase)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def take(self) -> Mapping[str, float]:
        """`timing_s/{phase}`, `perf/peak_memory_gb_{phase}` and the highest of these since the last call."""
        metrics = {f"timing_s/{phase}": seconds for phase, seconds in self._seconds.items()}
        metrics |= {f"perf/peak_memory_gb_{phase}": peak / GIB for phase, peak in self._peaks.items()}
        if self._peaks:
            metrics[self._memory.metric] = max(self._peaks.values()) / GIB
        self._seconds, self._peaks = {}, {}
        return metrics

    def _turn(self) -> None:
        """Charge what happened since the last turn to the phase that was innermost."""
        self._memory.settle()
        now = time.perf_counter()
        if self._open:
            phase = self._open[-1]
            self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._since
            peak = self._memory.peak_bytes()
            if peak is not None:
                self._peaks[phase] = max(self._peaks.get(phase, 0), peak)
        self._memory.mark()
        self._since = now
