"""Chooses questions by a policy: who may be drawn, and who is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from radrl.config.selection import SelectConfig
from radrl.errors import DataError
from radrl.selection.draw import draw_random, draw_uniform, in_order, quotas
from radrl.selection.hardest import Attempt, select_hard
from radrl.selection.mining import Standing, hard_questions
from radrl.selection.pool import Candidate
from radrl.selection.retrieval import ErrorCurve, Neighbour, build_space, error_curve, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The hard question that a neighbour was found by, the nearest one where there are several.

    Example: `Near(query="q3", rank=1, distance=0.25)`
    """

    query: str
    """Its id."""
    rank: int
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """Who may be drawn under a policy, and why."""

    candidates: tuple[Candidate, ...]
    hard: frozenset[str] = frozenset()
    """Ids of hard questions; empty under a policy that does not look."""
    near: Mapping[str, Near] = field(default_factory=dict[str, Near])
    """Id of a neighbour -> what it is near to."""
    curve: ErrorCurve | None = None
    """None without retrieval, or where the model answered none of the neighbours."""


def find_eligible(
    pool: Sequence[Candidate], gallery: Sequence[Candidate], standings: Mapping[str, Standing], config: SelectConfig
) -> Eligible:
    """Who may be drawn: all of the pool, or its hard questions and, if asked for, their neighbours.

    Without a gallery neighbours come from the pool. Raises DataError where no question is hard.
    """
    if config.policy in ("uniform", "random"):
        return Eligible(candidates=tuple(pool))
    if config.policy == "hardest":
        return Eligible(candidates=tuple(one for one in pool if one.id in standings))
    hard = hard_questions(standings, config.mining) & {candidate.id for candidate in pool}
    if not hard:
        num_answers = max((standing.num_answers for standing in standings.values()), default=0)
        raise DataError(
            f"none of the {len(pool)} questions of the pool is {' or '.join(config.mining.pools)} (from mining.pools), "
            f"by up to {num_answers} answers each. Ask for other pools, move mining's thresholds, or evaluate with a "
            "larger n where the band of pass rates counts."
        )
    queries = tuple(candidate for candidate in pool if candidate.id in hard)
    if config.retrieval.neighbours == 0:
        return Eligible(candidates=queries, hard=hard)
    return _expand(pool, gallery, standings, hard, config)


def choose(eligible: Eligible, standings: Mapping[str, Standing], config: SelectConfig) -> list[Candidate]:
    """Draw `config.size` of those who may be drawn, in their order. Raises DataError where there are too few."""
    if not config.mix:
        _refuse_two_forms(eligible.candidates)
        return _draw(eligible.candidates, config.size, standings, config)
    size = config.size if config.size is not None else len({candidate.id for candidate in eligible.candidates})
    chosen: list[Candidate] = []
    for form, quota in quotas(config.mix, size).items():
        taken = {candidate.id for candidate in chosen}
        left = [one for one in eligible.candidates if one.form == form and one.id not in taken]
        try:
            chosen += _draw(left, quota, standings, config)
        except DataError as error:
            raise DataError(f"of the form {form} (from mix): {error}") from error
    return in_order(chosen, eligible.candidates)


def _draw(
    candidates: Sequence[Candidate], size: int | None, standings: Mapping[str, Standing], config: SelectConfig
) -> list[Candidate]:
    size = len(candidates) if size is None else size
    if config.policy == "hardest":
        return _hardest(candidates, size, standings, config)
    if size > len(candidates) or config.policy in ("random", "hard_random"):
        return draw_random(candidates, size, seed=config.seed)
    return draw_uniform(candidates, size, seed=config.seed)


def _hardest(
    candidates: Sequence[Candidate], size: int, standings: Mapping[str, Standing], config: SelectConfig
) -> list[Candidate]:
    attempts = [
        Attempt(
            sample=candidate.sample,
            is_correct=not standings[candidate.id].is_wrong,
            confidence=standings[candidate.id].confidences.get(config.mining.confidence, 0.0),
        )
        for candidate in candidates
    ]
    chosen = {sample.id for sample in select_hard(attempts, size)}
    return [candidate for candidate in candidates if candidate.id in chosen]


def _expand(
    pool: Sequence[Candidate],
    gallery: Sequence[Candidate],
    standings: Mapping[str, Standing],
    hard: frozenset[str],
    config: SelectConfig,
) -> Eligible:
    """The hard questions with their neighbours."""
    in_pool = {candidate.id for candidate in pool}
    everyone = (*pool, *(candidate for candidate in gallery if candidate.id not in in_pool))
    ids = [candidate.id for candidate in everyone]
    first_of = {name: place for place, name in reversed(list(enumerate(ids)))}
    searched = range(len(pool), len(everyone)) if gallery else range(len(pool))
    settings = config.retrieval
    ranked = list(
        nearest(
            build_space([candidate.sample for candidate in everyone], config),
            sorted(first_of[name] for name in hard),
            searched,
            ids=ids,
            k=max(settings.neighbours, settings.curve),
        )
    )
    near = _nearest_queries(ranked, ids, k=settings.neighbours)
    is_wrong = {place: standings[name].is_wrong for place, name in enumerate(ids) if name in standings}
    wanted = near.keys() | hard if settings.keep_queries else near.keys() - hard
    return Eligible(
        candidates=tuple(candidate for candidate in everyone if candidate.id in wanted),
        hard=hard,
        near=near,
        curve=error_curve([row[: settings.curve] for row in ranked], is_wrong, searched),
    )


def _nearest_queries(ranked: Sequence[Sequence[Neighbour]], ids: Sequence[str], *, k: int) -> dict[str, Near]:
    near: dict[str, Near] = {}
    for neighbour in (each for row in ranked for each in row[:k]):
        name = ids[neighbour.place]
        if name not in near or neighbour.distance < near[name].distance:
            near[name] = Near(query=ids[neighbour.query], rank=neighbour.rank, distance=neighbour.distance)
    return near


def _refuse_two_forms(candidates: Sequence[Candidate]) -> None:
    seen: dict[str, str] = {}
    for candidate in candidates:
        if candidate.id in seen:
            raise DataError(
                f"{candidate.row.origin}: the id {candidate.id!r} stands already at {seen[candidate.id]}, with the "
                "reference in another form. Set mix={think_first: 1, answer_first: 1} to draw it in one of them."
            )
        seen[candidate.id] = candidate.row.origin
