"""The process of a worker, without a cluster around it."""

import subprocess
import sys
from pathlib import Path

from radrl.cluster.host import ORPHANED

SCRIPT = """
import sys, threading, time
from radrl.cluster.host import Host

host = Host()
host.settle("worker-3", sys.argv[1], 0.05)
if sys.argv[2] == "beaten":
    for _ in range(20):
        time.sleep(0.02)
        host.beat()
    sys.exit(0)
threading.Event().wait(60)
"""


def process(logs: Path, how: str) -> int:
    return subprocess.run([sys.executable, "-c", SCRIPT, str(logs), how], timeout=60, check=False).returncode


def test_a_worker_that_hears_nothing_ends_itself_and_leaves_a_note(tmp_path):
    assert process(tmp_path, "left alone") == ORPHANED
    note = (tmp_path / "orphan-worker-3.txt").read_text()
    assert "worker-3" in note
    assert "heard nothing from the run's process for 0.2 s" in note


def test_a_worker_that_hears_beats_goes_on(tmp_path):
    assert process(tmp_path, "beaten") == 0
    assert not (tmp_path / "orphan-worker-3.txt").exists()
