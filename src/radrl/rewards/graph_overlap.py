"""Whether the reasoning states the facts that the sample's own reference states."""

from collections.abc import Mapping
from typing import Protocol

from radrl.graph.extract import extract
from radrl.graph.overlap import Mode, finding_triplets, graph_f1, graph_jaccard
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.api import ABSTAIN, Attempt, Score, alias, reward
from radrl.rewards.arguments import Share
from radrl.rewards.reasoning import claims, gold_graph, mentions, read_ahead, reasoning_in, stated_graph
from radrl.text import Trace
from radrl.types import AnswerKind, Evidence, Sample, Triplet

_MOST_FACTS_NAMED = 5


@reward("graph_f1", prepare=read_ahead)
def graph_f1_reward(
    attempt: Attempt,
    *,
    extractor: str = "rules",
    mode: Mode = "full",
    concept_weight: Share = 1.0,
    when_empty: Share | None = None,
) -> Score:
    """F1 between the graph of the thoughts and the sample's gold graph, the mean of entities and relations, in [0, 1].

    The gold graph is the sample's own triplets, or else what `extractor` reads in the thoughts of its own reference.
    Only thoughts are read, never tags or answers. Severities and courses count `concept_weight` of a finding or place;
    `mode: triplets` leaves them out and compares where findings are and what they suggest (the paper's triplets).
    Where the gold graph has nothing to compare the reward abstains, unless the gold answer is `no finding`: then
    asserting nothing scores 1 and asserting anything 0. With `when_empty` such a sample scores that where nothing is
    stated, and 0 where something is; 1 is the seed's choice.

    Hacks it resists: saying nothing (half marks in the seed), repeating the answer in place of reasoning, naming every
    finding (precision), and flipped negations (certainty is part of every key). It replaces CheX-Phi4MM's `kgkg`, whose
    reference is the first sample of the batch for every completion.
    """
    return _score(
        attempt, graph_f1, extractor=extractor, mode=mode, concept_weight=concept_weight, when_empty=when_empty
    )


@reward("graph_jaccard", prepare=read_ahead)
def graph_jaccard_reward(
    attempt: Attempt,
    *,
    extractor: str = "rules",
    mode: Mode = "full",
    concept_weight: Share = 1.0,
    when_empty: Share | None = None,
) -> Score:
    """Jaccard index between the graph of the thoughts and the gold graph; otherwise as `graph_f1`.

    Hacks it resists: those of `graph_f1`. It replaces CheX-Phi4MM's `external_kg_jac`, which compares surface words
    with the first sample of the batch, reads answers and tags too, and pays 1/2 for an empty text where no relation
    is stated.
    """
    return _score(
        attempt, graph_jaccard, extractor=extractor, mode=mode, concept_weight=concept_weight, when_empty=when_empty
    )


alias("external_kg_acc", "graph_f1")
alias("external_kg_jac", "graph_jaccard")


def reasoning_graphs(
    sample: Sample, text: str, trace: Trace, *, extractor: str
) -> tuple[KnowledgeGraph, KnowledgeGraph] | None:
    """Predicted and gold graph of a completion, as the rewards here compare them; None where there is no gold."""
    gold = gold_graph(sample, extractor=extractor)
    if not gold.triplets and not _is_normal(sample):
        return None
    stated = reasoning_in(text, trace=trace, reference=sample.reference)
    return extract(stated, extractor=extractor), gold


class _Overlap(Protocol):
    def __call__(
        self,
        predicted: KnowledgeGraph,
        reference: KnowledgeGraph,
        *,
        when_empty: float = 0.0,
        type_weights: Mapping[str, float] | None = None,
        mode: Mode = "full",
    ) -> float: ...


def _score(
    attempt: Attempt,
    overlap: _Overlap,
    *,
    extractor: str,
    mode: Mode,
    concept_weight: float,
    when_empty: float | None,
) -> Score:
    gold = gold_graph(attempt.sample, extractor=extractor)
    weights = None if concept_weight == 1 else {"concept": concept_weight}
    if gold.triplets if mode == "full" else finding_triplets(gold):
        predicted = stated_graph(attempt, extractor=extractor)
        value = overlap(predicted, gold, type_weights=weights, mode=mode)
        return Score(value=value, evidence=_evidence(attempt, predicted, gold))
    if when_empty is None and not _is_normal(attempt.sample):
        return ABSTAIN
    predicted = stated_graph(attempt, extractor=extractor)
    if when_empty is None:
        value = float(not any(claim.holds for claim in claims(predicted)))
    else:
        value = overlap(predicted, gold, when_empty=when_empty, type_weights=weights, mode=mode)
    return Score(value=value, evidence=_evidence(attempt, predicted, gold))


def _is_normal(sample: Sample) -> bool:
    return sample.answer_kind is AnswerKind.SET and not sample.answer


def _evidence(attempt: Attempt, predicted: KnowledgeGraph, gold: KnowledgeGraph) -> tuple[Evidence, ...]:
    """Every mention of a finding, right or not, and over all thoughts what is missing."""
    steps = attempt.trace.steps
    if not steps:
        return ()
    unsupported: dict[tuple[str, bool], set[Triplet]] = {}
    for fact in predicted.triplets:
        finding = fact.tail if fact.relation == "modify" else fact.head
        wrong = unsupported.setdefault((finding, fact.certainty != "absent"), set())
        if fact not in gold.triplets:
            wrong.add(fact)
    notes = {key: f"not in the reference: {_list(facts)}" if facts else "" for key, facts in unsupported.items()}
    missing = gold.triplets - predicted.triplets
    start, end = steps[0].think.start, steps[-1].think.end
    left_out = (Evidence(start=start, end=end, verdict="wrong", note=f"not stated: {_list(missing)}"),)
    return mentions(attempt, predicted, verdicts=notes) + (left_out if missing else ())


def _list(facts: frozenset[Triplet] | set[Triplet]) -> str:
    named = sorted(f"{fact.head} {fact.relation} {fact.tail} ({fact.certainty})" for fact in facts)
    rest = f" and {len(named) - _MOST_FACTS_NAMED} more" if len(named) > _MOST_FACTS_NAMED else ""
    return ", ".join(named[:_MOST_FACTS_NAMED]) + rest
