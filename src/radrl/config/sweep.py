"""Every knob of `radrl sweep`, once."""

from pydantic import Field

from radrl.config.section import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section

Setting = bool | int | float | str
"""A value of a key of a training run."""


class SweepConfig(Section):
    """A grid of training runs: every combination of the values given. A list without values leaves its key alone."""

    base: tuple[str, ...] = Field(min_length=1)
    """Configuration files of `radrl train` that all runs share."""
    settings: tuple[str, ...] = ()
    """`key=value` that all runs share, over the files."""
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
