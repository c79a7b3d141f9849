"""Validation: the declared outcome and every reward on held-out prompts, which neither weights nor gates learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from radrl.collect import draw_seed, write
from radrl.config.schema import Config
from radrl.curriculum import VALIDATION_OUTCOME, Stage, Validation
from radrl.generations import pick_generations
from radrl.rewards.background import Pending
from radrl.roles import Sampler, Sampling
from radrl.run import Run
from radrl.types import RolloutGroup


def log_validation(run: Run, sampler: Sampler, stage: Stage, config: Config, *, step: int) -> Mapping[str, float]:
    """Write and return `val/` metrics of the present weights, with some of what they wrote, and remember the best step.

    Empty for a stage without validation.
    """
    if stage.validation is None:
        return {}
    groups = validate(sampler, stage, stage.validation, config)
    metrics = validation_metrics(groups)
    run.log(step, metrics, stage=stage.name)
    run.show(step, pick_generations(groups, config.trainer.val_generations_to_log), stage=stage.name)
    run.observe_validation(step, metrics[VALIDATION_OUTCOME], scale=stage.validation.scale)
    return metrics


def validate(sampler: Sampler, stage: Stage, validation: Validation, config: Config) -> tuple[RolloutGroup, ...]:
    """Sample and score the held-out prompts, `data.val_batch_size` at a time. Gates are left as they are.

    What is drawn for a prompt follows from its position among all of them, so that the size of a batch changes nothing.
    """
    sampling = Sampling(
        n=validation.n,
        temperature=validation.temperature,
        max_tokens=stage.max_response_length,
        seed=draw_seed(config.trainer.seed, 0, 0),
    )
    written: list[Pending] = []
    size = config.data.val_batch_size
    for start in range(0, len(validation.prompts), size):
        batch = validation.prompts[start : start + size]
        written += write(batch, sampler, stage.rubric, replace(sampling, first=start))
    return stage.rubric.settle([pending.result() for pending in written], update=False)


def validation_metrics(groups: Sequence[RolloutGroup]) -> dict[str, float]:
    """Mean declared outcome in all and by question kind, and the mean of every reward where it did not abstain.

    `val/{name}_reward` is a reward's raw value, before weight and gate; `val/total_reward` is the weighted, gated sum.
    """
    results = [rollout.reward for group in groups for rollout in group.rollouts]
    by_kind: dict[str, list[float]] = {}
    for group in groups:
        by_kind.setdefault(group.prompt.sample.kind, []).extend(group.outcomes)
    metrics = {VALIDATION_OUTCOME: fmean(result.outcome for result in results)}
    metrics["val/total_reward"] = fmean(result.total for result in results)
    for name in dict.fromkeys(name for result in results for name in result.parts):
        values = [value for result in results if (value := result.parts.get(name)) is not None]
        if values:
            metrics[f"val/{name}_reward"] = fmean(values)
    return metrics | {f"val/{kind}/outcome": fmean(outcomes) for kind, outcomes in by_kind.items()}
