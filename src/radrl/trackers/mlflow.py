"""MLflow: `MLFLOW_TRACKING_URI` names a server or a local store, and its other variables how to reach it."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radrl.data.images import open_image
from radrl.generations import Generation
from radrl.trackers.backend import GENERATIONS, About, required

PARAMETERS_A_CALL = 100
"""MLflow takes no more at once."""
LONGEST_PARAMETER = 500
"""Characters of a value that every version of its stores takes."""


class MlflowBackend:
    """A run of an experiment named like the project."""

    name = "mlflow"
    is_local = False
    takes_again = False

    def __init__(self, about: About) -> None:
        self._mlflow = required("mlflow", name=self.name)
        self._entities = required("mlflow.entities", name=self.name)
        self._about = about
        errors = required("mlflow.exceptions", name=self.name)
        self.failures: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError, errors.MlflowException)
        self.place = "mlflow"
        self._client: Any = None
        self._run_id = ""

    def open(self, identity: str | None, *, kept: int) -> str:  # noqa: ARG002
        """Open the run; a new one is given the configuration as parameters."""
        self._client = self._mlflow.MlflowClient()
        self.place = f"mlflow, {self._mlflow.get_tracking_uri()}"
        if identity is not None:
            self._client.update_run(identity, status="RUNNING")
            self._run_id = identity
            return identity
        experiment = self._client.get_experiment_by_name(self._about.project)
        number = experiment.experiment_id if experiment else self._client.create_experiment(self._about.project)
        self._run_id = self._client.create_run(number, run_name=self._about.experiment).info.run_id
        parameters = [
            self._entities.Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in flat(self._about.settings)
        ]
        for start in range(0, len(parameters), PARAMETERS_A_CALL):
            self._client.log_batch(self._run_id, params=parameters[start : start + PARAMETERS_A_CALL])
        return self._run_id

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step; signs that MLflow has no room for in a name become underscores."""
        now_ms = int(time.time() * 1000)
        entries = [
            self._entities.Metric(re.sub(r"[^A-Za-z0-9_\-. /:]", "_", name), value, now_ms, step)
            for name, value in metrics.items()
        ]
        self._client.log_batch(self._run_id, metrics=entries)

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record an artifact, and images beside it."""
        rows = [
            {"input": each.input, "output": each.output, "label": each.label, "score": each.score}
            for each in generations
        ]
        folder = f"{GENERATIONS}/step_{step}"
        self._client.log_dict(self._run_id, {"step": step, "generations": rows}, f"{folder}.json")
        for number, each in enumerate(generations, start=1):
            for place, image in enumerate(each.images, start=1):
                self._client.log_image(self._run_id, open_image(image), artifact_file=f"{folder}/{number}_{place}.png")

    def close(self) -> None:
        """Say that the run has ended."""
        if self._run_id:
            self._client.set_terminated(self._run_id)


def flat(settings: Mapping[str, object], *, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Sections as dotted keys.

    >>> list(flat({"data": {"seed": 1}}))
    [('data.seed', 1)]
    """
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
