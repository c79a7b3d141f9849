"""How long completions are."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.records import Judged


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    return [mean_of("response_tokens", [len(one.record.token_ids) or None for one in judged])]


LENGTH = Family(
    name="length",
    metrics={"response_tokens": "Mean length of a completion in tokens, where its source tells them."},
    statistics=_statistics,
)
