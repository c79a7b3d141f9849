"""The rollouts of a training step: sampled, scored, and sampled again where a group has nothing to teach."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from radrl.config.schema import Config
from radrl.curriculum import Stage
from radrl.errors import NoSignal
from radrl.rewards.rubric import Rubric
from radrl.roles import Sampler, Sampling
from radrl.types import Prompt, RolloutGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The groups a step learns from, and what it took to get them."""

    groups: tuple[RolloutGroup, ...]
    num_sampled: int
    num_rounds: int
    baselines: Float[Tensor, "G"] | None = None
    """Reward of each group's greedy completion; of the remax estimator alone."""


def collect(stage: Stage, sampler: Sampler, config: Config, *, step: int) -> Collected:
    """Sample and score until the batch is full of groups one can learn from.

    Without online filtering the first groups are the batch. With it, groups whose outcomes carry no signal are
    replaced by fresh prompts for up to `trainer.max_try_make_batch` rounds; of a batch that is still short then
    `algorithm.filter_when_short` says what becomes. Raises NoSignal where that is to stop.
    """
    wanted = config.data.rollout_batch_size
    kept: list[RolloutGroup] = []
    original: tuple[RolloutGroup, ...] = ()
    num_sampled = attempt = 0
    for attempt in itertools.count(1):
        sampling = Sampling(
            n=config.worker.rollout.n,
            temperature=config.worker.rollout.temperature,
            max_tokens=stage.max_response_length,
            seed=draw_seed(config.trainer.seed, step, attempt),
            ignore_eos=config.worker.rollout.ignore_eos,
            is_for_training=True,
        )
        groups = sample_groups(stage.prompts.take(wanted - len(kept)), sampler, stage.rubric, sampling)
        original = original or groups
        num_sampled += len(groups)
        kept += [group for group in groups if not config.algorithm.online_filtering or has_signal(group, config)]
        if len(kept) == wanted or attempt == config.trainer.max_try_make_batch:
            break
    chosen = kept if len(kept) == wanted else make_do(kept, original, config, step=step, num_sampled=num_sampled)
    settled = stage.rubric.settle(chosen, update=True)
    needs_baselines = config.algorithm.adv_estimator == "remax"
    baselines = greedy_rewards(settled, stage, sampler, config, step=step) if needs_baselines else None
    return Collected(groups=settled, num_sampled=num_sampled, num_rounds=attempt, baselines=baselines)


def make_do(
    kept: Sequence[RolloutGroup], original: Sequence[RolloutGroup], config: Config, *, step: int, num_sampled: int
) -> Sequence[RolloutGroup]:
    """The groups to train on when too few of those sampled carry a signal; `original` are those of the first round.

    CheX-Phi4MM falls back to the original batch, and CX-Mind stops; see `algorithm.filter_when_short`.
    """
    algorithm, wanted = config.algorithm, config.data.rollout_batch_size
    if algorithm.filter_when_short == "original":
        log.warning(
            "step %d trains on its first %d groups as they are: only %d of %d sampled carried a signal",
            step, len(original), len(kept), num_sampled,
        )  # fmt: skip
        return original
    if not kept or algorithm.filter_when_short == "error":
        few = f"only {len(kept)}" if kept else "none"
        raise NoSignal(
            f"step {step}: {few} of {num_sampled} groups has a mean outcome between {algorithm.filter_low} and "
            f"{algorithm.filter_high} with a spread over {algorithm.filter_min_std}, in "
            f"{config.trainer.max_try_make_batch} rounds: the task is solved, out of reach, or its outcome constant. "
            "Look at the last completions, change the data or the rewards, or widen algorithm.filter_low and "
            "filter_high."
        )
    log.warning("step %d trains on %d of %d groups: the rest carried no signal", step, len(kept), wanted)
    return kept


def greedy_rewards(
    groups: Sequence[RolloutGroup], stage: Stage, sampler: Sampler, config: Config, *, step: int
) -> Float[Tensor, "G"]:
    """Reward of the likeliest completion of each group's prompt: ReMax's baseline (arXiv 2310.10505).

    The gates are left as the step's own rollouts have set them.
    """
    sampling = Sampling(
        n=1, temperature=0.0, max_tokens=stage.max_response_length, seed=draw_seed(config.trainer.seed, step, 0)
    )
    scored = sample_groups([group.prompt for group in groups], sampler, stage.rubric, sampling)
    settled = stage.rubric.settle(scored, update=False)
    return torch.tensor([group.rollouts[0].reward.total for group in settled], dtype=torch.float32)


def sample_groups(
    prompts: Sequence[Prompt], sampler: Sampler, rubric: Rubric, sampling: Sampling
) -> tuple[RolloutGroup, ...]:
    """Complete the prompts and score their groups, all at once so that a reward can batch what is slow."""
    return rubric.score(list(sampler.generate(prompts, sampling)))


def has_signal(group: RolloutGroup, config: Config) -> bool:
    """Whether a group's declared outcomes leave something to learn (DAPO's dynamic sampling, arXiv 2503.14476).

    The filter looks at the outcome, never at the shaped total: a group of wrong answers that differ in format alone
    is dropped.
    """
    outcomes = torch.tensor(group.outcomes, dtype=torch.float32)
    mean, spread = float(outcomes.mean()), float(outcomes.std())
    algorithm = config.algorithm
    return algorithm.filter_low < mean < algorithm.filter_high and spread > algorithm.filter_min_std


def draw_seed(run_seed: int, step: int, attempt: int) -> int:
    """Seed of one sampling call; it depends on nothing that ran before."""
    generator = torch.Generator().manual_seed((run_seed * 1_000_003 + step) * 1009 + attempt)
    return int(torch.randint(0, 2**62, (1,), generator=generator))
