"""One step ahead: the rollouts of the next step are written while the policy learns from those of this one.

Step k + 1 then learns from what the weights of step k - 1 wrote, one step stale, which the ratio of its loss has to
know of: `trainer.one_step_off` (the asynchrony of one step of arXiv 2410.18252). Where the sampler has devices of its
own both happen at once; elsewhere one after the other, with the same result.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radrl.collect import Collected, collect
from radrl.config.schema import Config
from radrl.curriculum import Curriculum, Stage
from radrl.errors import DataError, NoSignal
from radrl.rewards.background import Pending
from radrl.roles import Roles
from radrl.types import Completion, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Rollouts of a step that has not begun."""

    stage: Stage
    collected: Future[Collected]


class Lookahead:
    """Gives each step its rollouts: those written ahead, or else new ones.

    A batch belongs to its stage. Nothing is written ahead at the end of one, nor before a validation that may end it,
    so that nothing is ever thrown away: the step after it starts on policy. A checkpoint holds the completions written
    ahead, since the weights that wrote them are gone by then.
    """

    def __init__(self, config: Config, roles: Roles, curriculum: Curriculum) -> None:
        self._config = config
        self._roles = roles
        self._curriculum = curriculum
        self._ahead: Ahead | None = None

    def take(self, stage: Stage, *, step: int) -> Collected:
        """The rollouts of this step. Raises NoSignal where there is nothing to learn from."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return collect(stage, self._roles.sampler, self._config, step=step)
        assert ahead.stage is stage, f"{ahead.stage.name} was sampled ahead for a step of {stage.name}"
        return ahead.collected.result()

    def begin(self, stage: Stage, *, step: int, is_validated: bool) -> None:
        """Have the rollouts of the step after this one written; `is_validated` says that a validation ends this one."""
        if not self._config.trainer.one_step_off or not self._curriculum.goes_on(is_validated=is_validated):
            return
        sampler, config, is_beside = self._roles.sampler, self._config, self._roles.samples_apart

        def sample() -> Collected:
            return collect(stage, sampler, config, step=step + 1, is_beside=is_beside)

        self._ahead = Ahead(stage=stage, collected=beside(sample) if is_beside else at_once(sample))

    def wait(self) -> None:
        """Return when nothing is being written, so that the sampler may take other weights over."""
        if self._ahead is not None:
            self._ahead.collected.exception()

    def save(self, folder: Path) -> None:
        """Write what was written ahead; nothing where that found no signal, which the next step then finds itself."""
        ahead = self._ahead
        if ahead is None or ahead.collected.exception() is not None:
            return
        collected = ahead.collected.result()
        for pending in (*collected.written, *collected.greedy):
            pending.result()  # Nothing that scores may run beside a checkpoint.
        state = {
            "stage": ahead.stage.name,
            "num_sampled": collected.num_sampled,
            "num_rounds": collected.num_rounds,
            "epoch": collected.epoch,
            "written": _records(collected.written),
            "greedy": _records(collected.greedy),
        }
        (folder / "rollouts.json").write_text(json.dumps(state), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote, and begin to score it again."""
        self._ahead = None
        file = folder / "rollouts.json"
        if not file.exists():
            return
        state = json.loads(file.read_text(encoding="utf-8"))
        stage = next(stage for stage in self._curriculum.stages if stage.name == state["stage"])
        collected = Collected(
            written=_begun(state["written"], stage, file=file),
            greedy=_begun(state["greedy"], stage, file=file),
            num_sampled=state["num_sampled"],
            num_rounds=state["num_rounds"],
            epoch=state["epoch"],
        )
        self._ahead = Ahead(stage=stage, collected=at_once(lambda: collected))


def at_once(work: Callable[[], Collected]) -> Future[Collected]:
    """Do it now. That there is nothing to learn from is raised where the result is asked for: it befalls that step."""
    done: Future[Collected] = Future()
    try:
        done.set_result(work())
    except NoSignal as error:
        done.set_exception(error)
    return done


def beside(work: Callable[[], Collected]) -> Future[Collected]:
    """Do it in a thread of its own, which does not keep an interrupted run from ending."""
    done: Future[Collected] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)

    threading.Thread(target=do, name="lookahead", daemon=True).start()
    return done


def _records(groups: Sequence[Pending]) -> list[list[dict[str, object]]]:
    return [[_record(completion) for completion in pending.completions] for pending in groups]


def _record(completion: Completion) -> dict[str, object]:
    return {
        "id": completion.prompt.sample.id,
        "index": completion.index,
        "text": completion.text,
        "token_ids": completion.token_ids,
        "token_texts": completion.token_texts,
        "logprobs": completion.logprobs,
        "stop": completion.stop,
        "policy_version": completion.policy_version,
        "temperature": completion.temperature,
    }


def _begun(groups: Sequence[Sequence[Mapping[str, Any]]], stage: Stage, *, file: Path) -> tuple[Pending, ...]:
    wanted = {record["id"] for group in groups for record in group}
    prompts = {prompt.sample.id: prompt for prompt in stage.prompts.each(lambda prompt: prompt.sample.id in wanted)}
    return tuple(stage.rubric.begin([_completion(record, prompts, file=file) for record in group]) for group in groups)


def _completion(record: Mapping[str, Any], prompts: Mapping[str, Prompt], *, file: Path) -> Completion:
    if record["id"] not in prompts:
        raise DataError(
            f"{file} holds rollouts of sample {record['id']!r}, which the stage's files no longer have. Bring the old "
            "files back, or start anew with trainer.fresh=true."
        )
    lists = {name: tuple(record[name]) for name in ("token_ids", "token_texts", "logprobs")}
    alone = {name: record[name] for name in ("index", "text", "stop", "policy_version", "temperature")}
    return Completion(prompt=prompts[record["id"]], **lists, **alone)
