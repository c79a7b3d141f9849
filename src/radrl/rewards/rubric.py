"""Weighs and gates rewards, and turns completions into scored rollouts."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, pstdev

from radrl.config.schema import GateConfig, RewardConfig
from radrl.errors import ConfigError, RewardError
from radrl.rewards.api import ABSTAIN, Attempt, BoundReward, Scope, Score, bind
from radrl.rewards.gate import EmaGate, per_sample_factor
from radrl.text import parse_trace
from radrl.types import Completion, RewardResult, Rollout, RolloutGroup

log = logging.getLogger(__name__)


class Rubric:
    """The rewards of one stage: their weights, their gates, and which of them is the declared outcome.

    A reward that raises is the one thing caught here: it counts as abstained, its error is kept in the rollout's
    `failures`, and `reward/{name}/failed_frac` counts it. Where the outcome itself fails or abstains, the rollout's
    outcome is 0.0 and `failures` says so too, so such a 0 is never silent.

    Example: `Rubric((RewardConfig(name="answer_f1", outcome=True), RewardConfig(name="format")), GateConfig(),
                     max_tokens=256)`
    """

    def __init__(self, rewards: Sequence[RewardConfig], gate: GateConfig, *, max_tokens: int) -> None:
        self.rewards = tuple(rewards)
        self.gate = EmaGate(gate)
        self.max_tokens = max_tokens
        """Longest completion of the stage, for rewards of length."""
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
        outcome = outcomes[0]
        if outcome.gate != "always":
            raise ConfigError(
                f"the outcome {outcome.name!r} has gate {outcome.gate!r}, but gates look at the outcome. "
                "Set its gate to always (and its weight to 0 to keep it out of the total)."
            )
        if self._bound[outcome.name].entry.per != "rollout":
            raise ConfigError(
                f"the outcome {outcome.name!r} is a reward per {self._bound[outcome.name].entry.per}, which looks at "
                "outcomes itself. Declare a reward of single rollouts."
            )

    def score(self, groups: Sequence[Sequence[Completion]]) -> tuple[RolloutGroup, ...]:
        """Score the completions of several prompts, one group a prompt.

        Rewards per batch and `ema` gates are left to `settle`, which sees the groups that a step keeps.
        """
        ordered = [sorted(group, key=lambda completion: completion.index) for group in groups]
        attempts = [[self._attempt(completion) for completion in group] for group in ordered]
        everything = [attempt for group in attempts for attempt in group]
        for bound in self._bound.values():
            bound.prepare(everything)
        return tuple(
            RolloutGroup(
                prompt=completions[0].prompt,
                rollouts=tuple(
                    Rollout(completion=completion, reward=result)
                    for completion, result in zip(completions, self._results(group), strict=True)
                ),
            )
            for completions, group in zip(ordered, attempts, strict=True)
        )

    def settle(self, groups: Sequence[RolloutGroup], *, update: bool) -> tuple[RolloutGroup, ...]:
        """Apply the batch gates and add rewards per batch, on the groups that a step keeps; `update` in training.

        Without `update` (validation) the gate stays as the last training batch left it, and so does its average.
        """
        if update and groups:
            self.gate.observe(fmean(outcome for group in groups for outcome in group.outcomes))
        gated = {term.name: float(self.gate.is_open) for term in self.rewards if term.gate == "ema"}
        open_or_shut = tuple(
            replace(group, rollouts=tuple(_with_factors(rollout, gated) for rollout in group.rollouts))
            for group in groups
        )
        return self._with_batch_rewards(open_or_shut)

    def state_dict(self) -> dict[str, object]:
        """The gate's state; rewards themselves have none."""
        return self.gate.state_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        self.gate.load_state_dict(state)

    @cached_property
    def _bound(self) -> Mapping[str, BoundReward]:
        return {term.name: bind(term.name, kwargs=term.kwargs) for term in self.rewards}

    def _terms(self, scope: Scope) -> list[RewardConfig]:
        return [term for term in self.rewards if self._bound[term.name].entry.per == scope]

    @cached_property
    def _outcome_name(self) -> str:
        return next(term.name for term in self.rewards if term.outcome)

    def _attempt(self, completion: Completion) -> Attempt:
        return Attempt(
            sample=completion.prompt.sample,
            text=completion.text,
            trace=parse_trace(completion.text),
            num_tokens=len(completion.token_ids),
            max_tokens=self.max_tokens,
            is_cut=completion.stop == "length",
        )

    def _results(self, group: Sequence[Attempt]) -> list[RewardResult]:
        """Rewards of all attempts at one sample, those per batch left out."""
        alone = [{term.name: self._run(term, attempt) for term in self._terms("rollout")} for attempt in group]
        outcomes = [scores[self._outcome_name].value for scores in alone]
        known = [replace(attempt, outcome=outcome or 0.0) for attempt, outcome in zip(group, outcomes, strict=True)]
        together = {term.name: self._run_group(term, known) for term in self._terms("group")}
        return [
            self._result(known[i], scores | {name: given[i] for name, given in together.items()})
            for i, scores in enumerate(alone)
        ]

    def _result(self, attempt: Attempt, scores: Mapping[str, "_Scored"]) -> RewardResult:
        ordered = {term.name: scores[term.name] for term in self.rewards if term.name in scores}
        failures = {name: scored.failure for name, scored in ordered.items() if scored.failure}
        if ordered[self._outcome_name].value is None:
            failures.setdefault(self._outcome_name, "the declared outcome abstained, which counts as 0")
        assert attempt.outcome is not None
        result = RewardResult(parts={}, weights={}, factors={}, outcome=attempt.outcome, failures=failures)
        for term in self.rewards:
            if term.name in ordered:
                result = _with_score(result, term, ordered[term.name], factor=self._factor(term, attempt))
        return result

    def _run(self, term: RewardConfig, attempt: Attempt) -> "_Scored":
        try:
            score = self._bound[term.name].score(attempt)
            if term.outcome and score.value is not None and not 0 <= score.value <= 1:
                raise RewardError(
                    f"the declared outcome is {score.value}, outside [0, 1]. Scale it or declare another."
                )
        except Exception as error:  # noqa: BLE001 - the one boundary between reward code and training
            return self._failed(term, attempt, error)
        return _Scored(score=score)

    def _run_group(self, term: RewardConfig, group: Sequence[Attempt]) -> list["_Scored"]:
        try:
            return [_Scored(score=score) for score in self._bound[term.name].score_group(group)]
        except Exception as error:  # noqa: BLE001 - as in `_run`
            return [self._failed(term, attempt, error) for attempt in group]

    def _run_batch(self, term: RewardConfig, groups: Sequence[Sequence[Attempt]]) -> list[list["_Scored"]]:
        try:
            return [[_Scored(score=score) for score in group] for group in self._bound[term.name].score_batch(groups)]
        except Exception as error:  # noqa: BLE001 - as in `_run`
            return [[self._failed(term, attempt, error) for attempt in group] for group in groups]

    def _with_batch_rewards(self, groups: tuple[RolloutGroup, ...]) -> tuple[RolloutGroup, ...]:
        terms = self._terms("batch")
        if not terms or not groups:
            return groups
        attempts = [
            [replace(self._attempt(r.completion), outcome=r.reward.outcome) for r in group.rollouts] for group in groups
        ]
        for term in terms:
            scored = self._run_batch(term, attempts)
            groups = tuple(
                replace(
                    group,
                    rollouts=tuple(
                        self._with_batch_score(rollout, term, attempt, score)
                        for rollout, attempt, score in zip(group.rollouts, tried, scores, strict=True)
                    ),
                )
                for group, tried, scores in zip(groups, attempts, scored, strict=True)
            )
        return groups

    def _with_batch_score(self, rollout: Rollout, term: RewardConfig, attempt: Attempt, score: "_Scored") -> Rollout:
        factor = float(self.gate.is_open) if term.gate == "ema" else self._factor(term, attempt)
        return replace(rollout, reward=_with_score(rollout.reward, term, score, factor=factor))

    def _failed(self, term: RewardConfig, attempt: Attempt, error: Exception) -> "_Scored":
        # The reason may quote the completion, so it stays in the rollout's record and below WARNING.
        reason = f"{type(error).__name__}: {error}"
        sample = attempt.sample
        log.debug("reward %s on sample %s: %s", term.name, sample.id, reason)
        if term.name not in self._warned:
            self._warned.add(term.name)
            log.warning(
                "reward %s failed on sample %s; see its failures and reward/%s/failed_frac",
                term.name, sample.id, term.name,
            )  # fmt: skip
        return _Scored(score=ABSTAIN, failure=reason)

    def _factor(self, term: RewardConfig, attempt: Attempt) -> float:
        match term.gate:
            case "always" | "ema":
                return 1.0
            case "off":
                return 0.0
            case "per_sample":
                assert attempt.outcome is not None
                return per_sample_factor(attempt.outcome, self.gate.config)


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
    for name in dict.fromkeys(name for result in results for name in result.parts):
        metrics |= _part_metrics(name, results)
    metrics |= _spread("reward/total", [result.total for result in results])
    metrics |= _spread("outcome", [result.outcome for result in results])
    return metrics | {"outcome/group_std": fmean(pstdev(group.outcomes) for group in groups)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """A score, or an abstention with the reason why the reward failed."""

    score: Score
    failure: str = ""

    @property
    def value(self) -> float | None:
        return self.score.value


def _with_score(result: RewardResult, term: RewardConfig, scored: _Scored, *, factor: float) -> RewardResult:
    """The result with one more part, and its extras as parts of weight 0."""
    extras = {f"{term.name}/{name}": value for name, value in scored.score.extras.items()}
    failures = {**result.failures, term.name: scored.failure} if scored.failure else result.failures
    return replace(
        result,
        parts={**result.parts, term.name: scored.value, **extras},
        weights={**result.weights, term.name: term.weight, **dict.fromkeys(extras, 0.0)},
        factors={**result.factors, term.name: factor, **dict.fromkeys(extras, 1.0)},
        evidence=(*result.evidence, *scored.score.evidence),
        failures=failures,
    )


def _with_factors(rollout: Rollout, factors: Mapping[str, float]) -> Rollout:
    known = {name: factor for name, factor in factors.items() if name in rollout.reward.parts}
    return replace(rollout, reward=replace(rollout.reward, factors={**rollout.reward.factors, **known}))


def _part_metrics(name: str, results: Sequence[RewardResult]) -> dict[str, float]:
    values = [value for result in results if (value := result.parts.get(name)) is not None]
    num_failed = sum(name in result.failures and result.parts.get(name) is None for result in results)
    return {
        **(_spread(f"reward/{name}", values) if values else {}),
        f"reward/{name}/abstained_frac": (len(results) - len(values) - num_failed) / len(results),
        f"reward/{name}/failed_frac": num_failed / len(results),
        f"reward/{name}/gate_mean": fmean(result.factors.get(name, 0.0) for result in results),
    }


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}/mean": fmean(values), f"{name}/std": pstdev(values)}
