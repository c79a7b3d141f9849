"""The loop of reinforcement learning. It names no algorithm, no device and no engine."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import torch

from radrl.algorithms.credit import assign_credit
from radrl.batch import Batch, pack
from radrl.collect import Collected, collect, draw_seed, sample_groups
from radrl.config.schema import Config
from radrl.curriculum import VALIDATION_OUTCOME, Curriculum, Stage, Validation, stage_metrics
from radrl.data.completions import scoring_fields
from radrl.difficulty import narrow_stage
from radrl.errors import NoSignal
from radrl.rewards.rubric import reward_metrics
from radrl.roles import Roles, Sampler, Sampling
from radrl.run import Run, StepLog
from radrl.types import Rollout, RolloutGroup


def train(config: Config, roles: Roles, curriculum: Curriculum, run: Run) -> None:
    """Sample, score, credit, learn, publish: one on-policy step at a time."""
    last = run.restore()
    roles.publish(version=last)

    if config.trainer.val_before_train and last == 0:
        log_validation(run, roles.sampler, curriculum.stage, config, step=0)
    if config.trainer.val_only:
        return

    for step, stage in curriculum.steps(after=last):
        with run.step(step, stage.name) as entry:
            with saved_if_starved(run, step):
                enter(curriculum, roles.sampler, config, run, entry)
                with entry.timed("reward"):
                    collected = collect(stage, roles.sampler, config, step=step)
            with entry.timed("adv"):
                batch = roles.annotate(pack(collected.groups))
                batch = assign_credit(batch, config.algorithm, kl_coef=roles.kl_coef, baselines=collected.baselines)

            if roles.critic:
                entry.add(roles.critic.update(batch))
            with entry.timed("update_actor"):
                entry.add(roles.actor.update(batch))
            if roles.kl:
                entry.add(roles.kl.observe(batch))
            roles.publish(version=step)
            entry.add(describe(collected, batch, stage))
            entry.completions += completion_records(collected.groups, batch, step=step, stage=stage)

        if run.due(step, config.trainer.val_freq) or curriculum.is_finished:
            curriculum.observe(log_validation(run, roles.sampler, stage, config, step=step))
        run.save_if_due(step, is_last=curriculum.is_finished)


@contextlib.contextmanager
def saved_if_starved(run: Run, step: int) -> Iterator[None]:
    """When there is nothing to learn from, save the state before this step and say so."""
    try:
        yield
    except NoSignal:
        run.save(step - 1)
        raise


def enter(curriculum: Curriculum, sampler: Sampler, config: Config, run: Run, entry: StepLog) -> None:
    """Narrow a stage that begins to its band of difficulty, where it has one."""
    if not curriculum.awaits_pass_rates:
        return
    with entry.timed("pass_rate"):
        metrics = narrow_stage(
            curriculum,
            sampler,
            run,
            step=entry.step,
            temperature=config.worker.rollout.temperature,
            seed=draw_seed(config.trainer.seed, entry.step, 0),
        )
    entry.add(metrics)


def log_validation(run: Run, sampler: Sampler, stage: Stage, config: Config, *, step: int) -> Mapping[str, float]:
    """Write and return `val/` metrics of the present weights, and remember the step if it is the best so far.

    Empty for a stage without validation.
    """
    if stage.validation is None:
        return {}
    metrics = validate(sampler, stage, stage.validation, config)
    run.log(step, metrics, stage=stage.name)
    run.observe_validation(step, metrics[VALIDATION_OUTCOME], scale=stage.validation.scale)
    return metrics


def validate(sampler: Sampler, stage: Stage, validation: Validation, config: Config) -> Mapping[str, float]:
    """Mean declared outcome over the held-out prompts, in all and by question kind. Gates are left as they are."""
    sampling = Sampling(
        n=validation.n,
        temperature=validation.temperature,
        max_tokens=stage.max_response_length,
        seed=draw_seed(config.trainer.seed, 0, 0),
    )
    groups: list[RolloutGroup] = []
    size = config.data.val_batch_size
    for start in range(0, len(validation.prompts), size):
        groups += sample_groups(validation.prompts[start : start + size], sampler, stage.rubric, sampling)
    by_kind: dict[str, list[float]] = {}
    for group in groups:
        by_kind.setdefault(group.prompt.sample.kind, []).extend(group.outcomes)
    everything = [outcome for outcomes in by_kind.values() for outcome in outcomes]
    metrics = {VALIDATION_OUTCOME: sum(everything) / len(everything)}
    return metrics | {f"val/{kind}/outcome": sum(outcomes) / len(outcomes) for kind, outcomes in by_kind.items()}


def describe(collected: Collected, batch: Batch, stage: Stage) -> Mapping[str, float]:
    """What a step sampled, in the names the recipes' users know."""
    rollouts = batch.rollouts
    completions = [rollout.completion for rollout in rollouts]
    assert batch.advantages is not None
    tokens = batch.lengths.to(torch.float32)
    prompt_tokens = torch.tensor([float(len(completion.prompt.token_ids)) for completion in completions])
    no_signal = [len({rollout.reward.total for rollout in group.rollouts}) == 1 for group in collected.groups]
    baselines = {} if collected.baselines is None else spread("critic/baseline", collected.baselines)
    return {
        **reward_metrics(collected.groups),
        **stage.rubric.gate.metrics(),
        **stage_metrics(stage),
        **spread("critic/score", batch.rewards),
        **baselines,
        **spread("critic/advantages", batch.advantages),
        **spread("response_length", tokens),
        **spread("prompt_length", prompt_tokens),
        "response_length/clip_ratio": sum(c.stop == "length" for c in completions) / len(completions),
        "sample/kept_frac": len(collected.groups) / collected.num_sampled,
        "sample/rounds": float(collected.num_rounds),
        "sample/zero_advantage_frac": sum(no_signal) / len(no_signal),
        "perf/total_num_tokens": float(tokens.sum() + prompt_tokens.sum()),
    }


def spread(name: str, values: torch.Tensor) -> dict[str, float]:
    """Mean, highest and lowest value under one name."""
    return {
        f"{name}/mean": float(values.mean()),
        f"{name}/max": float(values.max()),
        f"{name}/min": float(values.min()),
    }


def completion_records(
    groups: Sequence[RolloutGroup], batch: Batch, *, step: int, stage: Stage
) -> list[dict[str, object]]:
    """The lines of completions.jsonl, one a rollout, with what `radrl score` needs to score them again."""
    assert batch.advantages is not None
    first_token = torch.cumsum(batch.lengths, 0) - batch.lengths
    advantages = batch.advantages[first_token].tolist()
    records: list[dict[str, object]] = []
    num_written: Counter[str] = Counter()
    for number, group in enumerate(groups):
        sample_id = group.prompt.sample.id
        # A step may draw the same prompt twice, at the end of an epoch; its second group goes on counting.
        first = num_written[sample_id]
        num_written[sample_id] += len(group.rollouts)
        for rollout in group.rollouts:
            index, advantage = first + rollout.completion.index, advantages[len(records)]
            record = completion_record(rollout, index=index, advantage=advantage, step=step, stage=stage.name)
            records.append({**record, "group": number, "max_tokens": stage.max_response_length})
    return records


def completion_record(rollout: Rollout, *, index: int, advantage: float, step: int, stage: str) -> dict[str, object]:
    """One line of completions.jsonl. Tokens and log-probabilities are flat lists of the same length."""
    completion, reward = rollout.completion, rollout.reward
    sample = completion.prompt.sample
    return {
        "step": step,
        "stage": stage,
        "id": sample.id,
        "index": index,
        "kind": sample.kind,
        "patient_id": sample.patient_id,
        "prompt": sample.question,
        "images": [image.path for image in sample.images],
        "answer": sample.reference,
        "completion": completion.text,
        "completion_ids": list(completion.token_ids),
        "raw_completion_tokens": list(completion.token_texts),
        "per_token_logps": list(completion.logprobs),
        "stop": completion.stop,
        "policy_version": completion.policy_version,
        "temperature": completion.temperature,
        "rewards": dict(reward.parts),
        "outcome": reward.outcome,
        "total": reward.total,
        "advantage": advantage,
        **({"failures": dict(reward.failures)} if reward.failures else {}),
        **scoring_fields(sample),
    }
