"""Opens the trackers that a configuration names."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

from radrl.config.schema import Config
from radrl.trackers.backend import About, Backend
from radrl.trackers.console import ConsoleBackend
from radrl.trackers.mlflow import MlflowBackend
from radrl.trackers.swanlab import SwanlabBackend
from radrl.trackers.tensorboard import TensorboardBackend
from radrl.trackers.tracked import Tracked
from radrl.trackers.wandb import WandbBackend

BACKENDS: Mapping[str, Callable[[About], Backend]] = {
    "console": lambda _: ConsoleBackend(),
    "tensorboard": TensorboardBackend,
    "wandb": WandbBackend,
    "mlflow": MlflowBackend,
    "swanlab": SwanlabBackend,
}
"""Name in `trainer.logger` -> what wraps the library."""


def open_trackers(config: Config, folder: Path) -> tuple[Tracked, ...]:
    """The trackers that `trainer.logger` names; `auto` is tensorboard where it is installed.

    Raises ConfigError for one whose package is missing. Nothing is reached before the run begins.
    """
    trainer = config.trainer
    about = About(
        folder=folder,
        project=trainer.project_name,
        experiment=trainer.experiment_name,
        settings=config.model_dump(mode="json"),
    )
    return tuple(
        Tracked(
            BACKENDS[name](about),
            folder=folder,
            sends_text=trainer.log_text and trainer.val_generations_to_log > 0,
            sends_images=trainer.log_images,
        )
        for name in _wanted(trainer.logger)
    )


def _wanted(names: tuple[str, ...]) -> list[str]:
    """Names without `auto`, each once."""
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None
    automatic = ["tensorboard"] if "auto" in names and has_tensorboard else []
    return list(dict.fromkeys([*(name for name in names if name != "auto"), *automatic]))
