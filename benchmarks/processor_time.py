"""Lets an arm count the processor's seconds in place of the clock's, on a machine where other programs run."""

import os
import time

ASKED = "RADRL_BENCHMARK_PROCESSOR_TIME"
"""Variable that the arms look for."""


def count_if_asked() -> None:
    """Make `time.perf_counter`, which both arms are timed by, tell the seconds that this process has computed.

    On one thread and an idle machine they are the clock's.
    """
    if ASKED in os.environ:
        time.perf_counter = time.process_time
