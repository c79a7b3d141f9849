"""Composes a training run from its configuration: `radrl train` and `radrl sft`."""

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from rich.console import Console

from radrl.algorithms.kl_control import KlController
from radrl.compat import quiet_transformers
from radrl.config.check import check, check_image_tokens, check_sequence_length
from radrl.config.load import Loaded, load_config
from radrl.config.schema import Config
from radrl.config.show import changed_keys, to_yaml
from radrl.curriculum import Budget, Curriculum
from radrl.data.load import load_samples
from radrl.data.stream import PromptStream
from radrl.engines.actor import PolicyActor
from radrl.engines.debug import Setting, debugged
from radrl.engines.learner import PolicyLearner
from radrl.engines.metered import metered, open_ledger, recipe_of
from radrl.engines.parity_probe import ProbedSampler
from radrl.engines.passes import set_up_passes
from radrl.engines.profiler import StepProfiler
from radrl.engines.reference import open_reference
from radrl.engines.sampler import open_sampler
from radrl.engines.start_up import facts_of, start_up_rows
from radrl.errors import DataError
from radrl.exits import guarded
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import prepare_training, trained_table
from radrl.models.load import load_adapter
from radrl.phases import PhaseClock
from radrl.progress import show_table, step_progress
from radrl.rewards.pool import RewardPool
from radrl.roles import Roles
from radrl.run import Meter, Persistent, Run, open_folder, stopping_on_signals
from radrl.sft import Lesson, Lessons, warm_up
from radrl.stages import build_curriculum, check_rubrics, render_prompts
from radrl.trackers import open_trackers
from radrl.trainer import train
from radrl.types import Sample

log = logging.getLogger(__name__)

WATCHED_TRAIN = {"reward/total/mean": "reward", "outcome/mean": "outcome"}
WATCHED_SFT = {"sft/loss": "loss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What a run is made of, before anything watches it."""

    adapter: ModelAdapter
    roles: Roles
    sampler: ProbedSampler
    """The one among the roles, for what its probe measures."""
    curriculum: Curriculum
    parts: dict[str, Persistent]
    """What a checkpoint holds, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What is shown and measured of a run."""

    title: str
    total_steps: int
    watched: Mapping[str, str]
    """Metrics beside the progress bar, and what they are called there."""
    set_up: Mapping[str, str] = field(default_factory=dict[str, str])
    """Rows of the start-up table; none is printed when it is empty."""
    clock: PhaseClock = field(default_factory=PhaseClock)
    meters: tuple[Meter, ...] = ()


def run_folder(config: Config) -> Path:
    """Where the run keeps everything: `trainer.save_checkpoint_path`, else `runs/{project}/{experiment}`."""
    trainer = config.trainer
    if trainer.save_checkpoint_path is not None:
        return Path(trainer.save_checkpoint_path)
    return Path("runs") / trainer.project_name / trainer.experiment_name


def train_from(args: Sequence[str]) -> Path:
    """Run reinforcement learning as `config=FILE` and `key=value` arguments say. Returns the run's folder."""
    loaded = read_config(args)
    return run_training(loaded.config, command=["radrl", "train", *args], origins=loaded.origins)


def sft_from(args: Sequence[str]) -> Path:
    """Run the supervised warm-up as `config=FILE` and `key=value` arguments say. Returns the run's folder."""
    loaded = read_config(args)
    return run_warm_up(loaded.config, command=["radrl", "sft", *args], origins=loaded.origins)


def run_training(config: Config, *, command: Sequence[str], origins: Mapping[str, str] | None = None) -> Path:
    """Train the policy by reinforcement, stage by stage; resumes when the run's folder holds a checkpoint."""
    check(config, paths=True, origins=origins)
    with open_pool(config) as pool:
        check_rubrics(config, pool)
        return _run_training(config, pool, command=command)


def _run_training(config: Config, pool: RewardPool, *, command: Sequence[str]) -> Path:
    composed = compose(config, pool)
    recipe, clock = recipe_of(composed.adapter, config), PhaseClock()
    ledger = open_ledger(composed.adapter, recipe)
    roles = metered(composed.roles, ledger=ledger, clock=clock, config=config, recipe=recipe)
    setting = debugged(Setting(config=config, roles=roles, curriculum=composed.curriculum))
    watching = Watching(
        title="train",
        total_steps=composed.curriculum.total_steps,
        watched=WATCHED_TRAIN,
        set_up=start_up_rows(config, facts_of(composed.adapter)),
        clock=clock,
        meters=(ledger, composed.sampler),
    )
    with open_run(config, composed.parts, watching, command=command) as run:
        train(setting.config, setting.roles, setting.curriculum, run)
    return run.folder


def compose(config: Config, pool: RewardPool) -> Composed:
    """Open the model and build what a run is made of."""
    adapter = open_model(config)
    curriculum = build_curriculum(config, adapter, pool)
    updates_a_step = config.worker.actor.ppo_epochs * (
        config.data.rollout_batch_size // config.worker.actor.global_batch_size
    )
    kl = KlController(config.algorithm)
    learner = PolicyLearner(adapter, config.worker.actor, total_updates=curriculum.total_steps * updates_a_step)
    actor = PolicyActor(learner, config.worker.actor, config.algorithm, kl=kl)
    sampler = open_sampler(adapter, config)
    roles = Roles(
        actor=actor,
        sampler=sampler,
        reference=open_reference(adapter, config),
        kl=kl,
    )
    parts: dict[str, Persistent] = {"actor": actor, "curriculum": curriculum}
    if config.algorithm.kl_type == "adaptive":
        parts["kl"] = kl
    return Composed(adapter=adapter, roles=roles, sampler=sampler, curriculum=curriculum, parts=parts)


def run_warm_up(config: Config, *, command: Sequence[str], origins: Mapping[str, str] | None = None) -> Path:
    """Fit the policy to the reference traces; resumes when the run's folder holds a checkpoint."""
    check(config, paths=True, supervised=True, origins=origins)
    adapter = open_model(config)
    samples = load_samples(config.data.train_files, config.data)
    lessons = [
        Lesson(prompt=prompt, target_ids=_target(adapter, prompt.sample, limit=config.data.max_response_length))
        for prompt in render_prompts(samples, adapter, config)
    ]
    budget = Budget(
        epochs=config.trainer.total_epochs,
        steps=config.trainer.max_steps,
        prompts_a_step=config.worker.actor.global_batch_size,
    )
    total_steps = budget.in_steps(len(lessons))
    learner = PolicyLearner(adapter, config.worker.actor, total_updates=total_steps)
    actor = PolicyActor(learner, config.worker.actor, config.algorithm)
    stream = Lessons(PromptStream(lessons, seed=config.trainer.seed, shuffle=config.data.shuffle))
    parts: dict[str, Persistent] = {"actor": actor, "lessons": stream}
    watching = Watching(title="sft", total_steps=total_steps, watched=WATCHED_SFT)
    with open_run(config, parts, watching, command=command) as run:
        warm_up(config, actor, stream, run, total_steps=total_steps)
    return run.folder


def open_model(config: Config) -> ModelAdapter:
    """Load the policy's starting weights onto the device that the configuration names, and show which of them learn."""
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
        attention=config.worker.actor.attention,
    )
    check_image_tokens(config, pixels_per_token=adapter.family.pixels_per_token)
    check_sequence_length(config, longest=adapter.family.longest_sequence)
    prepare_training(adapter, model, seed=config.trainer.seed)
    set_up_passes(adapter, config)
    Console(stderr=True).print(trained_table(adapter.model))
    return adapter


def open_pool(config: Config) -> RewardPool:
    """Where the rewards of a run are computed; what foreign ones print goes to the run's `logs/rewards.txt`."""
    model = config.worker.actor.model
    return RewardPool(
        num_workers=config.worker.reward.num_workers,
        timeout_s=config.worker.reward.timeout_s,
        tokenizer_path=model.tokenizer_path or model.model_path or None,
        printed_to=run_folder(config) / "logs" / "rewards.txt",
    )


@contextlib.contextmanager
def open_run(
    config: Config, parts: dict[str, Persistent], watching: Watching, *, command: Sequence[str]
) -> Iterator[Run]:
    """Open the run's folder, its trackers and its progress bar, and let signals end it saved."""
    folder = run_folder(config)
    open_folder(
        folder,
        config_text=to_yaml(config),
        changed_keys=changed_keys(config, folder / "config.yaml"),
        command=command,
        fresh=config.trainer.fresh,
        set_up=watching.set_up,
    )
    if watching.set_up:
        show_table(watching.title, watching.set_up, console=Console(stderr=True))
    profiler = StepProfiler(config.trainer.profile_steps, folder=folder / "logs" / "profile")
    with step_progress(watching.title, total_steps=watching.total_steps, watched=watching.watched) as progress:
        run = Run(
            folder,
            parts=parts,
            save_freq=config.trainer.save_freq,
            save_limit=config.trainer.save_limit,
            trackers=open_trackers(config.trainer.logger, folder / "logs"),
            progress=progress,
            start_from=config.trainer.load_checkpoint_path,
            clock=watching.clock,
            meters=watching.meters,
            around_step=profiler.around,
        )
        with stopping_on_signals(run), contextlib.closing(run):
            yield run


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m radrl.train`; `--dry-run` and `--plan` do what they do after `radrl train`."""
    args = list(sys.argv[1:] if argv is None else argv)
    others = {"--dry-run": ("radrl.dry_run", "dry_run_from"), "--plan": ("radrl.plan", "plan_from")}
    asked = next((flag for flag in others if flag in args), None)
    if asked is None:
        return guarded(train_from, args)
    module, function = others[asked]
    return guarded(getattr(import_module(module), function), [arg for arg in args if arg != asked])


def read_config(args: Sequence[str]) -> Loaded[Config]:
    """Read `config=FILE` and `key=value` arguments and say what was mapped from older names."""
    loaded = load_config(Config, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    return loaded


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
