"""Shims over other libraries."""

import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_keeping_freed_memory_loads_no_heavy_library() -> None:
    code = "import sys; from radrl import compat; compat.keep_freed_memory(); print('torch' in sys.modules)"
    assert run(code).strip() == "False"
