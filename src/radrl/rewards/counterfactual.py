"""Whether the answer changes when the image does."""

from collections.abc import Sequence

from radrl.answers import agree, predicted_answer
from radrl.rewards.answer import gold_answer
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.types import Evidence

_Answer = frozenset[str] | None


@reward("counterfactual", per="batch")
def counterfactual(groups: Sequence[Sequence[Attempt]]) -> list[list[Score]]:
    """1 - the share of the twin's attempts that give the same final answer, where the twin's gold answer is another.

    The twin is the same question about the same study with one fact of the image toggled, found in the same batch by
    `twin_id` (either of the two may name the other). An answer that cannot be read counts as the same, on both sides.
    Abstains where the twin is not in the batch, or has the same gold answer.

    Hack it resists: answering from the question alone, which earns the same answers on both images and 0 here. A wrong
    answer that differs earns too: gate it by the outcome. It replaces nothing of the seeds; the blind rows of an
    evaluation measure the same.
    """
    by_id = {group[0].sample.id: group for group in groups if group}
    named_by = {group[0].sample.twin_id: group for group in groups if group and group[0].sample.twin_id}
    scores: list[list[Score]] = []
    for group in groups:
        sample = group[0].sample if group else None
        twin = sample and (by_id.get(sample.twin_id or "") or named_by.get(sample.id))
        scores.append(_against(group, twin) if twin else [ABSTAIN for _ in group])
    return scores


def _against(group: Sequence[Attempt], twin: Sequence[Attempt]) -> list[Score]:
    sample, other = group[0].sample, twin[0].sample
    kind = sample.answer_kind
    if kind is not other.answer_kind or agree(gold_answer(sample), gold_answer(other), kind=kind):
        return [ABSTAIN for _ in group]
    twins_answers = [_answer(attempt) for attempt in twin]
    return [_score(attempt, twins_answers) for attempt in group]


def _score(attempt: Attempt, twins_answers: Sequence[_Answer]) -> Score:
    own, kind = _answer(attempt), attempt.sample.answer_kind
    num_same = sum(own is None or answer is None or agree(own, answer, kind=kind) for answer in twins_answers)
    value = 1 - num_same / len(twins_answers)
    note = f"{num_same} of {len(twins_answers)} answers are the same with one fact of the image toggled"
    verdict = "right" if value > 0.5 else "wrong"
    return Score(
        value=value,
        evidence=tuple(
            Evidence(start=span.start, end=span.end, verdict=verdict, note=note) for span in attempt.trace.answers[-1:]
        ),
    )


def _answer(attempt: Attempt) -> _Answer:
    return predicted_answer(attempt.sample, text=attempt.text, trace=attempt.trace)
