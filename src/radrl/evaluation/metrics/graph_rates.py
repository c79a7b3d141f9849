"""How two graphs of one radiograph go wrong, finding by finding: what each rate counts, in one place.

A finding is *claimed* where a text calls it present or uncertain, *denied* where it calls it absent; `no finding` is no
finding. Every rate is a share: counts of one pair of texts, to be pooled over many.

* Hallucination: claimed findings that the reference does not claim, of the claimed findings.
* Omission: findings that the reference claims and the prediction does not, of those the reference claims.
* Contradiction: findings that one side calls present and the other absent, of those that both speak of. Uncertainty
  contradicts neither.
* Laterality error: findings put on a side where the reference does not have them, of those that both claim and both
  put on a side. A missing side of a bilateral finding is no wrong side.
* Severity error: mean distance in steps (mild 1, moderate 2, severe 3), over findings that both claim and both grade;
  of several grades the highest counts.

CheX-Phi4MM's hallucination tool prints averages of entity precision, recall and F1 under that name instead.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from radrl.graph.lexicon.cues import SEVERITIES
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.types import CERTAINTIES, Certainty, KnowledgeGraph

_SIDES = ("left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a whole, as two numbers that add up over pairs.

    Example: `Share(part=1, whole=4)`: one of four findings in common is contradicted
    """

    part: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The counts of one predicted and one reference graph.

    Example: "right effusion" for "left effusion" has `laterality=Share(part=1, whole=1)` and hallucinates nothing
    """

    hallucination: Share
    omission: Share
    contradiction: Share
    laterality: Share
    severity: Share
    """Sum of the distances in steps, over how many findings."""


def count_rates(predicted: KnowledgeGraph, reference: KnowledgeGraph) -> Rates:
    """Count one pair."""
    said, true = claims(predicted), claims(reference)
    claimed = {name for name, claim in said.items() if claim != "absent"}
    wanted = {name for name, claim in true.items() if claim != "absent"}
    in_both = said.keys() & true.keys()
    sided = list(_sides_of_both(predicted, reference, claimed & wanted))
    distances = list(_severity_distances(predicted, reference, claimed & wanted))
    return Rates(
        hallucination=Share(part=len(claimed - wanted), whole=len(claimed)),
        omission=Share(part=len(wanted - claimed), whole=len(wanted)),
        contradiction=Share(
            part=sum({said[name], true[name]} == {"present", "absent"} for name in in_both), whole=len(in_both)
        ),
        laterality=Share(part=sum(not found <= expected for found, expected in sided), whole=len(sided)),
        severity=Share(part=sum(distances), whole=len(distances)),
    )


def claims(graph: KnowledgeGraph) -> dict[str, Certainty]:
    """Finding or device -> the strongest claim that a graph makes of it: the CheXpert labels, and every other finding
    that its facts speak of, such as emphysema.
    """
    strongest: dict[str, Certainty] = {
        name: claim for name, claim in graph.labels.items() if claim is not None and name != NO_FINDING
    }
    for fact in graph.triplets:
        name = fact.tail if fact.relation == "modify" else fact.head
        if name not in graph.labels:
            both: tuple[Certainty, Certainty] = (strongest.get(name, fact.certainty), fact.certainty)
            strongest[name] = min(both, key=CERTAINTIES.index)
    return strongest


def _sides_of_both(
    predicted: KnowledgeGraph, reference: KnowledgeGraph, findings: Set[str]
) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    for name in findings:
        found, wanted = _sides(predicted, name), _sides(reference, name)
        if found and wanted:
            yield found, wanted


def _sides(graph: KnowledgeGraph, finding: str) -> frozenset[str]:
    tails = [
        fact.tail
        for fact in graph.triplets
        if fact.head == finding and fact.relation == "located_at" and fact.certainty != "absent"
    ]
    return frozenset(side for side in _SIDES for tail in tails if tail.startswith(f"{side} "))


def _severity_distances(predicted: KnowledgeGraph, reference: KnowledgeGraph, findings: Set[str]) -> Iterator[int]:
    for name in findings:
        found, wanted = _severity(predicted, name), _severity(reference, name)
        if found is not None and wanted is not None:
            yield abs(found - wanted)


def _severity(graph: KnowledgeGraph, finding: str) -> int | None:
    grades = [
        SEVERITIES.index(fact.head)
        for fact in graph.triplets
        if fact.relation == "modify" and fact.tail == finding and fact.certainty != "absent" and fact.head in SEVERITIES
    ]
    return max(grades, default=None)
