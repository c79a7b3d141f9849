"""Scalars, texts and images for `tensorboard --logdir RUN/logs`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from radrl.data.images import open_image
from radrl.generations import Generation
from radrl.trackers.backend import GENERATIONS, About, required


class TensorboardBackend:
    """Event files in the run's folder."""

    name = "tensorboard"
    failures: tuple[type[Exception], ...] = (OSError, ValueError)
    is_local = True
    takes_again = True

    def __init__(self, about: About) -> None:
        required("tensorboard", name=self.name)
        self._about = about
        self.place = str(about.folder)
        self._writer: Any = None

    def open(self, identity: str | None, *, kept: int) -> None:  # noqa: ARG002
        """Begin a file of events that stand instead of those that earlier files hold of later steps."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._about.folder), purge_step=kept + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record texts, and images where there are any."""
        for number, generation in enumerate(generations, start=1):
            self._writer.add_text(f"{GENERATIONS}/{number}", as_markdown(generation), step)
            for place, image in enumerate(generation.images, start=1):
                pixels = np.asarray(open_image(image))
                self._writer.add_image(f"{GENERATIONS}/{number}/image_{place}", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Flush."""
        if self._writer is not None:
            self._writer.close()


def as_markdown(generation: Generation) -> str:
    """A generation as Markdown whose texts are read as they are: in blocks of code, indented."""
    texts = {"input": generation.input, "output": generation.output, "label": generation.label}
    parts = ["\n".join([f"**{title}**", "", *(f"    {line}" for line in texts[title].splitlines())]) for title in texts]
    return "\n\n".join([*parts, f"**score** {generation.score:g}"])
