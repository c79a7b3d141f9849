"""Every knob of `radrl sweep`, once."""

from pydantic import Field

from radrl.config.section import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section

Setting = bool | int | float | str
"""A value of a key of a training run."""


class PreparationConfig(Section):
    """Something that runs share and that is made once: a world, a model, a warm-up."""

    name: str
    """What logs call it."""
    command: tuple[Setting, ...] = Field(min_length=1)
    """What `radrl` is called with, such as [sft, config=warm_up.yaml]. `{out}` and `{seed}` stand for the sweep's
    folder and a run's seed; what names a seed is made for each."""
    makes: str
    """File or folder that is there when it is done, with the same places."""
    after: tuple[str, ...] = ()
    """Names of those that must be done before it begins."""


class SweepConfig(Section):
    """A grid of training runs: every combination of the values given. A list without values leaves its key alone."""

    base: tuple[str, ...] = Field(min_length=1)
    """Configuration files of `radrl train` that all runs share."""
    settings: tuple[str, ...] = ()
    """`key=value` that all runs share, over the files. `{out}` and `{seed}` stand for the sweep's folder and the run's
    seed, here and in arms."""
    arms: dict[str, tuple[str, ...]] = Field(default={})
    """Names of an experiment's arms -> `config=FILE` and `key=value` of each, over what all runs share."""
    prepare: tuple[PreparationConfig, ...] = ()
    """What is made before the first run."""
    title: str = "Sweep"
    """What pages about it are called."""
    about: str = ""
    """What it asks, in a sentence or two, for the same pages."""
    against: tuple[str, ...] = ()
    """Arms and baselines that all others are held against; the first arm when empty."""
    baselines: dict[str, str] = Field(default={})
    """Names -> folders of `radrl evaluate` that stand beside the arms, such as those of a warm-up, with the same places
    as settings."""
    equal_budgets: bool = False
    """Whether a run that is given more or fewer steps, prompts, completions or updates than the first is an error."""
    evaluation: tuple[str, ...] = ()
    """`config=FILE` and `key=value` of `radrl evaluate`, with which the last model of every run is evaluated. Arms are
    compared by it, over their seeds; without it there is only the curve of `metric`."""
    jobs: PositiveInt = 1
    """Processes at a time, of preparations and of runs."""
    out: str = "runs/sweep"
    """Folder of the runs, their logs and the comparison."""
    files: str | None = None
    """Training file of a run; `{type}`, `{size}` and `{seed}` stand for the run's own. Runs whose file is not there are
    skipped with a word."""
    types: tuple[str, ...] = ()
    """How questions were selected, such as hard_uniform: a word for `files`."""
    sizes: tuple[PositiveInt, ...] = ()
    """Numbers of questions: a word for `files`."""
    lrs: tuple[PositiveFloat, ...] = ()
    """Learning rates of the policy (worker.actor.optim.lr)."""
    group_sizes: tuple[PositiveInt, ...] = ()
    """Completions a prompt, G (worker.rollout.n)."""
    betas: tuple[NonNegativeFloat, ...] = ()
    """Weights of the KL term, beta (algorithm.kl_coef)."""
    seeds: tuple[NonNegativeInt, ...] = ()
    """Seeds of the runs (trainer.seed)."""
    grid: dict[str, tuple[Setting, ...]] = Field(default={})
    """Any other dotted keys with their values."""
    metric: str = "val/reward_score"
    """Name in metrics.jsonl that runs are compared by; more is better."""
