"""Which rollouts the page shows: a spread over stages, question kinds and steps, with the extremes among them.

The order is a priority: whatever does not fit in the page is dropped from the end, and what stays is still spread.
"""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from radrl.report.rollouts import RolloutEntry


def choose_rollouts(entries: Sequence[RolloutEntry], *, limit: int) -> list[RolloutEntry]:
    """Up to `limit` entries, most wanted first.

    Every (stage, kind) takes turns; in each the turns go to the worst, the best and the next of an even spread over
    steps.
    """
    strata: dict[tuple[str, str], list[RolloutEntry]] = {}
    for entry in entries:
        strata.setdefault((entry.stage, entry.kind), []).append(entry)
    return _take_turns([_wanted(members) for members in strata.values()], limit=limit)


def _wanted(members: Sequence[RolloutEntry]) -> list[RolloutEntry]:
    """Members of one stratum, most wanted first."""
    ranked = sorted(members, key=lambda entry: (entry.outcome, entry.mean_part, entry.number))
    spread = _spread(sorted(members, key=lambda entry: entry.number))
    return _take_turns([spread, ranked, spread[1:], ranked[::-1]], limit=len(members))


def _spread(members: Sequence[RolloutEntry]) -> list[RolloutEntry]:
    """Members from the last to the first, then halfway between, and so on: any prefix covers the whole run."""
    order: list[RolloutEntry] = [members[-1], members[0]]
    stride = len(members)
    while stride > 1:
        stride = (stride + 1) // 2
        order.extend(members[::stride])
    return _distinct(order)


def _take_turns(queues: Sequence[Sequence[RolloutEntry]], *, limit: int) -> list[RolloutEntry]:
    rounds = (entry for turn in zip_longest(*queues) for entry in turn if entry is not None)
    return _distinct(rounds)[:limit]


def _distinct(entries: Iterable[RolloutEntry]) -> list[RolloutEntry]:
    return list({entry.number: entry for entry in entries}.values())
