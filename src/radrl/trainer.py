"""The loop of reinforcement learning. It names no algorithm, no device and no engine."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import torch

from radrl.algorithms.credit import assign_credit, penalised_rewards
from radrl.batch import Batch, lay_out
from radrl.collect import Collected, Settled, draw_seed
from radrl.config.schema import Config
from radrl.curriculum import Curriculum, Stage
from radrl.data.completions import scoring_fields
from radrl.difficulty import narrow_stage
from radrl.errors import NoSignal
from radrl.lookahead import Lookahead
from radrl.rewards.rubric import reward_metrics
from radrl.roles import Roles, Sampler
from radrl.run import Run, StepLog
from radrl.types import Rollout, RolloutGroup
from radrl.validation import log_validation


def train(config: Config, roles: Roles, curriculum: Curriculum, run: Run) -> None:
    """Sample, score, credit, learn, publish: one step at a time, with rewards computed beside what can go on."""
    source = Lookahead(config, roles, curriculum)
    if config.trainer.one_step_off:
        run.parts["lookahead"] = source
    last = run.restore()
    roles.publish(version=policy_version(last, config))

    if config.trainer.val_only or (config.trainer.val_before_train and not run.is_resumed):
        log_validation(run, roles.sampler, curriculum.stage, config, step=last)
    if config.trainer.val_only:
        return

    for step, stage in curriculum.steps(after=last):
        with run.step(step, stage.name) as entry:
            with saved_if_starved(run, step):
                enter(curriculum, roles.sampler, config, run, entry)
                with entry.timed("reward"):
                    collected = source.take(stage, step=step)
                    source.begin(stage, step=step, is_validated=is_validated(run, stage, config, step=step))
            with entry.timed("adv"):
                batch = roles.annotate(lay_out(collected.completions))
                with entry.timed("reward"):
                    settled = collected.settle(stage.rubric)
                batch = batch.rewarded(settled.groups)
                batch = assign_credit(batch, config.algorithm, kl_coef=roles.kl_coef, baselines=settled.baselines)
                rewards = penalised_rewards(batch, config.algorithm, kl_coef=roles.kl_coef)
                entry.add(spread("critic/rewards", rewards))

            if roles.critic:
                entry.add(roles.critic.update(batch))
            if policy_version(step, config) == step:
                with entry.timed("update_actor"):
                    entry.add(roles.actor.update(batch))
                if roles.kl:
                    entry.add(roles.kl.observe(batch))
            with entry.timed("gen"):
                source.wait()
            if policy_version(step, config) == step:
                roles.publish(version=step)
            entry.add(describe(collected, settled, batch, stage, config, step=step))
            entry.completions += completion_records(settled.groups, batch, step=step, stage=stage)

        if run.due(step, config.trainer.val_freq) or curriculum.is_finished:
            curriculum.observe(log_validation(run, roles.sampler, stage, config, step=step))
        run.save_if_due(step, is_last=curriculum.is_finished)


def policy_version(step: int, config: Config) -> int:
    """The version of the policy's weights after a step: 0 as long as the critic alone has learnt."""
    return step if step > config.trainer.critic_warmup else 0


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


def is_validated(run: Run, stage: Stage, config: Config, *, step: int) -> bool:
    """Whether a validation follows this step; the run's end aside, after which no step comes."""
    return stage.validation is not None and run.due(step, config.trainer.val_freq)


def describe(
    collected: Collected, settled: Settled, batch: Batch, stage: Stage, config: Config, *, step: int
) -> Mapping[str, float]:
    """What a step sampled, in the names the recipes' users know."""
    rollouts = batch.rollouts
    completions = [rollout.completion for rollout in rollouts]
    assert batch.advantages is not None
    tokens = batch.lengths.to(torch.float32)
    prompt_tokens = torch.tensor([float(len(completion.prompt.token_ids)) for completion in completions])
    no_signal = [len({rollout.reward.total for rollout in group.rollouts}) == 1 for group in settled.groups]
    baselines = {} if settled.baselines is None else spread("critic/baseline", settled.baselines)
    staleness = [policy_version(step - 1, config) - completion.policy_version for completion in completions]
    return {
        **reward_metrics(settled.groups),
        **stage.rubric.gate.metrics(),
        "data/epoch": collected.epoch,
        **spread("critic/score", batch.rewards),
        **baselines,
        **spread("critic/advantages", batch.advantages),
        **({} if batch.values is None else spread("critic/values", batch.values)),
        **({} if batch.returns is None else spread("critic/returns", batch.returns)),
        **spread("response_length", tokens),
        **spread("prompt_length", prompt_tokens),
        "prompt_length/clip_ratio": float((prompt_tokens >= config.data.max_prompt_length).float().mean()),
        "response_length/clip_ratio": sum(c.stop == "length" for c in completions) / len(completions),
        "sample/kept_frac": len(settled.groups) / collected.num_sampled,
        "sample/rounds": float(collected.num_rounds),
        "sample/staleness": sum(staleness) / len(staleness),
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
