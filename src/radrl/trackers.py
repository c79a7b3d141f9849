"""Homes for metrics besides metrics.jsonl, each an optional package."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radrl.errors import ConfigError
from radrl.run import Tracker


class TensorboardTracker:
    """Scalars for `tensorboard --logdir RUN/logs`."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush."""
        self._writer.close()


def open_trackers(names: Sequence[str], folder: Path) -> tuple[Tracker, ...]:
    """Open what `trainer.logger` names; `auto` is tensorboard where it is installed."""
    is_installed = importlib.util.find_spec("tensorboard") is not None
    if "tensorboard" in names and not is_installed:
        raise ConfigError(
            "trainer.logger names tensorboard, which is not installed. Run pip install 'radrl[tensorboard]', "
            "or take it out of trainer.logger; metrics.jsonl is written in any case."
        )
    wants = "tensorboard" in names or ("auto" in names and is_installed)
    return (TensorboardTracker(folder),) if wants else ()
