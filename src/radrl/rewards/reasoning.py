"""What the reasoning of a completion claims, and what its sample's own reference claims.

Read the same way by every reward that compares the two: only thoughts are reasoning, never tags or answers; in
Answer-First data it is what follows the first sentence.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from radrl.graph.extract import extract, extract_all
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.surface import fact_name
from radrl.graph.types import EntityType, KnowledgeGraph
from radrl.rewards.api import Attempt
from radrl.text import Trace, after_first_sentence, parse_trace, think_text
from radrl.types import Evidence, Sample, Triplet

_SIDES = ("left", "right")
_FINDINGS = (EntityType.DISORDER, EntityType.DEVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A finding that a text says is there, or is not.

    Example: "no left effusion" claims `Claim(finding="pleural effusion", place="left pleural space", holds=False)`
    """

    finding: str
    """Canonical name."""
    place: str
    """Canonical name; empty where the text names none."""
    holds: bool
    """Asserted (also with a hedge), or denied."""

    @property
    def opposite(self) -> "Claim":
        """The same finding at the same place, denied where this asserts it and the other way round."""
        return Claim(finding=self.finding, place=self.place, holds=not self.holds)

    @property
    def side(self) -> str:
        """`left`, `right`, or empty for the midline and for places without a side."""
        word = self.place.partition(" ")[0]
        return word if word in _SIDES else ""


def read_ahead(attempts: Sequence[Attempt], *, extractor: str = "rules") -> None:
    """Read the graphs of all attempts and references in one batch; each later look-up then finds them in memory."""
    texts = [reasoning(attempt) for attempt in attempts]
    texts += [gold_reasoning(attempt.sample.reference) for attempt in attempts if not attempt.sample.triplets]
    extract_all(texts, extractor=extractor)


def reasoning(attempt: Attempt) -> str:
    """The thoughts of a completion without tags and answers."""
    return reasoning_in(attempt.text, trace=attempt.trace, reference=attempt.sample.reference)


def reasoning_in(text: str, *, trace: Trace, reference: str) -> str:
    """The same of a bare text; one without tags is Answer-First where its reference is."""
    return think_text(trace) if trace.steps or is_tagged(reference) else after_first_sentence(text)


def stated_graph(attempt: Attempt, *, extractor: str) -> KnowledgeGraph:
    """Graph of a completion's reasoning."""
    return extract(reasoning(attempt), extractor=extractor)


def gold_graph(sample: Sample, *, extractor: str) -> KnowledgeGraph:
    """The sample's own triplets, or else what `extractor` reads in the reasoning of its own reference."""
    if sample.triplets:
        return _known_graph(sample.triplets)
    return extract(gold_reasoning(sample.reference), extractor=extractor)


@lru_cache(maxsize=4096)
def is_tagged(reference: str) -> bool:
    """Whether a reference is written in think/answer pairs; if not, it is Answer-First data or a bare answer."""
    return bool(parse_trace(reference).steps)


def claims(graph: KnowledgeGraph) -> frozenset[Claim]:
    """What a graph says is there or not, `no finding` aside. A finding without a known place is a claim without one."""
    placed = {
        Claim(finding=fact.head, place=fact.tail, holds=fact.certainty != "absent")
        for fact in graph.triplets
        if fact.relation == "located_at"
    }
    with_place = {claim.finding for claim in placed}
    placed |= {
        Claim(finding=finding, place="", holds=certainty != "absent")
        for finding, certainty in graph.labels.items()
        if certainty is not None and finding != NO_FINDING and finding not in with_place
    }
    return frozenset(placed)


def sided_claims(graph: KnowledgeGraph) -> frozenset[Claim]:
    """The claims of a graph with no more of their places than the side."""
    return frozenset(Claim(finding=one.finding, place=one.side, holds=one.holds) for one in claims(graph))


def mentions(
    attempt: Attempt, graph: KnowledgeGraph, *, verdicts: Mapping[tuple[str, bool], str]
) -> tuple[Evidence, ...]:
    """Evidence at every mention in the reasoning of a finding that is asserted (True) or denied (False) as `verdicts`
    names it; an empty note means that it is right. Empty where the extractor gives no offsets."""
    to_completion = _offsets(attempt)
    found: list[Evidence] = []
    for entity in graph.entities:
        holds = entity.certainty != "absent"
        note = verdicts.get((fact_name(entity.canonical), holds)) if entity.type in _FINDINGS else None
        if note is None or entity.start is None or entity.end is None:
            continue
        start = to_completion(entity.start)
        end = start + entity.end - entity.start
        said = f"{entity.canonical} {'asserted' if holds else 'denied'}"
        verdict = "wrong" if note else "right"
        found.append(Evidence(start=start, end=end, verdict=verdict, note=f"{said}: {note}" if note else said))
    return tuple(found)


def _offsets(attempt: Attempt) -> Callable[[int], int]:
    """From a place in the reasoning to the same place in the completion."""
    if not attempt.trace.steps:
        shift = len(attempt.text.rstrip()) - len(reasoning(attempt))
        return lambda position: position + shift
    in_reasoning, in_completion = _thought_starts(attempt.trace)

    def to_completion(position: int) -> int:
        thought = bisect_right(in_reasoning, position) - 1
        return position - in_reasoning[thought] + in_completion[thought]

    return to_completion


def _thought_starts(trace: Trace) -> tuple[list[int], list[int]]:
    """Where each thought that says something begins: in `think_text`, and in the completion."""
    in_reasoning: list[int] = []
    in_completion: list[int] = []
    position = 0
    for step in trace.steps:
        thought = step.think.text.lstrip()
        if thought:
            in_reasoning.append(position)
            in_completion.append(step.think.end - len(thought))
            position += len(think_text(Trace(steps=(step,), answers=(), is_strict=True))) + 1
    return in_reasoning, in_completion


@lru_cache(maxsize=4096)
def gold_reasoning(reference: str) -> str:
    """The thoughts of a reference without tags and answers."""
    return think_text(parse_trace(reference)) if is_tagged(reference) else after_first_sentence(reference)


@lru_cache(maxsize=4096)
def _known_graph(triplets: tuple[Triplet, ...]) -> KnowledgeGraph:
    return KnowledgeGraph.from_triplets(triplets)
