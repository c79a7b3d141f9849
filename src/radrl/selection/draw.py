"""Draws questions from a pool: seeded, without replacement, with or without strata.

A question's place in the draw is a number that the seed and its id alone fix. So the order of the files does not
matter, and a plain draw of 1000 is part of one of 2000 with the same seed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from radrl.errors import DataError
from radrl.films.draws import draw
from radrl.selection.pool import Candidate

NameT = TypeVar("NameT", bound=str)


def draw_uniform(candidates: Sequence[Candidate], size: int, *, seed: int) -> list[Candidate]:
    """Draw `size` questions so that every stratum keeps its share of the candidates (CheX-Phi4MM's `uniform`).

    Raises DataError when a stratum has fewer questions than its quota.
    """
    members: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        members.setdefault(candidate.stratum, []).append(candidate)
    given = quotas({name: len(inside) for name, inside in members.items()}, size)
    for name, quota in given.items():
        if quota > len(members[name]):
            raise DataError(
                f"{quota} questions are to be drawn of stratum {name!r}, which has {len(members[name])}. Lower size, "
                "enlarge the pool, or set strata= to fewer fields."
            )
    drawn = [one for name, inside in members.items() for one in draw_random(inside, given[name], seed=seed)]
    return in_order(drawn, candidates)


def draw_random(candidates: Sequence[Candidate], size: int, *, seed: int) -> list[Candidate]:
    """Draw `size` questions, whatever they are, in the order of the candidates. DataError where there are fewer."""
    if size > len(candidates):
        raise DataError(
            f"{size} questions are to be drawn from {len(candidates)}. Lower size, or enlarge the pool; a hard policy "
            "has more to draw from with more of mining.pools or with retrieval.neighbours."
        )
    ranked = sorted(candidates, key=lambda candidate: draw(f"{seed}:{candidate.id}"))
    return in_order(ranked[:size], candidates)


def quotas(weights: Mapping[NameT, float], size: int) -> dict[NameT, int]:
    """Share `size` out in proportion: each share is rounded, and what is over or missing goes to the largest quota.

    So CheX-Phi4MM has it (`tools/sample_data.py`). Where the largest quota is too small to give what is over, the next
    largest gives the rest; there it would become negative.

    >>> quotas({"a": 60, "b": 25, "c": 15}, 10)  # 6, 2 (2.5 is rounded to the even number), 2 (1.5)
    {'a': 6, 'b': 2, 'c': 2}
    """
    total = sum(weights.values())
    given = {name: round(weight / total * size) for name, weight in weights.items()}
    missing = size - sum(given.values())
    for name in sorted(given, key=lambda name: (-given[name], name)):
        change = max(missing, -given[name])
        given[name] += change
        missing -= change
    return given


def in_order(chosen: Collection[Candidate], candidates: Sequence[Candidate]) -> list[Candidate]:
    """The chosen ones in the order of the candidates."""
    places = {id(candidate) for candidate in chosen}
    return [candidate for candidate in candidates if id(candidate) in places]
