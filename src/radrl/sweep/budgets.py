"""What a run is given: steps, prompts, completions, updates. Arms compare only where these are equal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from radrl.config.check_algorithm import num_updates
from radrl.config.schema import Config
from radrl.errors import ConfigError
from radrl.sweep.grid import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one run is given.

    Example: `Budget(steps=79, prompts=1264, completions=10112, updates=79)`
    """

    steps: int
    prompts: int
    completions: int
    updates: int
    """Optimizer steps of the policy."""


def budget_of(config: Config, *, steps: int) -> Budget:
    """What this many steps of a run take.

    >>> budget_of(Config(), steps=10)
    Budget(steps=10, prompts=160, completions=1280, updates=10)
    """
    prompts = steps * config.data.rollout_batch_size
    return Budget(
        steps=steps,
        prompts=prompts,
        completions=prompts * config.worker.rollout.n,
        updates=steps * num_updates(config),
    )


def planned_budget(config: Config) -> Budget:
    """What a run will take, from its configuration alone.

    Raises ConfigError for one that counts epochs, as those depend on the data.
    """
    stages = config.curriculum.stages
    counts = [stage.steps for stage in stages] if stages else [config.trainer.max_steps]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        raise ConfigError(
            f"{config.trainer.save_checkpoint_path} is to have the budget of the others, but counts epochs, whose "
            f"steps depend on the data. Give {'every stage `steps`' if stages else 'trainer.max_steps'}."
        )
    return budget_of(config, steps=sum(known))


def require_equal(points: Sequence[Point]) -> None:
    """Raise ConfigError unless all runs are given the same."""
    budgets = [planned_budget(point.config) for point in points]
    for point, budget in zip(points, budgets, strict=True):
        if budget != budgets[0]:
            differing = ", ".join(
                f"{name} {asdict(budget)[name]} and {value}"
                for name, value in asdict(budgets[0]).items()
                if asdict(budget)[name] != value
            )
            raise ConfigError(
                f"the runs {point.name} and {points[0].name} have budgets that differ ({differing}), so that more "
                "training could pass for a better recipe. Give them the same, or set equal_budgets=false."
            )
