"""Composes a training run from its configuration: `radrl train` and `radrl sft`."""

import contextlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console

from radrl.algorithms.kl_control import KlController
from radrl.checkpoints import Persistent
from radrl.config.check import check
from radrl.config.load import Loaded, load_config
from radrl.config.schema import Config
from radrl.config.show import changed_keys, to_yaml
from radrl.curriculum import Budget, Curriculum
from radrl.data.dropped import DropList
from radrl.data.load import load_samples
from radrl.data.mixture import by_source
from radrl.data.stream import PromptStream, Quota
from radrl.durable import move_aside
from radrl.engines.actor import PolicyActor
from radrl.engines.critic import open_critic, policy_steps
from radrl.engines.debug import Setting, debugged
from radrl.engines.metered import metered
from radrl.engines.parity_probe import ProbedSampler
from radrl.engines.policy import Engines, Extent, Standing, open_engines, open_learner, open_policy
from radrl.engines.profiler import StepProfiler
from radrl.engines.start_up import start_up_rows
from radrl.errors import ConfigError, DataError
from radrl.exits import guarded
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import trained_table
from radrl.models.hub import model_folder
from radrl.phases import PhaseClock
from radrl.progress import show_table, step_progress
from radrl.rates import TokenRates
from radrl.rewards.pool import Processes, RewardPool
from radrl.roles import Roles
from radrl.run import Meter, Run, open_folder, stopping_on_signals
from radrl.sft import Lesson, Lessons, warm_up
from radrl.stages import build_curriculum, check_rubrics, fitting_samples
from radrl.trackers.open import open_trackers
from radrl.trainer import train
from radrl.types import Sample

if TYPE_CHECKING:
    from radrl.cluster.open import Cluster

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
    standing: Standing
    """Where the policy is and what its work amounts to."""
    drops: DropList
    """Rows of the files that are left out."""


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
        with machines_of(config, folder=run_folder(config)) as cluster, contextlib.closing(pool):
            return train_on(cluster, config, pool, command=command)


def train_on(cluster: "Cluster | None", config: Config, pool: RewardPool, *, command: Sequence[str]) -> Path:
    """Train in the workers of a cluster, or in this process without one."""
    composed = compose(config, pool, cluster)
    standing, clock = composed.standing, PhaseClock()
    ledger = standing.ledger
    roles = metered(
        composed.roles, ledger=ledger, clock=clock, config=config, recipe=standing.recipe, critic=standing.critic
    )
    setting = debugged(Setting(config=config, roles=roles, curriculum=composed.curriculum))
    watching = Watching(
        title="train",
        total_steps=composed.curriculum.total_steps,
        watched=WATCHED_TRAIN,
        set_up={**start_up_rows(config, standing.facts), **(cluster.rows() if cluster else {})},
        clock=clock,
        meters=(
            ledger,
            composed.sampler,
            pool,
            TokenRates(num_devices=config.trainer.nnodes * config.trainer.n_gpus_per_node),
            *(cluster.meters if cluster else ()),
        ),
    )
    with open_run(config, composed.parts, watching, command=command) as run:
        run.list_dropped(composed.drops)
        train(setting.config, setting.roles, setting.curriculum, run)
    return run.folder


def compose(config: Config, pool: RewardPool, cluster: "Cluster | None" = None) -> Composed:
    """Open the model, here or in the workers of a cluster, and build what a run is made of."""
    adapter = open_model(config, weights=cluster is None)
    drops = DropList()
    curriculum = build_curriculum(config, adapter, pool, drops)
    extent = extent_of(config, total_steps=curriculum.total_steps)
    engines = cluster.open_engines(extent) if cluster else open_engines(adapter, config, extent)
    kl = KlController(config.algorithm)
    actor = PolicyActor(
        engines.learner, config.worker.actor, config.algorithm, kl=kl, one_step_off=config.trainer.one_step_off
    )
    sampler = probed(engines, config)
    critic = open_critic(config, engines.critic) if engines.critic else None
    roles = Roles(
        actor=actor,
        sampler=sampler,
        reference=engines.reference,
        critic=critic,
        kl=kl,
        rescores=config.algorithm.ratio_mode == "decoupled",
        samples_apart=config.worker.rollout.placement == "apart",
    )
    parts: dict[str, Persistent] = {"actor": actor, "curriculum": curriculum}
    if critic is not None:
        parts["critic"] = critic
    if config.algorithm.kl_type == "adaptive":
        parts["kl"] = kl
    return Composed(
        adapter=adapter,
        roles=roles,
        sampler=sampler,
        curriculum=curriculum,
        parts=parts,
        standing=engines.standing,
        drops=drops,
    )


def extent_of(config: Config, *, total_steps: int) -> Extent:
    """How many optimizer steps the policy takes in a run of so many training steps."""
    actor = config.worker.actor
    updates_a_step = actor.ppo_epochs * (config.data.rollout_batch_size // actor.global_batch_size)
    return Extent(steps=total_steps, updates=policy_steps(config, total_steps=total_steps) * updates_a_step)


def probed(engines: Engines, config: Config) -> ProbedSampler:
    """The sampler, held against the trainer."""
    assert engines.fed is not None, "a run has a sampler"
    return ProbedSampler(
        engines.fed.sampler,
        engines.score,
        config.worker.rollout.probe,
        sync=engines.fed.sync,
        dtype=getattr(torch, engines.standing.facts.dtype),
        num_samplers=engines.num_samplers,
    )


@contextlib.contextmanager
def machines_of(config: Config, *, folder: Path) -> "Iterator[Cluster | None]":
    """The cluster that a run is on, with its workers in their places; None for a run in this process.

    An earlier run's folder is moved aside where that is asked for, before the workers begin to write their logs there.

    Raises ConfigError where Ray is not installed or the cluster is too small.
    """
    if not config.trainer.needs_cluster:
        yield None
        return
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            f"trainer.nnodes = {config.trainer.nnodes} and trainer.n_gpus_per_node = {config.trainer.n_gpus_per_node} "
            "make a run of several processes, which needs Ray. Install it with pip install 'radrl[cluster]'."
        )
    from radrl.cluster.open import open_cluster

    if config.trainer.fresh and folder.exists():
        move_aside(folder)
    with open_cluster(config, folder=folder) as cluster:
        yield cluster


def run_warm_up(config: Config, *, command: Sequence[str], origins: Mapping[str, str] | None = None) -> Path:
    """Fit the policy to the reference traces; resumes when the run's folder holds a checkpoint."""
    check(config, paths=True, supervised=True, origins=origins)
    with machines_of(config, folder=run_folder(config)) as cluster:
        return warm_up_on(cluster, config, command=command)


def warm_up_on(cluster: "Cluster | None", config: Config, *, command: Sequence[str]) -> Path:
    """Fit the policy in the workers of a cluster, or in this process without one."""
    adapter = open_model(config, weights=cluster is None)
    samples = load_samples(config.data.train_files, config.data)
    drops = DropList()
    fitting = fitting_samples(samples, adapter, config, drops)
    lessons = [
        Lesson(prompt=prompt, target_ids=_target(adapter, prompt.sample, limit=config.data.max_response_length))
        for prompt in adapter.render_batch(fitting)
    ]
    budget = Budget(
        epochs=config.trainer.total_epochs,
        steps=config.trainer.max_steps,
        prompts_a_step=config.worker.actor.global_batch_size,
    )
    total_steps = budget.in_steps(len(lessons))
    extent = Extent(steps=total_steps, updates=total_steps)
    learner = cluster.open_learner(extent) if cluster else open_learner(adapter, config, extent)
    actor = PolicyActor(learner, config.worker.actor, config.algorithm)
    mixture: list[Quota[Lesson]] = by_source(
        config.data.train_files, config.data.train_weights, sample_of=lambda lesson: lesson.prompt.sample
    )
    stream = Lessons(PromptStream(lessons, seed=config.trainer.seed, shuffle=config.data.shuffle, quotas=mixture))
    parts: dict[str, Persistent] = {"actor": actor, "lessons": stream}
    watching = Watching(title="sft", total_steps=total_steps, watched=WATCHED_SFT)
    with open_run(config, parts, watching, command=command) as run:
        run.list_dropped(drops)
        warm_up(config, actor, stream, run, total_steps=total_steps)
    return run.folder


def open_model(config: Config, *, weights: bool = True) -> ModelAdapter:
    """Open the policy, or without `weights` what renders its prompts, and show which of its weights learn."""
    adapter = open_policy(config) if weights else open_policy(config, device="cpu", weights=False)
    Console(stderr=True).print(trained_table(adapter.model))
    return adapter


def open_pool(config: Config) -> RewardPool:
    """Where the rewards of a run are computed; what foreign ones print goes to the run's `logs/rewards.txt`.

    Workers are on the machines of the run's cluster where it has one; they start with the first call.
    """
    model = config.worker.actor.model
    printed_to = run_folder(config).absolute() / "logs" / "rewards.txt"

    def start_on_cluster(num_workers: int) -> Processes:
        from radrl.cluster.reward_workers import RewardWorkers

        return RewardWorkers(num_workers, printed_to=printed_to)

    return RewardPool(
        num_workers=config.worker.reward.num_workers,
        timeout_s=config.worker.reward.timeout_s,
        tokenizer_path=model.tokenizer_path or str(model_folder(model.model_path)),
        printed_to=printed_to,
        start=start_on_cluster if config.trainer.needs_cluster and config.worker.reward.num_workers > 0 else None,
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
        # On a cluster it was moved aside before the workers began to write their logs.
        fresh=config.trainer.fresh and not config.trainer.needs_cluster,
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
            trackers=open_trackers(config, folder / "logs"),
            generations_file=config.trainer.generation_samples_file,
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
