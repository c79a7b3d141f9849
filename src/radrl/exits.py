"""How a command ends: exit codes, and one sentence instead of a traceback for what a user can mend."""

import logging
import sys
from collections.abc import Callable, Sequence

from radrl.errors import CheckFailed, ClusterError, Interrupted, NoSignal, RadrlError

DONE = 0
CHECK_FAILED = 1
BAD_INPUT = 2
NO_SIGNAL = 3
WORKER_LOST = 4


def guarded(command: Callable[[Sequence[str]], object], args: Sequence[str]) -> int:
    """Run a command and turn how it ends into an exit code.

    0 done, 1 a check failed, 2 bad input, 3 nothing to learn from, 4 a worker of the cluster was lost, 128 + signal.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        command(args)
    except CheckFailed as error:
        return _say(f"failed: {error}", CHECK_FAILED)
    except NoSignal as error:
        return _say(f"stopped: {error} The state is saved.", NO_SIGNAL)
    except ClusterError as error:
        return _say(f"stopped: {error}", WORKER_LOST)
    except RadrlError as error:
        return _say(f"error: {error}", BAD_INPUT)
    except Interrupted as stop:
        return _say(f"saved after step {stop.step}. The same command goes on from there.", 128 + stop.signal_number)
    except KeyboardInterrupt:
        return _say(
            "stopped at once. When the same command is given, a training run goes on from its last checkpoint and an "
            "evaluation from its last answer.",
            130,
        )
    return DONE


def _say(message: str, code: int) -> int:
    sys.stderr.write(message + "\n")
    return code
