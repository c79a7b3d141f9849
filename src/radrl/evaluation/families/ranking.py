"""Open questions: findings in the order in which they are named, and the candidates they are chosen from."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.metrics.ranking import candidate_recall, hit_at, recall_at
from radrl.evaluation.records import Judged
from radrl.evaluation.tasks import Task
from radrl.rewards.candidate_recall import listed_candidates
from radrl.types import AnswerKind

_DEPTHS = (1, 3, 5)


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    sets = [one if one.sample.answer_kind is AnswerKind.SET else None for one in judged]
    recalls = [None if one is None else candidate_recall(one.sample, one.trace) for one in sets]
    return [
        *(
            mean_of(f"{name}_at_{k}", [None if one is None else metric(one.items, one.gold, k=k) for one in sets])
            for name, metric in (("recall", recall_at), ("hit", hit_at))
            for k in _DEPTHS
        ),
        mean_of("candidate_recall", recalls),
        mean_of(
            "num_candidates",
            [
                None if recall is None else float(len(listed_candidates(one.trace)))
                for one, recall in zip(judged, recalls, strict=True)
            ],
        ),
    ]


RANKING = Family(
    name="ranking",
    metrics={
        **{
            f"recall_at_{k}": f"Mean over open questions answered by names of |G and top-{k}| / |G|: G the gold names, "
            f"top-{k} the first {k} that the final answer names, in the order in which they are written. Where G is "
            "empty, naming nothing scores 1. In [0, 1], more is better."
            for k in _DEPTHS
        },
        **{
            f"hit_at_{k}": f"Share of the same questions of which some gold name is among the first {k} that the "
            "answer names. In [0, 1], more is better."
            + (
                " Where the gold answer is the primary diagnosis alone, this is what CX-Mind's paper calls recall@1: a "
                "hit rate on the primary diagnosis, not a recall."
                if k == 1
                else ""
            )
            for k in _DEPTHS
        },
        "candidate_recall": "Mean over open questions, whose reference opens with a list of candidates and finds "
        "something, of the share of the gold names on the list of the trace's first step. In [0, 1], more is better; a "
        "long list inflates it, so read it beside num_candidates.",
        "num_candidates": "Mean length of that list, repeats counted; 0 where the trace opens with none.",
    },
    statistics=_statistics,
    tasks=frozenset({Task.OPEN}),
)
