"""Which questions readers see: of every kind, and of those that models answer right and wrong."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radrl.errors import DataError

Stratum = tuple[str, tuple[bool, ...]]
"""Question kind, and which of the models are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A question that all models answered.

    Example: `Candidate(id="p0001-s1-q0", kind="presence", corrects=(True, False))`
    """

    id: str
    kind: str
    corrects: tuple[bool, ...]
    """Of each model, in order."""

    @property
    def stratum(self) -> Stratum:
        """What it stands for in the study."""
        return self.kind, self.corrects


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What was drawn, and how much of the evaluation it speaks for.

    Example: of 90 right and 10 wrong answers 5 each: `weights` are 18 and 2.
    """

    weights: Mapping[str, float]
    """Id -> questions of the evaluation that it stands for: size of its stratum / drawn from it."""
    num_left_out: int
    """Questions in strata of which none was drawn."""


def draw(candidates: Sequence[Candidate], *, num: int, seed: int) -> Drawn:
    """Draw questions, kind by kind in turn and within a kind by who is right in turn, as long as there are any.

    Wrong answers, which are few in a good evaluation, are thus seen more often than they occur. Raises DataError when
    there are fewer than `num`.
    """
    if num > len(candidates):
        raise DataError(f"{num} questions are asked for and the evaluations have {len(candidates)}. Lower --questions.")
    rng = random.Random(f"{seed}:questions")
    strata: defaultdict[Stratum, list[str]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda candidate: candidate.id):
        strata[candidate.stratum].append(candidate.id)
    quotas = _quotas({stratum: len(ids) for stratum, ids in strata.items()}, num=num, rng=rng)
    weights = {
        id_: len(strata[stratum]) / quota
        for stratum, quota in quotas.items()
        for id_ in rng.sample(strata[stratum], quota)
    }
    left_out = sum(len(ids) for stratum, ids in strata.items() if stratum not in quotas)
    return Drawn(weights=weights, num_left_out=left_out)


def _quotas(sizes: Mapping[Stratum, int], *, num: int, rng: random.Random) -> Counter[Stratum]:
    """How many to draw of each stratum. Which one begins is drawn too, so that a small study favours no name."""
    by_kind: defaultdict[str, list[Stratum]] = defaultdict(list)
    for stratum in rng.sample(sorted(sizes), len(sizes)):
        by_kind[stratum[0]].append(stratum)
    quotas: Counter[Stratum] = Counter()
    while quotas.total() < num:
        for strata in by_kind.values():
            open_ = [stratum for stratum in strata if quotas[stratum] < sizes[stratum]]
            if open_ and quotas.total() < num:
                quotas[min(open_, key=lambda stratum: quotas[stratum])] += 1
    return +quotas
