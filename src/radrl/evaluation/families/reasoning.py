"""What the thoughts claim, against the reference graph."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.metrics.graph import graph_statistics
from radrl.evaluation.records import Judged


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    return graph_statistics([one.graph for one in judged])


REASONING = Family(
    name="reasoning",
    metrics={
        "graph_f1": "Mean over completions of (entity F1 + relation F1) / 2 between the graph of the thoughts and the "
        "reference's. In [0, 1], more is better.",
        "entity_precision": "Stated entities, with their certainty, that the reference states; counts pooled.",
        "entity_recall": "Entities of the reference that are stated; counts pooled.",
        "entity_f1": "2 common / (stated + of the reference), entities, counts pooled.",
        "relation_precision": "Stated relations that the reference states; counts pooled.",
        "relation_recall": "Relations of the reference that are stated; counts pooled.",
        "relation_f1": "2 common / (stated + of the reference), relations, counts pooled.",
        "hallucination_rate": "Findings claimed present that the reference does not claim / findings claimed present. "
        "In [0, 1], less is better.",
        "omission_rate": "Findings of the reference that are not claimed / findings of the reference. In [0, 1], less "
        "is better.",
        "contradiction_rate": "Findings that one side calls present and the other absent / findings both speak of. In "
        "[0, 1], less is better.",
        "laterality_error_rate": "Findings put on a side where the reference does not have them / findings that both "
        "claim and put on a side. In [0, 1], less is better.",
    },
    statistics=_statistics,
)
