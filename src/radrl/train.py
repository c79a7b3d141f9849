"""Composes a training run from its configuration: `radrl train` and `radrl sft`."""

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from radrl.compat import quiet_transformers
from radrl.config.check import check, check_image_tokens
from radrl.config.load import Loaded, load_config
from radrl.config.schema import Config, RewardConfig, StageConfig
from radrl.config.show import changed_keys, to_yaml
from radrl.curriculum import Curriculum, Stage, budget_in_steps
from radrl.data.load import load_samples
from radrl.data.stream import PromptStream
from radrl.engines.actor import PolicyActor
from radrl.engines.native import NativeSampler
from radrl.engines.reference import FrozenReference
from radrl.errors import ConfigError, DataError
from radrl.exits import guarded
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.progress import step_progress
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Persistent, Run, open_folder, stopping_on_signals
from radrl.sft import Lesson, Lessons, warm_up
from radrl.trackers import open_trackers
from radrl.trainer import Validation, train
from radrl.types import Prompt, Sample

log = logging.getLogger(__name__)

WATCHED_TRAIN = {"reward/total/mean": "reward", "outcome/mean": "outcome"}
WATCHED_SFT = {"sft/loss": "loss"}


def run_folder(config: Config) -> Path:
    """Where the run keeps everything: `trainer.save_checkpoint_path`, else `runs/{project}/{experiment}`."""
    trainer = config.trainer
    if trainer.save_checkpoint_path is not None:
        return Path(trainer.save_checkpoint_path)
    return Path("runs") / trainer.project_name / trainer.experiment_name


def train_from(args: Sequence[str]) -> Path:
    """Run reinforcement learning as `config=FILE` and `key=value` arguments say. Returns the run's folder."""
    loaded = _read(args)
    return run_training(loaded.config, command=["radrl", "train", *args], origins=loaded.origins)


def sft_from(args: Sequence[str]) -> Path:
    """Run the supervised warm-up as `config=FILE` and `key=value` arguments say. Returns the run's folder."""
    loaded = _read(args)
    return run_warm_up(loaded.config, command=["radrl", "sft", *args], origins=loaded.origins)


def run_training(config: Config, *, command: Sequence[str], origins: Mapping[str, str] | None = None) -> Path:
    """Train the policy by reinforcement, stage by stage; resumes when the run's folder holds a checkpoint."""
    check(config, paths=True, origins=origins)
    _check_rubrics(config)
    adapter = open_model(config)
    curriculum = build_curriculum(config, adapter)
    validation = build_validation(config, adapter)
    updates_a_step = config.worker.actor.ppo_epochs * (
        config.data.rollout_batch_size // config.worker.actor.global_batch_size
    )
    actor = PolicyActor(
        adapter,
        config.worker.actor,
        config.algorithm,
        total_updates=curriculum.total_steps * updates_a_step,
    )
    roles = Roles(
        actor=actor,
        sampler=NativeSampler(adapter, max_sequences=config.worker.rollout.max_sequences),
        reference=FrozenReference(adapter, config.worker.actor) if config.algorithm.kl_coef > 0 else None,
    )
    parts = {"actor": actor, "curriculum": curriculum}
    total_steps = curriculum.total_steps
    with open_run(config, parts, title="train", total_steps=total_steps, watched=WATCHED_TRAIN, command=command) as run:
        train(config, roles, curriculum, run, validation)
    return run.folder


def run_warm_up(config: Config, *, command: Sequence[str], origins: Mapping[str, str] | None = None) -> Path:
    """Fit the policy to the reference traces; resumes when the run's folder holds a checkpoint."""
    check(config, paths=True, supervised=True, origins=origins)
    adapter = open_model(config)
    samples = load_samples(config.data.train_files, config.data)
    lessons = [
        Lesson(prompt=prompt, target_ids=_target(adapter, prompt.sample, limit=config.data.max_response_length))
        for prompt in render_prompts(samples, adapter, config)
    ]
    total_steps = budget_in_steps(
        epochs=config.trainer.total_epochs,
        steps=config.trainer.max_steps,
        num_prompts=len(lessons),
        prompts_a_step=config.worker.actor.global_batch_size,
    )
    actor = PolicyActor(adapter, config.worker.actor, config.algorithm, total_updates=total_steps)
    stream = Lessons(PromptStream(lessons, seed=config.trainer.seed, shuffle=config.data.shuffle))
    parts = {"actor": actor, "lessons": stream}
    with open_run(config, parts, title="sft", total_steps=total_steps, watched=WATCHED_SFT, command=command) as run:
        warm_up(config, actor, stream, run, total_steps=total_steps)
    return run.folder


def open_model(config: Config) -> ModelAdapter:
    """Load the policy's starting weights onto the device that the configuration names."""
    quiet_transformers()
    model = config.worker.actor.model
    adapter = load_adapter(
        model.model_path,
        device=config.trainer.device,
        dtype=config.trainer.dtype,
        min_pixels=config.data.min_pixels,
        max_pixels=config.data.max_pixels,
        chat_template=config.data.override_chat_template,
        tokenizer_path=model.tokenizer_path,
        trust_remote_code=model.trust_remote_code,
        freeze_vision_tower=model.freeze_vision_tower,
    )
    check_image_tokens(config, pixels_per_token=adapter.family.pixels_per_token)
    return adapter


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


def build_curriculum(config: Config, adapter: ModelAdapter) -> Curriculum:
    """Render the prompts of every stage and give each its rubric; a run without stages is one stage."""
    stages = config.curriculum.stages or (
        StageConfig(name="train", epochs=config.trainer.total_epochs, steps=config.trainer.max_steps),
    )
    rendered: dict[tuple[str, ...], list[Prompt]] = {}
    built: list[Stage] = []
    for number, stage in enumerate(stages):
        files = stage.data.train_files or config.data.train_files
        if files not in rendered:
            rendered[files] = render_prompts(load_samples(files, config.data), adapter, config)
        built.append(_build_stage(stage, number, rendered[files], config))
    return Curriculum(stages=built)


def build_validation(config: Config, adapter: ModelAdapter) -> Validation | None:
    """Render the validation prompts; None without validation files."""
    if not config.data.val_files:
        return None
    samples = load_samples(config.data.val_files, config.data)
    if config.data.val_max_samples > 0:
        samples = samples[: config.data.val_max_samples]
    sampling = config.worker.rollout.val_override_config
    return Validation(prompts=render_prompts(samples, adapter, config), n=sampling.n, temperature=sampling.temperature)


@contextlib.contextmanager
def open_run(
    config: Config,
    parts: dict[str, Persistent],
    *,
    title: str,
    total_steps: int,
    watched: dict[str, str],
    command: Sequence[str],
) -> Iterator[Run]:
    """Open the run's folder, its trackers and its progress bar, and let signals end it saved."""
    folder = run_folder(config)
    open_folder(
        folder,
        config_text=to_yaml(config),
        changed_keys=changed_keys(config, folder / "config.yaml"),
        command=command,
        fresh=config.trainer.fresh,
    )
    with step_progress(title, total_steps=total_steps, watched=watched) as progress:
        run = Run(
            folder,
            parts=parts,
            save_freq=config.trainer.save_freq,
            save_limit=config.trainer.save_limit,
            trackers=open_trackers(config.trainer.logger, folder / "logs"),
            progress=progress,
            start_from=config.trainer.load_checkpoint_path,
        )
        with stopping_on_signals(run), contextlib.closing(run):
            yield run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.train`."""
    return guarded(train_from, list(sys.argv[1:] if argv is None else argv))


def _read(args: Sequence[str]) -> Loaded[Config]:
    loaded = load_config(Config, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return loaded


def _check_rubrics(config: Config) -> None:
    for rewards in (config.rewards, *(stage.rewards for stage in config.curriculum.stages)):
        if rewards:
            _rubric(rewards, config, max_tokens=config.data.max_response_length).check()


def _rubric(rewards: Sequence[RewardConfig], config: Config, *, max_tokens: int) -> Rubric:
    return Rubric(rewards, config.worker.reward.gate, max_tokens=max_tokens)


def _build_stage(stage: StageConfig, number: int, prompts: Sequence[Prompt], config: Config) -> Stage:
    kinds = stage.data.kinds
    chosen = [prompt for prompt in prompts if not kinds or prompt.sample.kind in kinds]
    missing = sorted(set(kinds) - {prompt.sample.kind for prompt in chosen})
    if missing:
        present = sorted({prompt.sample.kind for prompt in prompts})
        raise ConfigError(
            f"curriculum stage {stage.name!r} asks for questions of kind {', '.join(missing)}, but its files hold only "
            f"{', '.join(present)}. Correct curriculum.stages[{number}].data.kinds or add such rows."
        )
    max_tokens = stage.max_response_length or config.data.max_response_length
    return Stage(
        name=stage.name,
        prompts=PromptStream(
            chosen,
            seed=config.trainer.seed + number,
            shuffle=config.data.shuffle,
            kinds=kinds,
            kind_of=lambda prompt: prompt.sample.kind,
        ),
        rubric=_rubric(stage.rewards or config.rewards, config, max_tokens=max_tokens),
        max_response_length=max_tokens,
        num_steps=budget_in_steps(
            epochs=stage.epochs,
            steps=stage.steps,
            num_prompts=len(chosen),
            prompts_a_step=config.data.rollout_batch_size,
        ),
        advance=stage.advance,
    )


def _target(adapter: ModelAdapter, sample: Sample, *, limit: int) -> tuple[int, ...]:
    token_ids = adapter.reference_ids(sample)
    if len(token_ids) > limit:
        raise DataError(
            f"the reference of sample {sample.id} ({sample.origin}) has {len(token_ids)} tokens, over "
            f"data.max_response_length = {limit}. Raise it, or shorten the reference."
        )
    return token_ids


if __name__ == "__main__":
    raise SystemExit(main())
