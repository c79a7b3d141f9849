"""Which questions are hard for a model, and why, by what it answered to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from radrl.config.selection import HardPool, Measure, MiningConfig
from radrl.errors import DataError
from radrl.selection.results import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a model stands on one question.

    Example: `Standing(num_answers=8, pass_rate=0.25, confidences={"answer_geometric": 0.97}, pools=("wrong",))`
    """

    num_answers: int
    pass_rate: float
    """Mean outcome of its answers, in [0, 1]."""
    is_wrong: bool
    """Whether fewer than half of them are right."""
    confidences: Mapping[Measure, float]
    """Means over the answers that are right or wrong as the question is: of a question that it gets wrong, how sure it
    is of its wrong answers."""
    pools: tuple[HardPool, ...] = ()
    """Why it is hard; empty for one that is not."""


def judge_questions(answers: Mapping[str, Sequence[Answered]], config: MiningConfig) -> dict[str, Standing]:
    """Where the model stands on every question that it answered, by id."""
    _check_measure(answers, config)
    return {question: _standing(each, config) for question, each in answers.items()}


def hard_questions(standings: Mapping[str, Standing], config: MiningConfig) -> frozenset[str]:
    """Ids of the questions that are in one of the pools asked for."""
    return frozenset(question for question, standing in standings.items() if set(standing.pools) & set(config.pools))


def _standing(answers: Sequence[Answered], config: MiningConfig) -> Standing:
    is_wrong = 2 * sum(answer.is_right for answer in answers) < len(answers)
    typical = [answer.confidences for answer in answers if answer.is_right is not is_wrong]
    measures: dict[Measure, None] = dict.fromkeys(measure for known in typical for measure in known)
    sure: dict[Measure, float] = {
        measure: fmean(known[measure] for known in typical if measure in known) for measure in measures
    }
    pass_rate = fmean(answer.outcome for answer in answers)
    return Standing(
        num_answers=len(answers),
        pass_rate=pass_rate,
        is_wrong=is_wrong,
        confidences=sure,
        pools=_pools(is_wrong=is_wrong, pass_rate=pass_rate, confidence=sure.get(config.confidence), config=config),
    )


def _pools(*, is_wrong: bool, pass_rate: float, confidence: float | None, config: MiningConfig) -> tuple[HardPool, ...]:
    belongs: dict[HardPool, bool] = {
        "wrong": is_wrong,
        "confident_wrong": is_wrong and confidence is not None and confidence >= config.sure_at,
        "unsure": confidence is not None and confidence < config.unsure_below,
        "in_band": config.band_low <= pass_rate <= config.band_high,
    }
    return tuple(name for name, is_in in belongs.items() if is_in)


def _check_measure(answers: Mapping[str, Sequence[Answered]], config: MiningConfig) -> None:
    """A pool that goes by a confidence which no answer has would be empty without a word."""
    by_confidence = sorted({"confident_wrong", "unsure"} & set(config.pools))
    known = {measure for each in answers.values() for answer in each for measure in answer.confidences}
    if by_confidence and answers and config.confidence not in known:
        raise DataError(
            f"mining.pools = {', '.join(by_confidence)} goes by mining.confidence = {config.confidence}, which none of "
            f"the results has; they have {', '.join(sorted(known)) or 'none'}. Evaluate with token_probs=true, or set "
            "mining.confidence."
        )
