import mmap

import pytest
import torch

from radrl import phases
from radrl.phases import GIB, GpuMemory, PhaseClock, ProcessMemory


class ScriptedMemory:
    """Peaks as they are told, one a turn of the clock."""

    metric = "perf/max"

    def __init__(self, *peaks):
        self.peaks = list(peaks)
        self.num_settled = 0

    def settle(self):
        self.num_settled += 1

    def mark(self):
        pass

    def peak_bytes(self):
        return self.peaks.pop(0)


class Nothing:
    metric = "perf/max"

    def settle(self):
        pass

    mark = settle

    def peak_bytes(self):
        return None


def clock_at(monkeypatch, *times, memory=None):
    """A clock that reads these times, one a turn."""
    left = iter(times)
    monkeypatch.setattr(phases.time, "perf_counter", lambda: next(left))
    return PhaseClock(memory or Nothing())


def test_seconds_belong_to_the_innermost_phase_and_add_up_to_the_whole(monkeypatch):
    clock = clock_at(monkeypatch, 0.0, 1.0, 4.0, 4.5, 9.0, 10.0)
    with clock.measure("other"), clock.measure("reward"), clock.measure("gen"):
        assert clock.phase == "gen"
    assert clock.phase is None
    # other 0 to 1, reward 1 to 4, gen 4 to 4.5, reward 4.5 to 9, other 9 to 10.
    assert clock.take() == {"timing_s/other": 2.0, "timing_s/reward": 7.5, "timing_s/gen": 0.5}
    assert clock.take() == {}


def test_a_phase_that_comes_again_goes_on_counting(monkeypatch):
    clock = clock_at(monkeypatch, 0.0, 1.0, 5.0, 7.0)
    for _ in range(2):
        with clock.measure("gen"):
            pass
    assert clock.take() == {"timing_s/gen": 3.0}


def test_a_phase_that_fails_is_closed(monkeypatch):
    clock = clock_at(monkeypatch, 0.0, 2.0)
    with pytest.raises(ValueError, match="broken"), clock.measure("gen"):
        raise ValueError("broken")
    assert clock.phase is None
    assert clock.take() == {"timing_s/gen": 2.0}


def test_the_highest_memory_of_each_phase_is_kept_and_the_highest_of_all(monkeypatch):
    memory = ScriptedMemory(3 * GIB, 8 * GIB, 2 * GIB)
    clock = clock_at(monkeypatch, 0.0, 1.0, 2.0, 3.0, memory=memory)
    with clock.measure("other"), clock.measure("gen"):
        pass
    metrics = clock.take()
    assert metrics["perf/peak_memory_gb_other"] == 3.0
    assert metrics["perf/peak_memory_gb_gen"] == 8.0
    assert metrics["perf/max"] == 8.0
    assert memory.num_settled == 4


def test_the_kernels_high_water_mark_sees_memory_that_is_gone_again():
    memory = ProcessMemory()
    memory.mark()
    before = memory.peak_bytes()
    if before is None:
        pytest.skip("this system does not tell a process's high-water mark")
    # Of the kernel's own pages, for the process may hold freed ones that a plain array would get.
    with mmap.mmap(-1, 64 << 20) as block:
        block.write(b"x" * len(block))
    grown = memory.peak_bytes()
    memory.mark()
    assert grown is not None
    assert grown - before > 48 << 20
    assert (memory.peak_bytes() or 0) < grown - (48 << 20)


def test_a_process_that_never_used_a_gpu_tells_of_no_memory_and_starts_none(monkeypatch):
    def touched():
        raise AssertionError("the GPU was started")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    for name in ("synchronize", "reset_peak_memory_stats", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, touched)
    clock = PhaseClock(GpuMemory())
    with clock.measure("gen"):
        pass
    assert list(clock.take()) == ["timing_s/gen"]
