"""Builds the stages of a run from its configuration: questions, mixtures, rubrics, budgets, validation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.config.schema import Config, RewardConfig, StageConfig
from radrl.curriculum import Budget, Curriculum, Stage, Validation
from radrl.data.load import load_samples
from radrl.data.stream import PromptStream, Quota, RepeatedStream
from radrl.data.twins import pair_twins
from radrl.errors import ConfigError, DataError
from radrl.models.adapter import ModelAdapter
from radrl.rewards.gold import check_gold
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import Rubric
from radrl.types import Prompt, Sample

log = logging.getLogger(__name__)


def build_curriculum(config: Config, adapter: ModelAdapter, pool: RewardPool | None = None) -> Curriculum:
    """Render the prompts of every stage and give each its rubric, whose rewards run in `pool`.

    A run without stages is one stage. Raises `RewardError` for a reward that fails on its own gold answer.
    """
    library = _Library(adapter=adapter, config=config, pool=pool)
    return Curriculum(
        stages=[_build_stage(stage, number, library, config) for number, stage in enumerate(_stages(config))]
    )


def check_rubrics(config: Config, pool: RewardPool | None = None) -> None:
    """Fail before a model is loaded when a reward is unknown or cannot be what its stage asks of it."""
    for stage in _stages(config):
        _rubric(stage, config, pool).check()


def render_prompts(samples: Sequence[Sample], adapter: ModelAdapter, config: Config) -> list[Prompt]:
    """Render every sample for the model; prompts over the limit are dropped and counted, or an error."""
    prompts = [adapter.render(sample) for sample in samples]
    limit = config.data.max_prompt_length
    short = [prompt for prompt in prompts if len(prompt.token_ids) <= limit]
    if len(short) < len(prompts):
        first = next(prompt for prompt in prompts if len(prompt.token_ids) > limit)
        message = (
            f"{len(prompts) - len(short)} of {len(prompts)} prompts are longer than data.max_prompt_length = {limit} "
            f"tokens, the first with {len(first.token_ids)} (sample {first.sample.id}, {first.sample.origin})"
        )
        if not config.data.filter_overlong_prompts or not short:
            raise DataError(f"{message}. Raise data.max_prompt_length or lower data.max_pixels.")
        log.warning("%s; they are left out", message)
    return short


@dataclass(slots=True)
class _Library:
    """What stages share: the rendered prompts of each set of files, and the processes that score."""

    adapter: ModelAdapter
    config: Config
    pool: RewardPool | None
    rendered: dict[tuple[tuple[str, ...], str | None, int], list[Prompt]] = field(
        default_factory=dict[tuple[tuple[str, ...], str | None, int], list[Prompt]]
    )

    def prompts(self, files: tuple[str, ...], *, format_prompt: str | None, at_most: int = -1) -> list[Prompt]:
        """Prompts of the files in their order, the first `at_most` samples only when that is positive."""
        key = (files, format_prompt, at_most)
        if key not in self.rendered:
            samples = load_samples(files, self.config.data.model_copy(update={"format_prompt": format_prompt}))
            chosen = samples[:at_most] if at_most > 0 else samples
            self.rendered[key] = render_prompts(chosen, self.adapter, self.config)
        return self.rendered[key]


def _stages(config: Config) -> Sequence[StageConfig]:
    trainer = config.trainer
    return config.curriculum.stages or (
        StageConfig(name="train", epochs=trainer.total_epochs, steps=trainer.max_steps),
    )


def _build_stage(stage: StageConfig, number: int, library: _Library, config: Config) -> Stage:
    data = stage.data
    files = data.train_files or config.data.train_files
    prompts = library.prompts(files, format_prompt=_format_prompt(stage, config))
    _check_kinds(stage, number, prompts)
    stream_type = RepeatedStream if config.trainer.debug == "overfit_one_batch" else PromptStream
    stream = stream_type(
        prompts,
        seed=config.trainer.seed + number,
        shuffle=config.data.shuffle,
        quotas=_quotas(files, data.weights, data.kinds),
        pair=pair_twins if data.twins else None,
    )
    rubric = _rubric(stage, config, library.pool)
    check_gold(rubric, [prompt.sample for prompt in stream.items], seed=config.trainer.seed)
    return Stage(
        name=stage.name,
        prompts=stream,
        rubric=rubric,
        max_response_length=rubric.max_tokens,
        budget=Budget(epochs=stage.epochs, steps=stage.steps, prompts_a_step=config.data.rollout_batch_size),
        validation=_validation(stage, library, config),
        advance=stage.advance,
        pass_rate=data.pass_rate,
    )


def _quotas(files: Sequence[str], weights: Sequence[float], kinds: Mapping[str, float]) -> list[Quota[Prompt]]:
    """Files by their weights, and kinds of question within each file."""
    quotas: list[Quota[Prompt]] = []
    if weights:
        shares = {str(Path(file)): weight for file, weight in zip(files, weights, strict=True)}
        quotas.append(Quota(shares=shares, part_of=_file_of))
    if kinds:
        quotas.append(Quota(shares=kinds, part_of=lambda prompt: prompt.sample.kind))
    return quotas


def _file_of(prompt: Prompt) -> str:
    return prompt.sample.origin.rpartition(":")[0]


def _check_kinds(stage: StageConfig, number: int, prompts: Sequence[Prompt]) -> None:
    present = {prompt.sample.kind for prompt in prompts}
    missing = sorted(set(stage.data.kinds) - present)
    if missing:
        raise ConfigError(
            f"curriculum stage {stage.name!r} asks for questions of kind {', '.join(missing)}, but its files hold only "
            f"{', '.join(sorted(present))}. Correct curriculum.stages[{number}].data.kinds or add such rows."
        )


def _rubric(stage: StageConfig, config: Config, pool: RewardPool | None) -> Rubric:
    rewards: Sequence[RewardConfig] = stage.rewards or config.rewards
    max_tokens = stage.max_response_length or config.data.max_response_length
    return Rubric(rewards, config.worker.reward.gate, max_tokens=max_tokens, pool=pool)


def _validation(stage: StageConfig, library: _Library, config: Config) -> Validation | None:
    """The stage's own validation questions or else the run's; None without any."""
    files = stage.data.val_files or config.data.val_files
    if not files:
        return None
    sampling = config.worker.rollout.val_override_config
    is_own = bool(stage.data.val_files or stage.rewards)
    return Validation(
        prompts=library.prompts(
            files, format_prompt=_format_prompt(stage, config), at_most=config.data.val_max_samples
        ),
        n=sampling.n,
        temperature=sampling.temperature,
        scale=stage.name if is_own else "",
    )


def _format_prompt(stage: StageConfig, config: Config) -> str | None:
    return stage.data.format_prompt or config.data.format_prompt
