"""Weighs and gates rewards, and turns completions into scored rollouts."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean, pstdev

from radrl.config.schema import GateConfig, RewardConfig
from radrl.errors import ConfigError, RewardError
from radrl.rewards.api import Attempt, BoundReward, Scope
from radrl.rewards.background import Pending
from radrl.rewards.gate import BatchGate, rollout_factor
from radrl.rewards.pool import RewardPool
from radrl.rewards.scoring import TIMED_OUT, Call, Scored, failed
from radrl.text import parse_trace
from radrl.types import Completion, RewardResult, Rollout, RolloutGroup

log = logging.getLogger(__name__)

OUTCOME_ABSTAINED = "the declared outcome abstained, which counts as 0"
"""What a rollout's failures say then."""


class Rubric:
    """The rewards of one stage: their weights, their gates, and which of them is the declared outcome.

    A reward that raises is the one thing caught here: it counts as abstained, its error is kept in the rollout's
    `failures`, and `reward/{name}/failed_frac` counts it. Where the outcome itself fails or abstains, the rollout's
    outcome is 0.0 and `failures` says so too, so such a 0 is never silent.

    Example: `Rubric((RewardConfig(name="answer_f1", outcome=True), RewardConfig(name="format")), GateConfig(),
                     max_tokens=256)`
    """

    def __init__(
        self, rewards: Sequence[RewardConfig], gate: GateConfig, *, max_tokens: int, pool: RewardPool | None = None
    ) -> None:
        self.rewards = tuple(rewards)
        self.gate = BatchGate(gate, conditions={condition for term in self.rewards for condition in term.gate})
        self.max_tokens = max_tokens
        """Longest completion of the stage, for rewards of length."""
        self.pool = pool or RewardPool()
        """Where the rewards run; whoever made it closes it."""
        self._warned: set[str] = set()

    @cached_property
    def bound(self) -> Mapping[str, BoundReward]:
        """The rewards by the keys of their terms."""
        return {term.key: self.pool.bind(term) for term in self.rewards}

    def check(self) -> None:
        """Raise `ConfigError` unless every reward exists and takes its arguments, and exactly one is the outcome.

        Raises `PluginError` for what a reward needs and cannot open: a library, the weights of a graph extractor.
        """
        names = [term.key for term in self.rewards]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(
                f"reward {repeated[0]!r} stands twice in rewards. Keep one entry, or give each a label of its own."
            )
        for term in self.rewards:
            if term.outcome_key is not None and not term.outcome:
                raise ConfigError(
                    f"reward {term.key!r} has outcome_key {term.outcome_key!r} but is not the outcome. "
                    "Set `outcome: true` on it, or leave the key out."
                )
        outcomes = [term for term in self.rewards if term.outcome]
        if len(outcomes) != 1:
            declared = ", ".join(term.key for term in outcomes) or "none"
            raise ConfigError(
                f"exactly one reward must be the declared outcome, but rewards declares {declared}. "
                f"Set `outcome: true` on one of: {', '.join(names) or '(rewards is empty)'}."
            )
        outcome = outcomes[0]
        if outcome.gate != ("always",):
            raise ConfigError(
                f"the outcome {outcome.key!r} has the gate {', '.join(outcome.gate)}, but gates look at the outcome. "
                "Set its gate to always (and its weight to 0 to keep it out of the total)."
            )
        if self.bound[outcome.key].entry.per != "rollout":
            raise ConfigError(
                f"the outcome {outcome.key!r} is a reward per {self.bound[outcome.key].entry.per}, which looks at "
                "outcomes itself. Declare a reward of single rollouts."
            )
        for reward in self.bound.values():
            # Asked about nothing, it opens what it will need: a missing library or folder of weights shows here.
            reward.prepare(())

    def score(self, groups: Sequence[Sequence[Completion]]) -> tuple[RolloutGroup, ...]:
        """Score the completions of several prompts, one group a prompt.

        Rewards per batch and gates of batches are left to `settle`, which sees the groups that a step keeps.
        """
        ordered = [sorted(group, key=lambda completion: completion.index) for group in groups]
        attempts = [[self._attempt(completion) for completion in group] for group in ordered]
        results = self._results(attempts)
        return tuple(
            RolloutGroup(
                prompt=completions[0].prompt,
                rollouts=tuple(
                    Rollout(completion=completion, reward=result)
                    for completion, result in zip(completions, of_group, strict=True)
                ),
            )
            for completions, of_group in zip(ordered, results, strict=True)
        )

    def begin(self, completions: Sequence[Completion]) -> Pending:
        """Begin to score one group beside whatever else goes on; its result is what `score` gives."""
        return self.pool.background.begin(self.score, completions)

    def settle(self, groups: Sequence[RolloutGroup], *, update: bool) -> tuple[RolloutGroup, ...]:
        """Apply the batch gates and add rewards per batch, on the groups that a step keeps; `update` in training.

        Without `update` (validation) the gate stays as the last training batch left it, and so does its average.
        """
        if update and groups:
            self.gate.observe(fmean(outcome for group in groups for outcome in group.outcomes))
        of_batch = {term.key: self.gate.factor(term.gate) for term in self.rewards}
        open_or_shut = tuple(
            replace(group, rollouts=tuple(_with_factors(rollout, of_batch) for rollout in group.rollouts))
            for group in groups
        )
        return self._with_batch_rewards(open_or_shut)

    def state_dict(self) -> dict[str, object]:
        """The gate's state; rewards themselves have none."""
        return self.gate.state_dict()

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        self.gate.load_state_dict(state)

    def _terms(self, scope: Scope) -> list[RewardConfig]:
        return [term for term in self.rewards if self.bound[term.key].entry.per == scope]

    @cached_property
    def _outcome_term(self) -> RewardConfig:
        return next(term for term in self.rewards if term.outcome)

    def _attempt(self, completion: Completion) -> Attempt:
        return Attempt(
            sample=completion.prompt.sample,
            text=completion.text,
            trace=parse_trace(completion.text),
            num_tokens=len(completion.token_ids),
            max_tokens=self.max_tokens,
            is_cut=completion.stop == "length",
            token_ids=completion.token_ids,
        )

    def _results(self, groups: Sequence[Sequence[Attempt]]) -> list[list[RewardResult]]:
        """Rewards of all attempts, those per batch left out."""
        alone = self._scores("rollout", groups)
        known = [
            [replace(attempt, outcome=self._outcome(one)) for attempt, one in zip(group, of_group, strict=True)]
            for group, of_group in zip(groups, alone, strict=True)
        ]
        together = self._scores("group", known)
        return [
            [self._result(known[i][j], one | together[i][j]) for j, one in enumerate(of_group)]
            for i, of_group in enumerate(alone)
        ]

    def _scores(self, scope: Scope, groups: Sequence[Sequence[Attempt]]) -> list[list[dict[str, Scored]]]:
        """What each reward of this scope gives each attempt, by the keys of their terms."""
        terms = self._terms(scope)
        calls = [Call(term=term, groups=tuple(tuple(group) for group in groups)) for term in terms]
        scores = [[dict[str, Scored]() for _ in group] for group in groups]
        places = [(i, j) for i, group in enumerate(groups) for j in range(len(group))]
        for term, scored in zip(terms, self.pool.score(calls, self.bound), strict=True):
            for (i, j), one in zip(places, scored, strict=True):
                checked = self._checked_outcome(one) if term.outcome else one
                scores[i][j][term.key] = checked
                if checked.failure:
                    self._report(term, groups[i][j], checked.failure)
        return scores

    def _outcome(self, scores: Mapping[str, Scored]) -> float:
        """The declared outcome; 0 where its reward abstained or failed, which is recorded as a failure."""
        scored = scores[self._outcome_term.key]
        outcome = self._outcome_in(scored)
        return 0.0 if scored.value is None or outcome is None else outcome

    def _outcome_in(self, scored: Scored) -> float | None:
        key = self._outcome_term.outcome_key
        return scored.value if key is None else scored.score.extras.get(key)

    def _checked_outcome(self, scored: Scored) -> Scored:
        """The score of the outcome's reward, or a failure where the outcome is missing or outside [0, 1]."""
        key, outcome = self._outcome_term.outcome_key, self._outcome_in(scored)
        if scored.value is None or (outcome is not None and 0 <= outcome <= 1):
            return scored
        if outcome is None:
            known = ", ".join(scored.score.extras) or "none"
            return failed(RewardError(f"its outcome_key {key!r} is none of its further numbers ({known}). Correct it."))
        return failed(
            RewardError(
                f"the declared outcome is {outcome}, outside [0, 1]. Scale it, name the number that is the outcome in "
                "outcome_key, or declare another."
            )
        )

    def _result(self, attempt: Attempt, scores: Mapping[str, Scored]) -> RewardResult:
        ordered = {term.key: scores[term.key] for term in self.rewards if term.key in scores}
        failures = {key: scored.failure for key, scored in ordered.items() if scored.failure}
        if ordered[self._outcome_term.key].value is None:
            failures.setdefault(self._outcome_term.key, OUTCOME_ABSTAINED)
        assert attempt.outcome is not None
        result = RewardResult(parts={}, weights={}, factors={}, outcome=attempt.outcome, failures=failures)
        for term in self.rewards:
            if term.key in ordered:
                factor = rollout_factor(term.gate, attempt, self.gate.config)
                result = _with_score(result, term, ordered[term.key], factor=factor)
        return result

    def _with_batch_rewards(self, groups: tuple[RolloutGroup, ...]) -> tuple[RolloutGroup, ...]:
        terms = self._terms("batch")
        if not terms or not groups:
            return groups
        attempts = [
            [replace(self._attempt(r.completion), outcome=r.reward.outcome) for r in group.rollouts] for group in groups
        ]
        scores = self._scores("batch", attempts)
        return tuple(
            replace(
                group,
                rollouts=tuple(
                    self._with_batch_scores(rollout, terms, attempt, of_attempt)
                    for rollout, attempt, of_attempt in zip(group.rollouts, tried, of_group, strict=True)
                ),
            )
            for group, tried, of_group in zip(groups, attempts, scores, strict=True)
        )

    def _with_batch_scores(
        self, rollout: Rollout, terms: Sequence[RewardConfig], attempt: Attempt, scores: Mapping[str, Scored]
    ) -> Rollout:
        result = rollout.reward
        for term in terms:
            factor = rollout_factor(term.gate, attempt, self.gate.config) * self.gate.factor(term.gate)
            result = _with_score(result, term, scores[term.key], factor=factor)
        return replace(rollout, reward=result)

    def _report(self, term: RewardConfig, attempt: Attempt, reason: str) -> None:
        # The reason may quote the completion, so it stays in the rollout's record and below WARNING.
        log.debug("reward %s on sample %s: %s", term.key, attempt.sample.id, reason)
        if term.key not in self._warned:
            self._warned.add(term.key)
            log.warning(
                "reward %s failed on sample %s; see its failures and reward/%s/failed_frac",
                term.key, attempt.sample.id, term.key,
            )  # fmt: skip


def reward_metrics(groups: Sequence[RolloutGroup]) -> dict[str, float]:
    """Every part of the reward over a batch: raw values, before weight and gate, where it did not abstain.

    `reward/{name}/mean`, `/std` (population), `/abstained_frac`, `/failed_frac`, `/timeout_frac` (the part of the
    failures that missed its deadline; all three of all rollouts) and `/gate_mean` (what the gates let through); for a
    reward's extras `reward/{name}/{extra}/mean` and `/std`; `reward/total/mean`, `/std`, `outcome/mean`, `/std`, and
    `/group_std` of both, the mean spread within a group. A part that abstained on every rollout has no mean. Empty for
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
    totals = [[rollout.reward.total for rollout in group.rollouts] for group in groups]
    metrics["reward/total/group_std"] = fmean(pstdev(of_group) for of_group in totals)
    return metrics | {"outcome/group_std": fmean(pstdev(group.outcomes) for group in groups)}


def _with_score(result: RewardResult, term: RewardConfig, scored: Scored, *, factor: float) -> RewardResult:
    """The result with one more part, and its extras as parts of weight 0."""
    extras = {f"{term.key}/{name}": value for name, value in scored.score.extras.items()}
    failures = {**result.failures, term.key: scored.failure} if scored.failure else result.failures
    return replace(
        result,
        parts={**result.parts, term.key: scored.value, **extras},
        weights={**result.weights, term.key: term.weight, **dict.fromkeys(extras, 0.0)},
        factors={**result.factors, term.key: factor, **dict.fromkeys(extras, 1.0)},
        evidence=(*result.evidence, *scored.score.evidence),
        failures=failures,
    )


def _with_factors(rollout: Rollout, of_batch: Mapping[str, float]) -> Rollout:
    """The rollout's own factors times what the batch lets through; those of a reward's extras stay as they are."""
    factors = {name: factor * of_batch.get(name, 1.0) for name, factor in rollout.reward.factors.items()}
    return replace(rollout, reward=replace(rollout.reward, factors=factors))


def _part_metrics(name: str, results: Sequence[RewardResult]) -> dict[str, float]:
    values = [value for result in results if (value := result.parts.get(name)) is not None]
    spread = _spread(f"reward/{name}", values) if values else {}
    if "/" in name:
        return spread
    without = [result for result in results if result.parts.get(name) is None]
    reasons = [result.failures[name] for result in without if name in result.failures]
    num_failed, num_late = len(reasons), sum(reason.startswith(TIMED_OUT) for reason in reasons)
    return {
        **spread,
        f"reward/{name}/abstained_frac": (len(results) - len(values) - num_failed) / len(results),
        f"reward/{name}/failed_frac": num_failed / len(results),
        f"reward/{name}/timeout_frac": num_late / len(results),
        f"reward/{name}/gate_mean": fmean(result.factors.get(name, 0.0) for result in results),
    }


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}/mean": fmean(values), f"{name}/std": pstdev(values)}
