"""The rollouts of a training step: sampled, scored beside the sampling, and sampled again where one teaches nothing."""

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
from radrl.rewards.background import Pending
from radrl.rewards.rubric import Rubric
from radrl.roles import Sampler, Sampling
from radrl.types import Completion, Prompt, RolloutGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The groups a step learns from, with all rewards that they get."""

    groups: tuple[RolloutGroup, ...]
    baselines: Float[Tensor, "G"] | None = None
    """Reward of each group's greedy completion; of the remax estimator alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a step learns from, as it was written, and what it took to get it. Rewards may still be on their way."""

    written: tuple[Pending, ...]
    """The groups, in the order of the batch."""
    greedy: tuple[Pending, ...] = ()
    """The likeliest completion of each group's prompt; of the remax estimator alone."""
    num_sampled: int
    """Groups that were sampled for it."""
    num_rounds: int
    """Calls of the sampler that this took, the greedy completions' aside."""
    epoch: float
    """Passes over the stage's prompts when it had been sampled."""

    @property
    def completions(self) -> tuple[tuple[Completion, ...], ...]:
        """The groups without their rewards."""
        return tuple(pending.completions for pending in self.written)

    def settle(self, rubric: Rubric) -> Settled:
        """Wait for the rewards, and add those that depend on the batch; moves the rubric's gates, once a step.

        ReMax's baselines (arXiv 2310.10505) leave the gates as the step's own rollouts have set them.
        """
        groups = rubric.settle([pending.result() for pending in self.written], update=True)
        if not self.greedy:
            return Settled(groups=groups)
        greedy = rubric.settle([pending.result() for pending in self.greedy], update=False)
        totals = [group.rollouts[0].reward.total for group in greedy]
        return Settled(groups=groups, baselines=torch.tensor(totals, dtype=torch.float32))


def collect(stage: Stage, sampler: Sampler, config: Config, *, step: int, is_beside: bool = False) -> Collected:
    """Sample until the batch is full of groups one can learn from, each scored from the moment it is written.

    Without online filtering the first groups are the batch, whatever their rewards will be. With it, groups whose
    outcomes carry no signal are replaced by fresh prompts for up to `trainer.max_try_make_batch` rounds; of a batch
    that is still short then `algorithm.filter_when_short` says what becomes. Raises NoSignal where that is to stop.
    `is_beside` says that the policy learns meanwhile.
    """
    wanted, is_filtered = config.data.rollout_batch_size, config.algorithm.online_filtering
    kept: list[Pending] = []
    original: tuple[Pending, ...] = ()
    num_sampled = attempt = 0
    for attempt in itertools.count(1):
        sampling = Sampling(
            n=config.worker.rollout.n,
            temperature=config.worker.rollout.temperature,
            max_tokens=stage.max_response_length,
            seed=draw_seed(config.trainer.seed, step, attempt),
            ignore_eos=config.worker.rollout.ignore_eos,
            is_for_training=True,
            is_beside=is_beside,
        )
        groups = write(stage.prompts.take(wanted - len(kept)), sampler, stage.rubric, sampling)
        original = original or groups
        num_sampled += len(groups)
        kept += [group for group in groups if not is_filtered or has_signal(group.result(), config)]
        if len(kept) == wanted or attempt == config.trainer.max_try_make_batch:
            break
    chosen = kept if len(kept) == wanted else make_do(kept, original, config, step=step, num_sampled=num_sampled)
    return Collected(
        written=tuple(chosen),
        greedy=write_greedy(chosen, stage, sampler, config, step=step),
        num_sampled=num_sampled,
        num_rounds=attempt,
        epoch=stage.prompts.epoch,
    )


def make_do(
    kept: Sequence[Pending], original: Sequence[Pending], config: Config, *, step: int, num_sampled: int
) -> Sequence[Pending]:
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


def write_greedy(
    groups: Sequence[Pending], stage: Stage, sampler: Sampler, config: Config, *, step: int
) -> tuple[Pending, ...]:
    """The likeliest completion of each group's prompt, which remax compares with; nothing for other estimators."""
    if config.algorithm.adv_estimator != "remax":
        return ()
    sampling = Sampling(
        n=1, temperature=0.0, max_tokens=stage.max_response_length, seed=draw_seed(config.trainer.seed, step, 0)
    )
    return write([group.completions[0].prompt for group in groups], sampler, stage.rubric, sampling)


def write(prompts: Sequence[Prompt], sampler: Sampler, rubric: Rubric, sampling: Sampling) -> tuple[Pending, ...]:
    """Complete the prompts. The scoring of a group begins when it is complete, while the others are still written."""
    return tuple(rubric.begin(completions) for completions in sampler.generate(prompts, sampling))


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
