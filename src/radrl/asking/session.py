"""All questions of one evaluation, pass by pass: asked once, kept on the disk, and read from there."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.progress import Progress

from radrl.asking.decided import enter_folder, what_decides
from radrl.asking.opening import num_asked_together, open_respondent, shares_of_machine
from radrl.asking.record import Record
from radrl.asking.respondent import MAIN, Ask, Respondent
from radrl.asking.workers import VISIBLE, Open, Task, Workers, open_workers
from radrl.config.evaluation import EvaluateConfig
from radrl.errors import DataError
from radrl.evaluation.responses import Response
from radrl.progress import counted_columns
from radrl.types import Sample

log = logging.getLogger(__name__)


@contextmanager
def open_asking(
    config: EvaluateConfig,
    samples: Sequence[Sample],
    *,
    progress: bool = True,
    open_with: Open = open_respondent,
) -> Iterator[Ask]:
    """What puts questions to the configured model, and goes on with an earlier evaluation of `config.out`.

    `samples` are the questions of the first pass, by which an earlier evaluation is known to be the same. The model is
    opened when a question has to be asked. Raises ConfigError where the folder holds another evaluation.
    """
    folder = Path(config.out)
    enter_folder(folder, what_decides(config, samples), fresh=config.fresh)
    if config.backend == "predictions":
        yield asked_directly(open_with(config), progress=progress)
        return
    with ExitStack() as stack:
        yield _Session(config, folder, stack, open_with=open_with, progress=progress).ask


def asked_directly(respondent: Respondent, *, progress: bool) -> Ask:
    """What puts questions to a model that is open already; nothing is kept."""

    def ask(samples: Sequence[Sample], pass_name: str) -> list[Response]:
        with _bar(pass_name, total=len(samples), done=0, is_shown=progress) as advance:
            responses: list[Response] = []
            for response in respondent.respond(samples, range(len(samples))):
                responses.append(response)
                advance(response.index == 0)
        return _answered(responses)

    return ask


class _Session:
    def __init__(
        self, config: EvaluateConfig, folder: Path, stack: ExitStack, *, open_with: Open, progress: bool
    ) -> None:
        """What is opened is closed with the stack."""
        self._config = config
        self._folder = folder
        self._stack = stack
        self._open_with = open_with
        self._progress = progress
        self._record = Record(folder)
        self._respondent: Respondent | None = None
        self._workers: Workers | None = None

    def ask(self, samples: Sequence[Sample], pass_name: str) -> list[Response]:
        """Ask what was not answered before; responses of all questions, in order."""
        config, record = self._config, self._record
        shares = [range(number, len(samples), config.workers) for number in range(config.workers)]
        missing = [self._missing(samples, share, pass_name=pass_name) for share in shares]
        num_missing = sum(map(len, missing))
        if num_missing:
            record.forget((samples[place] for places in missing for place in places), pass_name=pass_name)
            done = len(samples) - num_missing
            if done:
                log.info("%s: %d of %d questions were answered before", pass_name, done, len(samples))
            with _bar(pass_name, total=len(samples), done=done, is_shown=self._progress) as advance:
                ask = self._ask_workers if config.workers > 1 else self._ask_here
                for number, _ in enumerate(ask(samples, missing, pass_name), start=1):
                    advance(number % config.n == 0)
        else:
            log.info("%s: all %d questions were answered before, in %s", pass_name, len(samples), record.file)
        return _answered(record.read(samples, pass_name=pass_name, n=config.n))

    def _missing(self, samples: Sequence[Sample], share: range, *, pass_name: str) -> list[int]:
        """Places that are to be asked: of questions that are asked together all, if one is missing."""
        missing: list[int] = []
        size = num_asked_together(self._config)
        for places in (share[start : start + size] for start in range(0, len(share), size)):
            if not all(self._record.has(samples[place], pass_name=pass_name, n=self._config.n) for place in places):
                missing += places
        return missing

    def _ask_here(self, samples: Sequence[Sample], missing: Sequence[Sequence[int]], pass_name: str) -> Iterator[None]:
        (places,) = missing
        self._respondent = self._respondent or self._open_with(self._config)
        for response in self._respondent.respond([samples[place] for place in places], places):
            self._record.append(response, pass_name=pass_name)
            yield

    def _ask_workers(
        self, samples: Sequence[Sample], missing: Sequence[Sequence[int]], pass_name: str
    ) -> Iterator[None]:
        if self._workers is None:
            shares = shares_of_machine(self._config, visible=os.environ.get(VISIBLE))
            self._workers = self._stack.enter_context(
                open_workers(self._config, folder=self._folder, open_respondent=self._open_with, shares=shares)
            )
        yield from self._workers.answer(
            [
                Task(pass_name=pass_name, samples=tuple(samples[place] for place in places), places=tuple(places))
                for places in missing
            ]
        )
        self._record.gather()


def _answered(responses: list[Response]) -> list[Response]:
    """The responses. Raises DataError when not one is an answer."""
    failures = [response.failure for response in responses if response.failure is not None]
    if failures and len(failures) == len(responses):
        raise DataError(
            f"none of {len(responses)} questions was answered, the first because of: {failures[0]}. There is nothing "
            "to measure; see what is asked, and give the same command again."
        )
    return responses


@contextmanager
def _bar(pass_name: str, *, total: int, done: int, is_shown: bool) -> Iterator[Callable[[bool], None]]:
    """A progress bar while the block runs; call what it yields with whether one more question is done."""
    title = "evaluate" if pass_name == MAIN else f"evaluate, {pass_name}"
    with Progress(*counted_columns(), disable=not is_shown) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda is_done: bar.advance(task, int(is_done))
