"""One conversion, measured: python benchmarks/convert_once.py NAME FOLDER. Rows go to FOLDER/rows."""

import json
import sys
import time
from pathlib import Path

from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import adapter_named
from radrl.data.convert import convert


def convert_once(name: str, folder: Path) -> dict[str, float]:
    """Rows, seconds of wall and of processor time, and the process's memory before and at its peak in MiB."""
    adapter = adapter_named(name)
    before = peak_mib()
    start, start_busy = time.perf_counter(), time.process_time()
    conversion = convert(folder, folder / "rows", adapter=adapter, choices=Choices())
    return {
        "rows": conversion.num_rows,
        "seconds": time.perf_counter() - start,
        "busy_s": time.process_time() - start_busy,
        "before_mib": before,
        "peak_mib": peak_mib(),
    }


def peak_mib() -> float:
    """Most memory that the process has held; the kernel's other count would include the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    print(json.dumps(convert_once(sys.argv[1], Path(sys.argv[2]))))
