"""Ways to run half of training: without updates, without sampling, or on one batch. Each wraps a role or the stages."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from jaxtyping import Float
from torch import Tensor

from radrl.batch import Batch
from radrl.config.schema import Config
from radrl.curriculum import Curriculum
from radrl.data.completions import Recorded, read_steps
from radrl.errors import ConfigError, DataError
from radrl.roles import Actor, Critic, Roles, Sampling
from radrl.types import Completion, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a loop is run with."""

    config: Config
    roles: Roles
    curriculum: Curriculum


def debugged(setting: Setting) -> Setting:
    """Change what the loop is run with as `trainer.debug` says; `overfit_one_batch` is the stages' business."""
    match setting.config.trainer.debug:
        case "rollout_only":
            roles = setting.roles
            critic = roles.critic and IdleCritic(roles.critic)
            idle = dataclasses.replace(roles, actor=IdleActor(roles.actor), critic=critic)
            return dataclasses.replace(setting, roles=idle)
        case "replay":
            return replayed(setting, Path(setting.config.trainer.replay_file or ""))
        case _:
            return setting


def replayed(setting: Setting, file: Path) -> Setting:
    """Take the rollouts from a recorded file: what was filtered out of a step is not in it, so nothing is filtered now.

    Nor is anything sampled for validations and pass rates, which were not recorded.
    """
    curriculum = setting.curriculum
    prompts = {prompt.sample.id: prompt for stage in curriculum.stages for prompt in stage.prompts.items}
    sampler = ReplaySampler(file, prompts=prompts)
    if curriculum.total_steps > sampler.last_step:
        raise ConfigError(
            f"trainer.replay_file = {file} holds rollouts up to step {sampler.last_step}, but the run has "
            f"{curriculum.total_steps} steps. Set trainer.max_steps={sampler.last_step}, or the steps of its stages."
        )
    config = setting.config
    algorithm = config.algorithm.model_copy(update={"online_filtering": False, "filter_when_short": "shorter"})
    trainer = config.trainer.model_copy(
        update={"max_try_make_batch": 1, "val_before_train": False, "one_step_off": False}
    )
    curriculum.stages = [
        dataclasses.replace(stage, validation=None, advance=None, pass_rate=None) for stage in curriculum.stages
    ]
    return Setting(
        config=config.model_copy(update={"algorithm": algorithm, "trainer": trainer}),
        roles=dataclasses.replace(setting.roles, sampler=sampler),
        curriculum=curriculum,
    )


class IdleActor:
    """An actor that scores and never learns."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token under the present weights, without gradient."""
        return self._actor.logprobs(batch)

    def update(self, batch: Batch) -> Mapping[str, float]:  # noqa: ARG002
        """Leave the weights as they are; there is nothing to report."""
        return {}


class IdleCritic:
    """A critic that values and never learns."""

    def __init__(self, critic: Critic) -> None:
        self._critic = critic

    def values(self, batch: Batch) -> Float[Tensor, "T"]:
        """Value of the state before each completion token."""
        return self._critic.values(batch)

    def update(self, batch: Batch) -> Mapping[str, float]:  # noqa: ARG002
        """Leave the weights as they are; there is nothing to report."""
        return {}


class ReplaySampler:
    """Hands out the rollouts of a completions.jsonl again, those of step k when the actor's version is k - 1."""

    def __init__(self, file: Path, *, prompts: Mapping[str, Prompt]) -> None:
        """`prompts` are those of the run's data by the sample's id. Raises DataError for a file of other data."""
        self._steps = {lines[0].step: _groups(lines, prompts, file=file) for lines in read_steps(file)}
        self._version = 0

    @property
    def last_step(self) -> int:
        """The last step that was recorded."""
        return max(self._steps, default=0)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:  # noqa: ARG002
        """Yield the groups of the step as they were recorded, whatever is asked for."""
        yield from self._steps[self._version + 1]

    def publish(self, version: int) -> None:
        """Take note of the version, which says what step comes next."""
        self._version = version


def _groups(
    lines: Sequence[Recorded], prompts: Mapping[str, Prompt], *, file: Path
) -> tuple[tuple[Completion, ...], ...]:
    groups: dict[str, list[Completion]] = {}
    for line in lines:
        sample_id = line.completion.prompt.sample.id
        if sample_id not in prompts:
            raise DataError(
                f"{line.row.origin}: sample {sample_id!r} is not among the run's questions. Give the data.train_files "
                f"that {file} was recorded with."
            )
        group = groups.setdefault(line.group, [])
        group.append(_completion(line, prompts[sample_id], index=len(group)))
    return tuple(tuple(group) for group in groups.values())


def _completion(line: Recorded, prompt: Prompt, *, index: int) -> Completion:
    """The completion with what a rescoring does not need and an update does."""
    fields = line.row.fields
    try:
        completion = dataclasses.replace(
            line.completion,
            prompt=prompt,
            index=index,
            token_texts=tuple(cast("list[str]", fields["raw_completion_tokens"])),
            logprobs=tuple(float(value) for value in cast("list[float]", fields["per_token_logps"])),
            policy_version=int(cast("int", fields["policy_version"])),
            temperature=float(cast("float", fields["temperature"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{line.row.origin}: the line lacks what an update needs ({type(error).__name__}: {error}). Give a "
            "completions.jsonl as radrl train writes it."
        ) from error
    if len(completion.logprobs) != len(completion.token_ids):
        raise DataError(
            f"{line.row.origin}: {len(completion.logprobs)} log-probabilities for {len(completion.token_ids)} tokens. "
            "Give a completions.jsonl as radrl train writes it."
        )
    return completion
