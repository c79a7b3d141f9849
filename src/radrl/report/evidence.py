"""Why each reward gave a rollout what it gave: the spans of its text that the reward judged.

Runs record values and not reasons, so registered rewards that look at one answer alone are asked again. Others (of user
files, of whole groups or batches, and those that read graphs with a neural extractor) are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from radrl.config.schema import RewardConfig
from radrl.errors import ConfigError
from radrl.plugins import is_reference
from radrl.report.rollouts import RolloutRecord
from radrl.rewards.api import BoundReward
from radrl.rewards.foreign import bind_term
from radrl.rewards.scoring import Call, perform
from radrl.types import Evidence

_SAME = 1e-4
"""Two values of one reward are the same within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """What one reward judged in a rollout.

    Example: `Reasons(reward="answer_f1", spans=(Evidence(start=33, end=35, verdict="wrong", note="it is yes"),))`
    """

    reward: str
    """Name in metrics and records."""
    spans: tuple[Evidence, ...]
    """Empty where it named none, and where it would give another value today."""
    value_today: float | None = None
    """What it gives today where that is not what was recorded: its rules have changed since, or its configuration."""


def find_reasons(record: RolloutRecord, terms: Sequence[RewardConfig]) -> tuple[Reasons, ...]:
    """Ask the rewards of the rollout's stage again; rewards that name no spans are left out."""
    found = (_ask(record, term) for term in terms)
    return tuple(reasons for reasons in found if reasons and (reasons.spans or reasons.value_today is not None))


def _ask(record: RolloutRecord, term: RewardConfig) -> Reasons | None:
    recorded = record.rewards.get(term.key)
    reward = _bound(term.model_dump_json()) if _is_cheap(term) else None
    if recorded is None or reward is None or reward.entry.per != "rollout" or record.attempt is None:
        return None
    (scored,) = perform(Call(term=term, groups=((record.attempt,),)), reward)
    if scored.value is None:
        return None
    if abs(scored.value - recorded) > _SAME:
        return Reasons(reward=term.key, spans=(), value_today=scored.value)
    return Reasons(reward=term.key, spans=_within(scored.score.evidence, record.completion))


def _is_cheap(term: RewardConfig) -> bool:
    return not is_reference(term.name) and term.kwargs.get("extractor", "rules") == "rules"


@lru_cache(maxsize=256)
def _bound(term: str) -> BoundReward | None:
    """None for a reward that this version does not have, or that takes other arguments now: it cannot be asked."""
    try:
        return bind_term(RewardConfig.model_validate_json(term))
    except ConfigError:
        return None


def _within(spans: Sequence[Evidence], text: str) -> tuple[Evidence, ...]:
    """Spans that lie in the text, each once, in reading order."""
    distinct = dict.fromkeys(span for span in spans if 0 <= span.start <= span.end <= len(text))
    return tuple(sorted(distinct, key=lambda span: (span.start, span.end)))
