"""Rewards that do what a completion tells them to, none of it good."""

import os
import re
import signal
import sys

import numpy as np


def obeys(attempt):
    match attempt.text:
        case "hang":
            while True:
                pass
        case "hang in C":
            re.match(r"(a+)+$", "a" * 40 + "b")
        case "exit":
            os._exit(3)
        case "leave":
            sys.exit("goodbye")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise KeyError("severity")
        case "nan":
            return float("nan")
        case "text":
            return "1.0"
        case "numpy":
            return np.float32(0.5)
        case "print":
            print("printed by a reward")  # noqa: T201
            os.write(1, b"written to standard output\n")
    return 1.0


def obeys_trl(completions, **kwargs):
    for text in completions:
        if text == "exit":
            os._exit(3)
        if text == "hang":
            while True:
                pass
    return [1.0 for _ in completions]
