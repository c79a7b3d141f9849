"""Runs the command line in processes of its own, which tests may kill, interrupt or squeeze.

Importing torch and transformers takes longer than most of these runs, so `radrl` forks its processes from one that has
imported them already. `run_script` starts them as a shell does.
"""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from tempfile import NamedTemporaryFile
from unittest import mock

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "200",
}
TIMEOUT_S = 300
FORKS = multiprocessing.get_context("forkserver")
# Python has one fork server a process, which whoever comes first sets up: the workers of rewards, with other modules
# and another environment.
SERVER = forkserver.ForkServer()
SERVER.set_forkserver_preload(["radrl.train", "radrl.evaluate", "radrl.models.command", "radrl.report.build"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended."""

    code: int
    """Exit code; minus the number of the signal that killed it."""
    output: str
    """What it wrote to standard output and standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The `count`-th time that a process is about to do `event` with a path that contains `part`.

    Example: `Moment(event="os.rename", part="global_step_4")` is when the checkpoint of step 4 is about to be named.
    """

    part: str
    event: str = ""
    """Name of a CPython audit event; empty is any."""
    count: int = 1


def radrl(
    *args: str,
    folder: Path,
    moment: Moment | None = None,
    sends: signal.Signals = signal.SIGKILL,
    largest_file_bytes: int | None = None,
) -> Ended:
    """Run `radrl ARGS` in a folder; at a moment, if one is given, the process gets a signal.

    With `largest_file_bytes` the system refuses to write more than that to any file.
    """
    with NamedTemporaryFile() as log:
        process = FORKS.Process(target=_command, args=(args, folder, Path(log.name), moment, sends, largest_file_bytes))
        own_server = mock.patch.object(forkserver, "connect_to_new_process", SERVER.connect_to_new_process)
        with mock.patch.dict(os.environ, ENVIRONMENT), own_server:
            process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        return Ended(code=process.exitcode or 0, output=Path(log.name).read_text(encoding="utf-8", errors="replace"))


def run_script(*command: str, folder: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a program in a folder as a shell does; `radrl` and `python` are those of this environment."""
    program = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ended(code=done.returncode, output=done.stdout)


def _command(
    args: Sequence[str],
    folder: Path,
    log: Path,
    moment: Moment | None,
    sends: signal.Signals,
    largest_file_bytes: int | None,
) -> None:
    from radrl.cli import app

    os.chdir(folder)
    # Tests that run in the background inherit an ignored Ctrl-C; a process at a terminal does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    if largest_file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))
    if moment is not None:
        sys.addaudithook(_Sender(moment, sends))
    app(list(args), prog_name="radrl")


class _Sender:
    """Counts what a process does with files and sends it a signal at the moment."""

    def __init__(self, moment: Moment, sends: signal.Signals) -> None:
        self.moment = moment
        self.sends = sends
        self.num_seen = 0

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if event != self.moment.event and (self.moment.event or not event.startswith(("open", "os.", "shutil."))):
            return
        if any(self.moment.part in os.fspath(arg) for arg in args if isinstance(arg, (str, Path))):
            self.num_seen += 1
            if self.num_seen == self.moment.count:
                os.kill(os.getpid(), self.sends)
