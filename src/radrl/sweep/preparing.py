"""Makes what the runs of a sweep share, once: worlds, models, warm-ups."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.config.sweep import PreparationConfig, SweepConfig
from radrl.durable import move_aside, write_atomically
from radrl.errors import CheckFailed, ConfigError, Interrupted
from radrl.sweep.grid import filled
from radrl.sweep.running import Children, Ledger, Outcome, status_of_exit

log = logging.getLogger(__name__)

RADRL: Final = (sys.executable, "-m", "radrl")
"""The command that prepares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """One thing to be made.

    Example: `Preparation(name="prepare_warm_up_seed1", kind="warm_up", args=("sft", "config=warm_up.yaml"),
                          makes=Path("runs/sweep/warm_up1"), after=("world",))`
    """

    name: str
    """Its name with the seed, fit for a file name."""
    kind: str
    """Its name in the configuration."""
    args: tuple[str, ...]
    makes: Path
    after: tuple[str, ...]

    @property
    def note(self) -> Path:
        """File beside what it makes that says how it was made; it is written last, so that it vouches for the rest."""
        return self.makes.with_name(f"{self.makes.name}.made.json")

    @property
    def is_made(self) -> bool:
        """Whether this very command has made it. Raises ConfigError where another one has."""
        if not (self.note.exists() and self.makes.exists()):
            return False
        made_by = json.loads(self.note.read_text(encoding="utf-8"))
        if made_by != list(self.args):
            raise ConfigError(
                f"{self.makes} was made by `radrl {' '.join(made_by)}`, and {self.kind} (from prepare) would make it "
                f"by `radrl {' '.join(self.args)}`. What was trained from it would not compare; give another out=."
            )
        return True


def prepare(sweep: SweepConfig, ledger: Ledger, *, radrl: Sequence[str]) -> None:
    """Make everything that is not there yet, `jobs` at a time, each after those that it names.

    Raises CheckFailed when one of them fails, and ConfigError when they wait for each other.
    """
    for wave in _waves(list(_preparations(sweep))):
        waiting = [one for one in wave if not one.is_made]
        with Children(jobs=sweep.jobs).handling_signals() as children, ThreadPoolExecutor(sweep.jobs) as pool:
            outcomes = list(pool.map(lambda one: _make(one, ledger, children, radrl=radrl), waiting))
        for outcome in outcomes:
            if outcome is not None:
                ledger.add(outcome)
        if children.stop_signal is not None:
            raise Interrupted(children.stop_signal, 0)
        _complain(waiting, outcomes, ledger)


def _preparations(sweep: SweepConfig) -> Iterator[Preparation]:
    names = {one.name for one in sweep.prepare}
    for one in sweep.prepare:
        unknown = sorted(set(one.after) - names)
        if unknown:
            raise ConfigError(
                f"{one.name} (from prepare) is to be made after {', '.join(unknown)}, which is not prepared. Name one "
                f"of {', '.join(sorted(names))}."
            )
        is_of_seed = any("{seed}" in str(text) for text in (*one.command, one.makes))
        for seed in sweep.seeds if is_of_seed else (None,):
            yield _preparation(one, out=sweep.out, seed=seed)


def _preparation(one: PreparationConfig, *, out: str, seed: int | None) -> Preparation:
    return Preparation(
        name=f"prepare_{one.name}" if seed is None else f"prepare_{one.name}_seed{seed}",
        kind=one.name,
        args=tuple(filled(str(text), out=out, seed=seed) for text in one.command),
        makes=Path(filled(one.makes, out=out, seed=seed)),
        after=one.after,
    )


def _waves(preparations: list[Preparation]) -> Iterator[list[Preparation]]:
    """Groups that can be made together, in order."""
    waiting = preparations
    while waiting:
        names = {one.kind for one in waiting}
        wave = [one for one in waiting if not names & set(one.after)]
        if not wave:
            raise ConfigError(f"{', '.join(sorted(names))} (from prepare) wait for each other. Correct their `after`.")
        yield wave
        waiting = [one for one in waiting if one not in wave]


def _make(one: Preparation, ledger: Ledger, children: Children, *, radrl: Sequence[str]) -> Outcome | None:
    if children.stop_signal is not None:
        return None
    log.info("%s: running", one.name)
    file, start = ledger.new_log(one.name), time.monotonic()
    if one.makes.exists():
        move_aside(one.makes)  # left by an attempt that did not end
    exit_code = children.call([*radrl, *one.args], log=ledger.folder / file)
    status = status_of_exit(exit_code)
    if status == "done" and not one.makes.exists():
        status = "failed"
    if status == "done":
        write_atomically(one.note, json.dumps(one.args))
    log.info("%s: %s after %.0f s (%s)", one.name, status, time.monotonic() - start, file)
    return Outcome(name=one.name, status=status, exit_code=exit_code, seconds=time.monotonic() - start, log=str(file))


def _complain(wave: Sequence[Preparation], outcomes: Sequence[Outcome | None], ledger: Ledger) -> None:
    for one, outcome in zip(wave, outcomes, strict=True):
        if outcome is None or outcome.status == "done":
            continue
        why = f"did not make {one.makes}" if outcome.exit_code == 0 else f"ended with exit code {outcome.exit_code}"
        raise CheckFailed(
            f"`radrl {' '.join(one.args)}` (from prepare, {one.kind}) {why}. It says why in "
            f"{ledger.folder / outcome.log}; the same command goes on from here."
        )
