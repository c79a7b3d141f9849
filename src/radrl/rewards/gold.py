"""Whether a rubric's rewards pay for what they are meant to pay for: each sample's own reference."""

import logging
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radrl.config.schema import RewardConfig
from radrl.errors import RewardError
from radrl.plugins import is_reference
from radrl.rewards.rubric import OUTCOME_ABSTAINED, Rubric
from radrl.types import Completion, Prompt, RewardResult, RolloutGroup, Sample

log = logging.getLogger(__name__)

NUM_CHECKED = 32
"""Samples that a run looks at when it starts."""

_MOST_BAD_ROWS = 0.5
"""Share of references that may fail a reward as bad rows do; beyond it the reward does not fit the data."""

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldProblem:
    """A reward that does not give a sample's own reference the most it can give.

    Example: `GoldProblem(term=RewardConfig(name="graph_f1"), sample=..., value=0.4, highest=1.0)`
    """

    term: RewardConfig
    sample: Sample
    value: float | None
    """None where the reward failed."""
    highest: float
    failure: str = ""

    def __str__(self) -> str:
        sample = f"the reference of sample {self.sample.id} ({self.sample.origin or 'from code'})"
        if self.value is None:
            return f"reward {self.term.key!r} fails on {sample}: {self.failure}"
        return f"reward {self.term.key!r} gives {sample} {self.value:g}, and {self.highest:g} is its highest"


def check_gold(rubric: Rubric, samples: Sequence[Sample], *, seed: int) -> None:
    """Refuse to train on rewards that fail on their own gold answers; some samples are drawn by the seed and scored.

    Raises `RewardError` naming reward, sample and value where a reward fails on more than half of them; fewer are bad
    rows, and cause a warning that counts them. Left out are legacy rewards, which repeat a seed's faults on purpose,
    and terms that are never paid. A reward from a file is never refused: nobody said what its highest is meant for.
    """
    drawn = random.Random(seed).sample(list(samples), min(NUM_CHECKED, len(samples)))
    fresh = Rubric(rubric.rewards, rubric.gate.config, max_tokens=rubric.max_tokens, pool=rubric.pool)
    groups = fresh.settle(fresh.score([[gold_completion(sample)] for sample in drawn]), update=False)
    problems = [problem for problem in gold_problems(fresh, groups) if _counts(problem, fresh)]
    for key in dict.fromkeys(problem.term.key for problem in problems):
        of_term = [problem for problem in problems if problem.term.key == key]
        count = f"{len(of_term)} of {len(drawn)} references"
        if not is_reference(of_term[0].term.name) and len(of_term) > _MOST_BAD_ROWS * len(drawn):
            raise RewardError(
                f"{of_term[0]}; so it is with {count}. Correct the rows, or the reward's kwargs; a weight of 0 "
                "measures it without paying for it."
            )
        log.warning(
            "reward %s does not give %s its highest, the first of sample %s; `radrl score --gold` lists them",
            key, count, of_term[0].sample.id,
        )  # fmt: skip


def gold_problems(rubric: Rubric, groups: Iterable[RolloutGroup]) -> list[GoldProblem]:
    """Where references that were scored earned less than the most; abstaining is no problem.

    Where nobody said what the most is (rewards of other systems), a failure is a problem, and so is an outcome below 1.
    """
    return [
        problem
        for group in groups
        for rollout in group.rollouts
        for term in rubric.rewards
        if (problem := _problem(rubric, term, group.prompt.sample, rollout.reward))
    ]


def gold_completion(sample: Sample) -> Completion:
    """The reference as if the policy had written it, in no tokens: nobody has tokenized it."""
    return Completion(
        prompt=Prompt(sample=sample, text=sample.question, token_ids=(), num_image_tokens=0),
        index=0,
        text=sample.reference,
        token_ids=(),
        token_texts=(),
        logprobs=(),
        stop="eos",
        policy_version=0,
        temperature=1.0,
    )


def _problem(rubric: Rubric, term: RewardConfig, sample: Sample, result: RewardResult) -> GoldProblem | None:
    highest, value = rubric.bound[term.key].highest, result.parts[term.key]
    if value is None:
        failure = result.failures.get(term.key, OUTCOME_ABSTAINED)
        if failure == OUTCOME_ABSTAINED:
            return None
        return GoldProblem(term=term, sample=sample, value=None, highest=highest, failure=failure)
    if not math.isfinite(highest):
        if not term.outcome:
            return None
        highest, value = 1.0, result.outcome
    if value >= highest - _ROUNDING:
        return None
    return GoldProblem(term=term, sample=sample, value=value, highest=highest)


def _counts(problem: GoldProblem, rubric: Rubric) -> bool:
    term = problem.term
    is_paid = term.outcome or (term.weight != 0 and "off" not in term.gate)
    return is_paid and not rubric.bound[term.key].entry.is_legacy
