"""Whether findings are put on the right side."""

from statistics import fmean

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.reasoning import Claim, gold_graph, mentions, read_ahead, sided_claims, stated_graph


@reward("laterality", lowest=-1.0, highest=0.0, prepare=read_ahead)
def laterality(attempt: Attempt, *, extractor: str = "rules") -> Score:
    """Minus the mean share of wrong sides, over the findings that both the thoughts and the gold graph give a side.

    For a finding asserted on the sides P and truly on the sides G this is |P - G| / |P|: 1 for left in place of right,
    1/2 for both in place of one. Findings that are left out, made up or without a side are no matter of laterality.
    Abstains where the gold graph asserts no finding with a side.

    Hack it resists: naming both sides to be right on one. Saying nothing costs nothing here, so set it beside a reward
    of recall. It replaces nothing of the seeds, whose overlaps count a swapped side like a missing adjective.
    """
    gold = _sides(sided_claims(gold_graph(attempt.sample, extractor=extractor)))
    if not gold:
        return ABSTAIN
    graph = stated_graph(attempt, extractor=extractor)
    said = _sides(sided_claims(graph))
    wrong = {finding: said[finding] - gold[finding] for finding in said.keys() & gold.keys()}
    notes = {
        (finding, True): f"it is {' and '.join(sorted(gold[finding]))}, not {' and '.join(sorted(sides))}"
        for finding, sides in wrong.items()
        if sides
    }
    right = {(finding, True): "" for finding in wrong if not wrong[finding]}
    shares = [len(sides) / len(said[finding]) for finding, sides in sorted(wrong.items())]
    value = 0.0 - (fmean(shares) if shares else 0.0)
    return Score(value=value, evidence=mentions(attempt, graph, verdicts=right | notes))


def _sides(claims: frozenset[Claim]) -> dict[str, frozenset[str]]:
    """Finding -> the sides it is asserted on."""
    sides: dict[str, frozenset[str]] = {}
    for claim in claims:
        if claim.holds and claim.side:
            sides[claim.finding] = sides.get(claim.finding, frozenset()) | {claim.side}
    return sides
