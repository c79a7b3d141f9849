"""What a tracking library has to be wrapped in, and what it is told of a run when it begins."""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from radrl.errors import ConfigError
from radrl.generations import Generation

GENERATIONS = "val/generations"
"""What trackers call the completions of a validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A run as trackers know it.

    Example: `About(folder=Path("runs/cx/open/logs"), project="cx", experiment="open", settings={"data": {...}})`
    """

    folder: Path
    """Where a library may keep files of its own."""
    project: str
    experiment: str
    settings: Mapping[str, object]
    """The run's configuration, section in section; plain values."""


class Backend(Protocol):
    """One tracking library. Credentials and addresses are its own environment's business."""

    name: str
    """As in `trainer.logger`, and the extra that installs it."""
    failures: tuple[type[Exception], ...]
    """What its calls raise when a home cannot be reached or refuses."""
    is_local: bool
    """Whether all that it is given stays on this machine."""
    takes_again: bool
    """Whether a step may be told again after a resumption; what was told first is then forgotten."""
    place: str
    """Where what it is given goes, for people; known once it is open."""

    def open(self, identity: str | None, *, kept: int) -> str | None:
        """Open the run of this identity, or a new one without any, and return its identity.

        What was told of steps up to `kept` stands; -1 for none.
        """
        ...

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        ...

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record what was written in a validation."""
        ...

    def close(self) -> None:
        """Flush."""
        ...


def required(module: str, *, name: str) -> Any:
    """Import the library of a tracker. Raises ConfigError, naming the extra that installs it, where it is missing."""
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"trainer.logger names {name}, which is not installed. Run pip install 'radrl[{name}]', "
            "or take it out of trainer.logger; metrics.jsonl is written in any case."
        )
    return importlib.import_module(module)
