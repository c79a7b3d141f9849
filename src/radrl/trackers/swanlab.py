"""SwanLab: `SWANLAB_API_KEY`, `SWANLAB_MODE` and its other variables say how and where."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from radrl.data.images import open_image
from radrl.generations import Generation
from radrl.trackers.backend import GENERATIONS, About, required


class SwanlabBackend:
    """An experiment of SwanLab, which is online or, with SWANLAB_MODE=offline, a folder that `swanlab sync` uploads."""

    name = "swanlab"
    is_local = False
    takes_again = False

    def __init__(self, about: About) -> None:
        self._swanlab = required("swanlab", name=self.name)
        self._about = about
        errors = required("swanlab.exceptions", name=self.name)
        self.failures: tuple[type[Exception], ...] = (
            OSError,
            RuntimeError,
            ValueError,
            errors.AuthenticationError,
        )
        self.place = "swanlab"
        self._run: Any = None

    def open(self, identity: str | None, *, kept: int) -> str:  # noqa: ARG002
        """Open the experiment. What the process prints stays here, and nobody is asked for a key."""
        about, identity = self._about, identity or uuid4().hex[:8]
        about.folder.mkdir(parents=True, exist_ok=True)
        settings = self._swanlab.Settings
        self._run = self._swanlab.init(
            project=about.project,
            name=about.experiment,
            id=identity,
            resume="allow",
            log_dir=str(about.folder / self.name),
            config=dict(about.settings),
            settings=settings(interactive=False, terminal=settings.Terminal(proxy_type="none")),
        )
        self.place = f"swanlab, or where SWANLAB_MODE says, by way of {about.folder / self.name}"
        return identity

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        self._run.log(dict(metrics), step=step)

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record a text a generation, and images beside them."""
        texts = [self._swanlab.Text(as_text(each), caption=f"score {each.score:g}") for each in generations]
        self._run.log({GENERATIONS: texts}, step=step)
        images = [
            self._swanlab.Image(open_image(image), caption=f"text {number}")
            for number, each in enumerate(generations, start=1)
            for image in each.images
        ]
        if images:
            self._run.log({f"{GENERATIONS}/images": images}, step=step)

    def close(self) -> None:
        """Wait until everything is sent."""
        if self._run is not None:
            self._run.finish()


def as_text(generation: Generation) -> str:
    """A generation as plain text."""
    return f"input:\n{generation.input}\n\noutput:\n{generation.output}\n\nlabel:\n{generation.label}"
