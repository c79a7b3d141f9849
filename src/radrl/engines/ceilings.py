"""What a device can do: measured once and remembered, and the makers' figures that utilisation goes by."""

import json
import logging
import platform
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from radrl.durable import write_atomically
from radrl.graph.cache import default_folder

log = logging.getLogger(__name__)

_GPU_SIZES = (8192, 1 << 31)
"""Side of the matrices and bytes of the copy, on a GPU: large enough that starting a kernel does not count."""
_CPU_SIZES = (1024, 1 << 27)
_REPEATS = 5
"""The best of so many counts; the first, which warms up, does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The most that a device was seen, or is said, to do.

    Example: one H200 in bfloat16, measured: `Ceilings(flops_per_s=7.82e14, bytes_per_s=4.1e12, source="measured")`
    """

    flops_per_s: float
    """Operations of a large matrix product; a multiplication and an addition are two."""
    bytes_per_s: float
    """Bytes read and written by a large copy."""
    source: Literal["measured", "datasheet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasheet:
    """What the maker says of a GPU: dense bfloat16 with float32 sums, without the doubling by sparsity.

    Example: `Datasheet(name="H200", bf16_flops_per_s=989e12, bytes_per_s=4.8e12, memory_gb=141)`
    """

    name: str
    bf16_flops_per_s: float
    bytes_per_s: float
    memory_gb: float

    @property
    def ceilings(self) -> Ceilings:
        """The same as ceilings, for a machine that is not at hand."""
        return Ceilings(flops_per_s=self.bf16_flops_per_s, bytes_per_s=self.bytes_per_s, source="datasheet")


_DATASHEETS = (
    (r"GH200", 989e12, 4.0e12, 96),
    (r"H200 NVL", 835e12, 4.8e12, 141),
    (r"H200", 989e12, 4.8e12, 141),
    (r"H100 PCIe", 756e12, 2.0e12, 80),
    (r"H100 NVL", 835e12, 3.9e12, 94),
    (r"H100", 989e12, 3.35e12, 80),
    (r"H800", 989e12, 3.35e12, 80),
    (r"H20", 148e12, 4.0e12, 96),
    (r"B200", 2250e12, 8.0e12, 180),
    (r"A100.*40GB", 312e12, 1.555e12, 40),
    (r"A100", 312e12, 2.039e12, 80),
    (r"A800", 312e12, 2.039e12, 80),
    (r"A40", 149.7e12, 0.696e12, 48),
    (r"A30", 165e12, 0.933e12, 24),
    (r"A10", 125e12, 0.6e12, 24),
    (r"L40S", 362e12, 0.864e12, 48),
    (r"L40", 181e12, 0.864e12, 48),
    (r"L20", 119.5e12, 0.864e12, 48),
    (r"L4", 121e12, 0.3e12, 24),
    (r"RTX 6000 Ada", 364.2e12, 0.96e12, 48),
    (r"RTX A6000", 154.8e12, 0.768e12, 48),
    (r"RTX 5090", 209.5e12, 1.792e12, 32),
    (r"RTX 4090", 165.2e12, 1.008e12, 24),
    (r"RTX 3090", 71e12, 0.936e12, 24),
)
"""Pattern of the device's name, figures. The first that matches counts, and only whole words do: an H200 is no H20."""


def datasheet_of(device_name: str) -> Datasheet | None:
    """The maker's figures of a GPU by the name that torch gives it; None for one that is not in the table.

    >>> datasheet_of("NVIDIA H200").bf16_flops_per_s
    989000000000000.0
    """
    for pattern, flops, rate, memory in _DATASHEETS:
        if re.search(rf"\b{pattern}\b", device_name, re.IGNORECASE):
            name = pattern.replace(".*", " ")
            return Datasheet(name=name, bf16_flops_per_s=flops, bytes_per_s=rate, memory_gb=float(memory))
    return None


def known_hardware() -> tuple[str, ...]:
    """Names of the table, as a configuration may give them."""
    return tuple(pattern.replace(".*", " ") for pattern, *_ in _DATASHEETS)


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()


def ceilings_of(device: torch.device, dtype: torch.dtype, *, folder: Path | None = None) -> Ceilings:
    """Ceilings of this device, measured when no earlier run of this user has, which takes about a second.

    They are kept in `folder`, else in the user's cache folder, which `RADRL_CACHE` moves, by device, torch version,
    type and, on a CPU, threads. A file that cannot be read is measured anew.
    """
    file = (folder or default_folder()) / "ceilings.json"
    known = _remembered(file)
    key = f"{device_name(device)} | torch {torch.__version__} | {str(dtype).removeprefix('torch.')}"
    if device.type == "cpu":
        key += f" | {torch.get_num_threads()} threads"
    if key not in known:
        known[key] = measure(device, dtype)
        _remember(file, known)
    return known[key]


def measure(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Time a large matrix product and a large copy, on random numbers: zeros take less power and run faster."""
    side, num_bytes = _GPU_SIZES if device.type == "cuda" else _CPU_SIZES
    left = torch.randn(side, side, device=device, dtype=dtype)
    right = torch.randn(side, side, device=device, dtype=dtype)
    product = torch.empty_like(left)
    source = torch.randint(0, 256, (num_bytes,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    with torch.no_grad():
        matmul_s = _best_seconds(lambda: torch.mm(left, right, out=product), device)
        copy_s = _best_seconds(lambda: target.copy_(source), device)
    return Ceilings(flops_per_s=2.0 * side**3 / matmul_s, bytes_per_s=2.0 * num_bytes / copy_s, source="measured")


def _best_seconds(work: Callable[[], object], device: torch.device) -> float:
    work()
    return min(_gpu_seconds(work) if device.type == "cuda" else _cpu_seconds(work) for _ in range(_REPEATS))


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _gpu_seconds(work: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


def _remembered(file: Path) -> dict[str, Ceilings]:
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        known = {key: Ceilings(**values) for key, values in content.items()}
        if any(not (one.flops_per_s > 0 and one.bytes_per_s > 0) for one in known.values()):
            raise ValueError("a ceiling is not positive")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): the device's ceilings are measured again", file, error)
        return {}
    return known


def _remember(file: Path, known: dict[str, Ceilings]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({key: asdict(one) for key, one in known.items()}, indent=1))
    except OSError as error:
        log.warning("%s cannot be written (%s): the next run measures the device's ceilings again", file, error)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
