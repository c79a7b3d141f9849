"""Whether what the reasoning asserts is true, and whether it asserts what is true."""

import math
from collections.abc import Mapping

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import ALL_ALIKE, Positive, Risks
from radrl.rewards.reasoning import Claim, gold_graph, mentions, read_ahead, sided_claims, stated_graph


@reward("grounded_factuality", prepare=read_ahead)
def grounded_factuality(
    attempt: Attempt, *, beta: Positive = 1.0, risks: Risks = ALL_ALIKE, extractor: str = "rules"
) -> Score:
    """F-beta of the findings that the thoughts assert, with their side, against those that the gold graph asserts.

    (1 + beta^2) P R / (beta^2 P + R): below 1 `beta` favours precision (assert nothing untrue), above 1 recall (leave
    out nothing). Findings count by their `risks`, such as `pneumothorax: 3`; one of 0 is left aside. Where the gold
    graph only denies, its denials are the facts, and asserting anything leaves 0. Denials beyond the gold graph are
    free. Abstains without gold facts.

    Hacks it resists: listing every finding (precision), saying nothing (recall), denying what is there, and hedging
    ("possible" asserts). It replaces CheX-Phi4MM's graph rewards where places and severities should not count.
    """
    gold = _at_risk(sided_claims(gold_graph(attempt.sample, extractor=extractor)), risks)
    if not gold:
        return ABSTAIN
    graph = stated_graph(attempt, extractor=extractor)
    said = _at_risk(sided_claims(graph), risks)
    asserted = frozenset(claim for claim in said if claim.holds)
    wanted = frozenset(claim for claim in gold if claim.holds)
    if wanted:
        true, untrue, left_out = wanted & asserted, asserted - wanted, wanted - asserted
    else:
        true, untrue, left_out = (frozenset[Claim]() if asserted else gold & said), asserted, gold - said
    common = _weight(true, risks)
    value = f_beta(common, stated=common + _weight(untrue, risks), wanted=common + _weight(left_out, risks), beta=beta)
    return Score(value=value, evidence=mentions(attempt, graph, verdicts=_verdicts(said, true, wanted)))


def f_beta(common: float, *, stated: float, wanted: float, beta: float) -> float:
    """Weighted harmonic mean of precision (common / stated) and recall (common / wanted); 0 where nothing is common.

    >>> f_beta(1, stated=2, wanted=1, beta=1.0)
    0.6666666666666666
    """
    return (1 + beta**2) * common / (beta**2 * wanted + stated) if common else 0.0


def _at_risk(part: frozenset[Claim], risks: Mapping[str, float]) -> frozenset[Claim]:
    """The claims that count at all."""
    return frozenset(claim for claim in part if risks.get(claim.finding, 1.0) > 0)


def _weight(part: frozenset[Claim], risks: Mapping[str, float]) -> float:
    # Exact, so that the order of a set does not show in the last bit.
    return math.fsum(risks.get(claim.finding, 1.0) for claim in part)


def _verdicts(said: frozenset[Claim], true: frozenset[Claim], wanted: frozenset[Claim]) -> dict[tuple[str, bool], str]:
    """What to note at the mentions of a finding; where a finding is said of both sides, an untrue side outweighs."""
    notes = {(claim.finding, claim.holds): "" for claim in true}
    untrue = {(claim.finding, True): "not in the reference" for claim in said - true if claim.holds}
    denied = {(claim.finding, False): "the reference asserts it" for claim in wanted if claim.opposite in said}
    return notes | untrue | denied
