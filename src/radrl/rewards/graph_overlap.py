"""Whether the reasoning states the facts that the sample's own reference states."""

from radrl.graph.extract import extract
from radrl.graph.overlap import graph_f1, graph_jaccard
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import Trace, after_first_sentence, parse_trace, think_text
from radrl.types import AnswerKind, Evidence, Sample, Triplet

_MOST_FACTS_NAMED = 5


@reward("graph_f1")
def graph_f1_reward(attempt: Attempt, *, extractor: str = "rules") -> Score:
    """F1 between the graph of the thoughts and the sample's gold graph, the mean of entities and relations, in [0, 1].

    The gold graph is the sample's own triplets, or else what `extractor` reads in the thoughts of its own reference.
    Only thoughts are read, never tags or answers. Where the gold graph is empty the reward abstains, unless the gold
    answer is `no finding`: then stating nothing scores 1 and stating anything 0.

    Hacks it resists: saying nothing (half marks in the seed), repeating the answer in place of reasoning, naming every
    finding (precision), and flipped negations (certainty is part of every key). It replaces CheX-Phi4MM's `kgkg`, whose
    reference is the first sample of the batch for every completion.
    """
    graphs = reasoning_graphs(attempt.sample, attempt.text, attempt.trace, extractor=extractor)
    if graphs is None:
        return ABSTAIN
    predicted, reference = graphs
    value = graph_f1(predicted, reference, when_empty=1.0)
    return Score(value=value, evidence=_evidence(attempt.trace, predicted, reference))


@reward("graph_jaccard")
def graph_jaccard_reward(attempt: Attempt, *, extractor: str = "rules") -> Score:
    """Jaccard index between the graph of the thoughts and the gold graph; otherwise as `graph_f1`.

    Hacks it resists: those of `graph_f1`. It replaces CheX-Phi4MM's `external_kg_jac`, which compares surface words
    with the first sample of the batch, reads answers and tags too, and pays 1/2 for an empty text where no relation
    is stated.
    """
    graphs = reasoning_graphs(attempt.sample, attempt.text, attempt.trace, extractor=extractor)
    if graphs is None:
        return ABSTAIN
    predicted, reference = graphs
    value = graph_jaccard(predicted, reference, when_empty=1.0)
    return Score(value=value, evidence=_evidence(attempt.trace, predicted, reference))


def reasoning_graphs(
    sample: Sample, text: str, trace: Trace, *, extractor: str
) -> tuple[KnowledgeGraph, KnowledgeGraph] | None:
    """Predicted and gold graph of a completion, as the rewards here compare them; None where there is no gold."""
    reference = parse_trace(sample.reference)
    is_tagged = bool(reference.steps)
    if sample.triplets:
        gold = KnowledgeGraph.from_triplets(sample.triplets)
    else:
        gold_text = think_text(reference) if is_tagged else after_first_sentence(sample.reference)
        gold = extract(gold_text, extractor=extractor)
    if not gold.triplets and not _is_normal(sample):
        return None
    reasoning = think_text(trace) if is_tagged or trace.steps else after_first_sentence(text)
    return extract(reasoning, extractor=extractor), gold


def _is_normal(sample: Sample) -> bool:
    return sample.answer_kind is AnswerKind.SET and not sample.answer


def _evidence(trace: Trace, predicted: KnowledgeGraph, reference: KnowledgeGraph) -> tuple[Evidence, ...]:
    if not trace.steps:
        return ()
    missing, unsupported = reference.triplets - predicted.triplets, predicted.triplets - reference.triplets
    notes = [f"not stated: {_list(missing)}"] if missing else []
    notes += [f"not in the reference: {_list(unsupported)}"] if unsupported else []
    start, end = trace.steps[0].think.start, trace.steps[-1].think.end
    note = "; ".join(notes) or "every fact of the reference and no other"
    return (Evidence(start=start, end=end, verdict="wrong" if notes else "right", note=note),)


def _list(facts: frozenset[Triplet]) -> str:
    named = sorted(f"{fact.head} {fact.relation} {fact.tail} ({fact.certainty})" for fact in facts)
    rest = f" and {len(named) - _MOST_FACTS_NAMED} more" if len(named) > _MOST_FACTS_NAMED else ""
    return ", ".join(named[:_MOST_FACTS_NAMED]) + rest
