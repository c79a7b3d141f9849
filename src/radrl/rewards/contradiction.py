"""Whether the reasoning contradicts itself or the reference."""

from collections.abc import Iterable

from radrl.rewards.api import Attempt, Score, reward
from radrl.rewards.reasoning import Claim, claims, gold_graph, mentions, read_ahead, stated_graph


@reward("contradiction", lowest=-1.0, highest=0.0, prepare=read_ahead)
def contradiction(attempt: Attempt, *, extractor: str = "rules") -> Score:
    """Minus the share of contradicted findings among those that can be checked, finding and place taken together.

    A finding can be checked where both the thoughts and the gold graph speak of it at the same place, or where the
    thoughts both assert and deny it there. It is contradicted in the latter case, and where the gold graph says the
    opposite. What the gold graph itself asserts and denies is left out.

    Hacks it resists: saying both yes and no so that one is right, flipping negations, and thinning out a contradiction
    with denials nobody asked for: these cannot be checked and do not count. It replaces nothing of the seeds, whose
    graphs keep one polarity for each text.
    """
    gold = claims(gold_graph(attempt.sample, extractor=extractor))
    graph = stated_graph(attempt, extractor=extractor)
    said = claims(graph)
    open_to_both = frozenset(claim for claim in gold if claim.opposite in gold)
    against_itself = _subjects(claim for claim in said - open_to_both if claim.opposite in said)
    against_gold = _subjects(claim for claim in said - open_to_both if claim.opposite in gold)
    agreeing = _subjects(claim for claim in said - open_to_both if claim in gold)
    contradicted = against_itself | against_gold
    value = -len(contradicted) / len(contradicted | agreeing) if contradicted else 0.0
    faults = ((against_gold, "the reference says the opposite"), (against_itself, "both asserted and denied"))
    notes = {
        (claim.finding, claim.holds): note for subjects, note in faults for claim in said if _at(claim) in subjects
    }
    return Score(value=value, evidence=mentions(attempt, graph, verdicts=notes))


def _subjects(of_claims: Iterable[Claim]) -> frozenset[tuple[str, str]]:
    return frozenset(_at(claim) for claim in of_claims)


def _at(claim: Claim) -> tuple[str, str]:
    return claim.finding, claim.place
