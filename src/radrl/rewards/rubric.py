"""Weighs and gates rewards, and turns completions into scored rollouts."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, pstdev

from radrl.config.schema import GateConfig, RewardConfig
from radrl.errors import ConfigError, RewardError
from radrl.rewards.api import BoundReward, Score, bind
from radrl.rewards.gate import EmaGate, per_sample_factor
from radrl.text import Trace, parse_trace
from radrl.types import Completion, RewardResult, Rollout, RolloutGroup, Sample

log = logging.getLogger(__name__)


class Rubric:
    """The rewards of one stage: their weights, their gates, and which of them is the declared outcome.

    A reward that raises is the one thing caught here: it counts as abstained, its error is kept in the rollout's
    `failures`, and `reward/{name}/failed_frac` counts it. Where the outcome itself fails or abstains, the rollout's
    outcome is 0.0 and `failures` says so too, so such a 0 is never silent.

    Example: `Rubric((RewardConfig(name="answer_f1", outcome=True), RewardConfig(name="format")), GateConfig())`
    """

    def __init__(self, rewards: Sequence[RewardConfig], gate: GateConfig) -> None:
        self.rewards = tuple(rewards)
        self.gate = EmaGate(gate)
        self._warned: set[str] = set()

    def check(self) -> None:
        """Raise `ConfigError` unless every reward exists and takes its arguments, and exactly one is the outcome."""
        names = [term.name for term in self.rewards]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(f"reward {repeated[0]!r} stands twice in rewards. Keep one entry a reward.")
        outcomes = [term for term in self.rewards if term.outcome]
        if len(outcomes) != 1:
            declared = ", ".join(term.name for term in outcomes) or "none"
            raise ConfigError(
                f"exactly one reward must be the declared outcome, but rewards declares {declared}. "
                f"Set `outcome: true` on one of: {', '.join(names) or '(rewards is empty)'}."
            )
        if outcomes[0].gate != "always":
            raise ConfigError(
                f"the outcome {outcomes[0].name!r} has gate {outcomes[0].gate!r}, but gates look at the outcome. "
                "Set its gate to always (and its weight to 0 to keep it out of the total)."
            )
        _ = self._bound

    def score(self, completions: Sequence[Completion]) -> RolloutGroup:
        """Score the completions of one prompt, `ema` gates left open: `settle` closes them for a whole batch."""
        prompt = completions[0].prompt
        assert all(completion.prompt.sample.id == prompt.sample.id for completion in completions)
        ordered = sorted(completions, key=lambda completion: completion.index)
        return RolloutGroup(
            prompt=prompt,
            rollouts=tuple(
                Rollout(completion=completion, reward=self._result(prompt.sample, completion.text))
                for completion in ordered
            ),
        )

    def settle(self, groups: Sequence[RolloutGroup], *, update: bool) -> tuple[RolloutGroup, ...]:
        """Apply the moving-average gate to a whole batch: once a training step, with `update`, on the groups it keeps.

        Without `update` (validation) the gate stays as the last training batch left it, and so does its average.
        """
        if update and groups:
            self.gate.observe(fmean(outcome for group in groups for outcome in group.outcomes))
        gated = {term.name: float(self.gate.is_open) for term in self.rewards if term.gate == "ema"}
        return tuple(
            replace(group, rollouts=tuple(_with_factors(rollout, gated) for rollout in group.rollouts))
            for group in groups
        )

    def state_dict(self) -> dict[str, object]:
        """The gate's state; rewards themselves have none."""
        return self.gate.state_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        self.gate.load_state_dict(state)

    @cached_property
    def _bound(self) -> Mapping[str, BoundReward]:
        return {term.name: bind(term.name, kwargs=term.kwargs) for term in self.rewards}

    @cached_property
    def _outcome_name(self) -> str:
        return next(term.name for term in self.rewards if term.outcome)

    def _result(self, sample: Sample, text: str) -> RewardResult:
        trace = parse_trace(text)
        scores = {term.name: self._run(term, sample, text, trace) for term in self.rewards}
        failures = {name: score.reason for name, score in scores.items() if isinstance(score, _Failure)}
        parts = {name: None if isinstance(score, _Failure) else score.value for name, score in scores.items()}
        outcome = parts[self._outcome_name]
        if outcome is None:
            failures.setdefault(self._outcome_name, "the declared outcome abstained, which counts as 0")
            outcome = 0.0
        return RewardResult(
            parts=parts,
            weights={term.name: term.weight for term in self.rewards},
            factors={term.name: self._factor(term, outcome) for term in self.rewards},
            outcome=outcome,
            evidence=tuple(item for score in scores.values() if isinstance(score, Score) for item in score.evidence),
            failures=failures,
        )

    def _run(self, term: RewardConfig, sample: Sample, text: str, trace: Trace) -> "Score | _Failure":
        try:
            score = self._bound[term.name](sample, text, trace)
            if term.outcome and score.value is not None and not 0 <= score.value <= 1:
                raise RewardError(
                    f"the declared outcome is {score.value}, outside [0, 1]. Scale it or declare another."
                )
        except Exception as error:  # noqa: BLE001 - the one boundary between reward code and training
            failure = _Failure(reason=f"{type(error).__name__}: {error}")
        else:
            return score
        self._warn_once(term.name, sample, failure)
        return failure

    def _warn_once(self, name: str, sample: Sample, failure: "_Failure") -> None:
        # The reason may quote the completion, so it stays in the rollout's record and below WARNING.
        log.debug("reward %s on sample %s: %s", name, sample.id, failure.reason)
        if name not in self._warned:
            self._warned.add(name)
            log.warning(
                "reward %s failed on sample %s; see its failures and reward/%s/failed_frac", name, sample.id, name
            )

    def _factor(self, term: RewardConfig, outcome: float) -> float:
        match term.gate:
            case "always" | "ema":
                return 1.0
            case "off":
                return 0.0
            case "per_sample":
                return per_sample_factor(outcome, self.gate.config)


def reward_metrics(groups: Sequence[RolloutGroup]) -> dict[str, float]:
    """Every part of the reward over a batch: raw values, before weight and gate, where it did not abstain.

    `reward/{name}/mean`, `/std` (population), `/abstained_frac`, `/failed_frac` (both of all rollouts) and
    `/gate_mean` (what the gates let through); `reward/total/mean`, `/std`; `outcome/mean`, `/std`, and
    `outcome/group_std`, the mean spread within a group. A part that abstained on every rollout has no mean. Empty for
    no rollouts.
    """
    results = [rollout.reward for group in groups for rollout in group.rollouts]
    if not results:
        return {}
    metrics: dict[str, float] = {}
    for name in results[0].parts:
        metrics |= _part_metrics(name, results)
    metrics |= _spread("reward/total", [result.total for result in results])
    metrics |= _spread("outcome", [result.outcome for result in results])
    return metrics | {"outcome/group_std": fmean(pstdev(group.outcomes) for group in groups)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    reason: str


def _with_factors(rollout: Rollout, factors: Mapping[str, float]) -> Rollout:
    return replace(rollout, reward=replace(rollout.reward, factors={**rollout.reward.factors, **factors}))


def _part_metrics(name: str, results: Sequence[RewardResult]) -> dict[str, float]:
    values = [value for result in results if (value := result.parts[name]) is not None]
    num_failed = sum(name in result.failures and result.parts[name] is None for result in results)
    return {
        **(_spread(f"reward/{name}", values) if values else {}),
        f"reward/{name}/abstained_frac": (len(results) - len(values) - num_failed) / len(results),
        f"reward/{name}/failed_frac": num_failed / len(results),
        f"reward/{name}/gate_mean": fmean(result.factors[name] for result in results),
    }


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}/mean": fmean(values), f"{name}/std": pstdev(values)}
