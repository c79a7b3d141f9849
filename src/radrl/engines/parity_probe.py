"""Does the sampler have the weights it says? Its log-probabilities are compared with the trainer's after a sync.

Rollouts of the base model while an adapter learns, a renamed tensor that is skipped, a head that stays behind: none of
these raises anything, and the reward is the last to show it. A few completions scored by the trainer show them at once.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from radrl.config.rollouts import ProbeConfig
from radrl.engines.balance import runs
from radrl.engines.parallel import OneProcess, Parallel
from radrl.errors import SyncError
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.packing import plan
from radrl.roles import Sampler, Sampling
from radrl.types import Completion, Prompt

log = logging.getLogger(__name__)

BOUNDS_NATS: Mapping[torch.dtype, float] = {torch.float32: 1e-3, torch.bfloat16: 0.1}
"""Mean absolute difference a token that rounding explains: 1e-6 was seen in float32, 0.02 to 0.06 in bfloat16."""


Score = Callable[[Sequence[Completion]], Float[Tensor, "T"]]
"""The trainer's log-probability of every token of completions, end to end."""


class ProbedSampler:
    """A sampler that is held against the trainer whenever it has taken over weights. Its metrics are `take`n a step."""

    def __init__(
        self,
        sampler: Sampler,
        score: Score,
        config: ProbeConfig,
        *,
        sync: str,
        dtype: torch.dtype,
        num_samplers: int = 1,
    ) -> None:
        """`sync` names the way that weights take to the sampler, for the message; `dtype` is the policy's.

        `num_samplers` share a call in contiguous runs of prompts, and each is probed.
        """
        self._sampler = sampler
        self._score = score
        self._config = config
        self._sync = sync
        self._num_samplers = num_samplers
        self._bound = config.bound_nats or BOUNDS_NATS[dtype]
        self._is_due = config.first > 0 or config.every > 0
        self._is_logged = False
        self._metrics: dict[str, float] = {}

    def publish(self, version: int) -> None:
        """Take over the actor's present weights; the next training rollouts are probed if this version's turn has come.

        The first of a process are, whatever their version, but are logged only where an uninterrupted run would.
        """
        self._sampler.publish(version)
        every = self._config.every
        self._is_logged = version < self._config.first or (every > 0 and version % every == 0)
        self._is_due = self._is_due or self._is_logged

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order. Raises SyncError when the trainer gives them other probabilities.

        Probed is the first completion of a few groups all over the call, as soon as those are there.
        """
        probed: list[Completion] = []
        places: frozenset[int] = frozenset()
        if self._is_due and sampling.is_for_training and not sampling.is_beside:
            wanted = min(max(self._config.completions, self._num_samplers), len(prompts))
            places = frozenset(run.start for run in runs(len(prompts), wanted))
            self._is_due = False
        for place, group in enumerate(self._sampler.generate(prompts, sampling)):
            if place in places:
                probed.append(group[0])
                if len(probed) == len(places):
                    self._compare(probed)
            yield group

    def take(self, _: Mapping[str, float]) -> Mapping[str, float]:
        """What the last probe measured, once."""
        metrics, self._metrics = self._metrics, {}
        return metrics

    def _compare(self, completions: Sequence[Completion]) -> None:
        sampled = torch.tensor([value for completion in completions for value in completion.logprobs])
        difference = (sampled - self._score(completions)).abs()
        mean = float(difference.mean())
        measured = {
            "mismatch/probe_mean_abs": mean,
            "mismatch/probe_max_abs": float(difference.max()),
            "mismatch/probe_tokens": float(len(sampled)),
        }
        self._metrics = measured if self._is_logged else {}
        if not mean <= self._bound:
            version = completions[0].policy_version
            raise SyncError(
                f"sampler and trainer differ by {mean:.3g} nats each, over {self._bound:g}, on {len(sampled)} tokens "
                f"of version {version}, which went to the sampler as {self._sync}: it lacks the policy's "
                "weights. Choose another worker.rollout.sync or worker.rollout.name=native; where they are right and "
                "only rounding is larger, raise worker.rollout.probe.bound_nats."
            )
        log.debug("sampler and trainer differ by %.3g nats a token after %s", mean, self._sync)


@torch.no_grad()
def trainer_logprobs(
    adapter: ModelAdapter, completions: Sequence[Completion], *, parallel: Parallel | None = None
) -> Float[Tensor, "T"]:
    """Log-probability of every token under the trainer's weights, completions end to end, each passed by itself.

    Of several ranks all make the same passes.
    """
    parallel = parallel or OneProcess()
    scored: list[Tensor] = []
    for completion in completions:
        tokens = len(completion.prompt.token_ids) + len(completion.token_ids)
        (micro_batch,) = plan(
            [completion.prompt],
            [[completion.token_ids]],
            row_tokens=tokens,
            micro_batch_tokens=tokens,
            is_one_row=adapter.attention == "varlen",
        )
        temperature = completion.temperature or 1.0
        scores = parallel.call(
            lambda each=micro_batch, heat=temperature: score_completions(adapter, each, temperature=heat)
        )
        scored.append(scores.logprobs.float().cpu())
    return torch.cat(scored)
