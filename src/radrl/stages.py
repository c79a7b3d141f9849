"""Builds the stages of a run from its configuration: questions, mixtures, rubrics, budgets, validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.config.schema import Config, RewardConfig, StageConfig, StageData
from radrl.curriculum import Budget, Curriculum, Stage, Validation
from radrl.data.dropped import DropList
from radrl.data.duplicates import check_apart
from radrl.data.load import load_samples
from radrl.data.mixture import by_source
from radrl.data.overlong import LengthIndex, fitting
from radrl.data.prompts import LazyPrompts, unrendered
from radrl.data.stream import PromptStream, Quota, RepeatedStream
from radrl.data.twins import pair_twins
from radrl.errors import ConfigError
from radrl.graph.cache import default_folder
from radrl.models.adapter import ModelAdapter
from radrl.rewards.gold import check_gold
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import Rubric
from radrl.types import Prompt, Sample


def build_curriculum(
    config: Config, adapter: ModelAdapter, pool: RewardPool | None = None, drops: DropList | None = None
) -> Curriculum:
    """Find the questions of every stage that fit the model and give each stage its rubric, whose rewards run in `pool`.

    A run without stages is one stage. What is left out is noted in `drops`. Raises `RewardError` for a reward that
    fails on its own gold answer.
    """
    library = _Library(adapter=adapter, config=config, pool=pool, drops=DropList() if drops is None else drops)
    stages = _stages(config)
    check_apart(
        [sample for stage in stages for sample in _train_samples(stage, library, config)],
        [sample for stage in stages for sample in _val_samples(stage, library, config)],
        mode=config.data.near_duplicates,
    )
    return Curriculum(stages=[_build_stage(stage, number, library, config) for number, stage in enumerate(stages)])


def check_rubrics(config: Config, pool: RewardPool | None = None) -> None:
    """Fail before a model is loaded when a reward is unknown or cannot be what its stage asks of it."""
    for stage in _stages(config):
        _rubric(stage, config, pool).check()


def fitting_samples(samples: Sequence[Sample], adapter: ModelAdapter, config: Config, drops: DropList) -> list[Sample]:
    """The samples whose prompts fit the model; the others are noted in `drops` and left out, or the first is an error.

    Lengths are kept between runs in `data.overlong_cache`.
    """
    data = config.data
    folder = default_folder() if data.overlong_cache is None else Path(data.overlong_cache)
    index = None if adapter.fingerprint is None else LengthIndex(folder, fingerprint=adapter.fingerprint)
    return fitting(
        samples,
        limit=data.max_prompt_length,
        drops_overlong=data.filter_overlong_prompts,
        measure=adapter.prompt_lengths,
        index=index,
        drops=drops,
    )


@dataclass(slots=True)
class _Library:
    """What stages share: the samples of each set of files that fit, and the processes that score."""

    adapter: ModelAdapter
    config: Config
    pool: RewardPool | None
    drops: DropList
    fitting: dict[tuple[tuple[str, ...], str | None, int], list[Sample]] = field(
        default_factory=dict[tuple[tuple[str, ...], str | None, int], list[Sample]]
    )

    def samples(self, files: tuple[str, ...], *, format_prompt: str | None, at_most: int = -1) -> list[Sample]:
        """Samples of the files in their order, the first `at_most` only when that is positive; overlong ones left out.

        Of those that are chosen first.
        """
        key = (files, format_prompt, at_most)
        if key not in self.fitting:
            samples = load_samples(files, self.config.data.model_copy(update={"format_prompt": format_prompt}))
            chosen = samples[:at_most] if at_most > 0 else samples
            self.fitting[key] = fitting_samples(chosen, self.adapter, self.config, self.drops)
        return self.fitting[key]

    def render(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The prompts of the same samples with their tokens."""
        return self.adapter.render_batch([prompt.sample for prompt in prompts])


def _stages(config: Config) -> Sequence[StageConfig]:
    trainer = config.trainer
    data = StageData(weights=config.data.train_weights)
    return config.curriculum.stages or (
        StageConfig(name="train", data=data, epochs=trainer.total_epochs, steps=trainer.max_steps),
    )


def _build_stage(stage: StageConfig, number: int, library: _Library, config: Config) -> Stage:
    data = stage.data
    samples = _train_samples(stage, library, config)
    _check_kinds(stage, number, samples)
    stream_type = RepeatedStream if config.trainer.debug == "overfit_one_batch" else PromptStream
    stream = stream_type(
        [unrendered(sample) for sample in samples],
        seed=config.trainer.seed + number,
        shuffle=config.data.shuffle,
        quotas=_quotas(_train_files(stage, config), data.weights, data.kinds),
        pair=pair_twins if data.twins else None,
        prepare=library.render,
    )
    rubric = _rubric(stage, config, library.pool)
    check_gold(rubric, [prompt.sample for prompt in stream.unprepared], seed=config.trainer.seed)
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


def _quotas(sources: Sequence[str], weights: Sequence[float], kinds: Mapping[str, float]) -> list[Quota[Prompt]]:
    """Sources by their weights, and kinds of question within each."""
    quotas: list[Quota[Prompt]] = by_source(sources, weights, sample_of=lambda prompt: prompt.sample)
    if kinds:
        quotas.append(Quota(shares=kinds, part_of=lambda prompt: prompt.sample.kind))
    return quotas


def _check_kinds(stage: StageConfig, number: int, samples: Sequence[Sample]) -> None:
    present = {sample.kind for sample in samples}
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
    samples = _val_samples(stage, library, config)
    if not samples:
        return None
    sampling = config.worker.rollout.val_override_config
    is_own = bool(stage.data.val_files or stage.rewards)
    return Validation(
        prompts=LazyPrompts(samples, library.adapter.render_batch),
        n=sampling.n,
        temperature=sampling.temperature,
        scale=stage.name if is_own else "",
    )


def _train_files(stage: StageConfig, config: Config) -> tuple[str, ...]:
    return stage.data.train_files or config.data.train_files


def _train_samples(stage: StageConfig, library: _Library, config: Config) -> list[Sample]:
    return library.samples(_train_files(stage, config), format_prompt=_format_prompt(stage, config))


def _val_samples(stage: StageConfig, library: _Library, config: Config) -> list[Sample]:
    """None where the stage is not validated."""
    files = stage.data.val_files or config.data.val_files
    prompt = _format_prompt(stage, config)
    return library.samples(files, format_prompt=prompt, at_most=config.data.val_max_samples) if files else []


def _format_prompt(stage: StageConfig, config: Config) -> str | None:
    return stage.data.format_prompt or config.data.format_prompt
