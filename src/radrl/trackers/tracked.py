"""A tracker that cannot end a run, repeats no step of it, and is given no text or images that were not asked for."""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radrl.durable import write_atomically
from radrl.errors import ConfigError
from radrl.generations import Generation
from radrl.trackers.backend import GENERATIONS, Backend

log = logging.getLogger(__name__)

LONGEST_REST = 50
"""Most calls that a library which fails is left alone for; one that waits for a server costs each step its patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a library knows of a run already, kept in `logs/{name}.json`.

    Example: `Told(identity="3f9c01ab", step=12, names=("outcome/mean", "reward/total/mean"))`
    """

    identity: str | None = None
    """The remote run, which a resumed run goes on with."""
    step: int = -1
    """The last step that it was told of; -1 for none."""
    names: tuple[str, ...] = ()
    """Metrics of that step."""

    def news(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Those of a step's metrics that it has not been told."""
        if step < self.step:
            return {}
        return {name: value for name, value in metrics.items() if step > self.step or name not in self.names}

    def after(self, step: int, names: Sequence[str]) -> "Told":
        """What it knows when it has been told these."""
        known = self.names if step == self.step else ()
        return dataclasses.replace(self, step=step, names=(*known, *names))


class Tracked:
    """A tracker of a run, around a library."""

    def __init__(self, backend: Backend, *, folder: Path, sends_text: bool, sends_images: bool) -> None:
        """`sends_text` and `sends_images` are what the user allows; text stays with a library that is local anyway."""
        self.backend = backend
        self.name = backend.name
        self.num_failed = 0
        self._file = folder / f"{backend.name}.json"
        self._told = Told()
        self._gets_text = sends_text or backend.is_local
        self._gets_images = sends_images and self._gets_text
        self._rest = 0

    def begin(self, *, kept: int) -> None:
        """Open the run that the folder knows of, or a new one, and say where text will go."""
        if self._file.exists():
            self._told = Told(**json.loads(self._file.read_text(encoding="utf-8")))
        try:
            identity = self.backend.open(self._told.identity, kept=kept)
        except self.backend.failures as error:
            raise ConfigError(
                f"trainer.logger names {self.name}, which cannot be opened: {type(error).__name__}: {error}. Correct "
                f"its environment, or take it out of trainer.logger; metrics.jsonl is written in any case."
            ) from error
        if identity is not None:
            self._remember(dataclasses.replace(self._told, identity=identity))
        if self._gets_text and not self.backend.is_local:
            log.warning(
                "trainer.log_text: questions and completions of validations, which may hold patient text, go to %s%s",
                self.backend.place,
                ", with their radiographs" if self._gets_images else "",
            )

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step, those it was told before a resumption left out."""
        news = dict(metrics) if self.backend.takes_again else self._told.news(step, metrics)
        if news:
            self._try(lambda: self.backend.write(step, news), step=step, names=tuple(news))

    def show(self, step: int, generations: Sequence[Generation]) -> None:
        """Record what was written in a validation, as far as the user lets it leave."""
        is_new = self.backend.takes_again or self._told.news(step, {GENERATIONS: 0.0})
        if not self._gets_text or not is_new:
            return
        if not self._gets_images:
            generations = [dataclasses.replace(generation, images=()) for generation in generations]
        self._try(lambda: self.backend.show(step, generations), step=step, names=(GENERATIONS,))

    def close(self) -> None:
        """Flush."""
        self._rest = 0
        self._try(self.backend.close, step=self._told.step, names=())

    def _try(self, call: Callable[[], None], *, step: int, names: Sequence[str]) -> None:
        """Make a call and remember it. After one that fails, as many are left out as have failed so far."""
        if self._rest:
            self._rest -= 1
            self.num_failed += 1
            return
        try:
            call()
            if not self.backend.takes_again:
                self._remember(self._told.after(step, names))
        except (OSError, *self.backend.failures) as error:
            if not self.num_failed:
                log.warning(
                    "%s fails: %s: %s. The run goes on without it, and tries again now and then; "
                    "tracker/%s/failed counts the calls that came to nothing",
                    self.name, type(error).__name__, error, self.name,
                )  # fmt: skip
            self.num_failed += 1
            self._rest = min(self.num_failed, LONGEST_REST)

    def _remember(self, told: Told) -> None:
        if told != self._told:
            self._told = told
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(dataclasses.asdict(told)))
