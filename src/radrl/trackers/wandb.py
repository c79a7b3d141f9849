"""Weights & Biases: `WANDB_API_KEY`, `WANDB_MODE`, `WANDB_BASE_URL` and its other variables say how and where."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from radrl.data.images import open_image
from radrl.generations import Generation
from radrl.trackers.backend import GENERATIONS, About, required


class WandbBackend:
    """A run of wandb, which is online or, with WANDB_MODE=offline, a folder that `wandb sync` uploads."""

    name = "wandb"
    is_local = False
    takes_again = False

    def __init__(self, about: About) -> None:
        self._wandb = required("wandb", name=self.name)
        self._about = about
        self.failures: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError, self._wandb.Error)
        self.place = "wandb"
        self._run: Any = None

    def open(self, identity: str | None, *, kept: int) -> str:  # noqa: ARG002
        """Open the run. What the process prints, its code and its repository stay here."""
        about, identity = self._about, identity or uuid4().hex[:8]
        about.folder.mkdir(parents=True, exist_ok=True)
        self._run = self._wandb.init(
            project=about.project,
            name=about.experiment,
            id=identity,
            resume="allow",
            dir=str(about.folder),
            config=dict(about.settings),
            allow_val_change=True,
            settings=self._wandb.Settings(console="off", save_code=False, disable_code=True, disable_git=True),
        )
        self.place = f"wandb, offline, in {about.folder}" if self._run.offline else f"wandb, {self._run.url}"
        return identity

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        self._run.log(dict(metrics), step=step)

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record a table, and images that name the row they belong to."""
        table = self._wandb.Table(columns=["input", "output", "label", "score"])
        for each in generations:
            table.add_data(each.input, each.output, each.label, each.score)
        images = [
            self._wandb.Image(open_image(image), caption=f"row {number}")
            for number, each in enumerate(generations, start=1)
            for image in each.images
        ]
        self._run.log({GENERATIONS: table} | ({f"{GENERATIONS}/images": images} if images else {}), step=step)

    def close(self) -> None:
        """Wait until everything is sent."""
        if self._run is not None:
            self._run.finish()
