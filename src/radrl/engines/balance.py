"""Divides the work of a step between ranks by its estimated arithmetic: pure planning."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from radrl.batch import Batch
from radrl.engines.shapes import ModelShape
from radrl.engines.work import GroupLoad, Recipe, update, vision_update
from radrl.errors import ConfigError
from radrl.types import Prompt

PAIRS_A_TOKEN = 20_000
"""Pairs of tokens whose attention costs what a token costs elsewhere: 18,816 in Qwen2.5-VL-3B, 32,512 in the 7B."""
ACCEPTED_IMBALANCE = 1.1
"""Largest cost over the mean up to which groups stay whole."""

_NOWHERE = torch.empty(0, dtype=torch.long)

Cost = Callable[[GroupLoad], float]
"""What a prompt with its completions costs, in a unit of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A batch in one part a rank, and where each part's tokens belong.

    Example: three sequences of 3, 1 and 2 tokens, the first for rank 0 and the others for rank 1, have
    `rows=((0,), (1, 2))` and `places=([0, 1, 2], [3, 4, 5])`.
    """

    batches: tuple[Batch, ...]
    """What each rank is given. Where there are fewer sequences than ranks, the rest get the shortest one, of weight 0,
    so that they can make the passes that others wait for."""
    rows: tuple[tuple[int, ...], ...]
    """Number in the whole batch of each sequence of a part; empty for a rank that only keeps up."""
    places: tuple[Int[Tensor, "_t"], ...]
    """Place in the whole batch of each token of a part; empty for a rank that only keeps up."""
    costs: tuple[float, ...]
    """Estimated cost of each part; 0 for a rank that only keeps up."""

    def join(self, values_of_ranks: Sequence[Tensor]) -> Tensor:
        """Put what each rank says of its tokens in the order of the whole batch."""
        first = values_of_ranks[0]
        joined = first.new_empty(sum(map(len, self.places)), *first.shape[1:])
        for places, values in zip(self.places, values_of_ranks, strict=True):
            if len(places):
                joined[places] = values
        return joined


def simple_cost(load: GroupLoad) -> float:
    """Tokens and pairs of tokens, for a model whose shape is not known: those of a decoder of 3 billion parameters."""
    prompt = load.prompt_tokens
    pairs = prompt**2 / 2 + sum(num * (prompt + num / 2) for num in load.completions)
    return load.shared_tokens + pairs / PAIRS_A_TOKEN


def model_cost(shape: ModelShape, recipe: Recipe) -> Cost:
    """Operations of a pass there and back; images count where their encoder learns, and are cached where not."""

    def cost(load: GroupLoad) -> float:
        images = vision_update(shape, [load], recipe).flops if recipe.trains_vision else 0.0
        return update(shape, [load], recipe).flops + images

    return cost


def divide(
    batch: Batch, num_ranks: int, *, cost: Cost = simple_cost, working: Bool[Tensor, "N"] | None = None
) -> Division:
    """Divide the batch of one optimizer step between ranks so that the longest part is short.

    A prompt counts once a group and rank. Groups stay whole unless that leaves a rank idle or costs differ by more than
    `ACCEPTED_IMBALANCE`; then groups are cut in halves, with a prompt each, as long as that makes the longest part
    shorter. Weights stay those of the whole step. `working` says which sequences pass through the model at all: one
    without an advantage may not, and costs nothing then.
    """
    loads = _Loads(batch, cost, working)
    parts = _assign(loads, num_ranks)
    starts = torch.cumsum(batch.lengths, 0) - batch.lengths
    tokens = [torch.arange(int(start), int(start + num)) for start, num in zip(starts, batch.lengths, strict=True)]
    return Division(
        batches=tuple(batch.select(rows) if rows else _anchor(batch) for rows in parts),
        rows=parts,
        places=tuple(torch.cat([_NOWHERE, *(tokens[row] for row in rows)]) for rows in parts),
        costs=tuple(map(loads.cost_of, parts)),
    )


def divide_lessons(
    prompts: Sequence[Prompt], targets: Sequence[tuple[int, ...]], num_ranks: int, *, cost: Cost = simple_cost
) -> tuple[tuple[int, ...], ...]:
    """Numbers of the prompts that each rank learns by imitation, equally many up to one.

    Raises ConfigError where there are fewer than ranks.
    """
    if len(prompts) < num_ranks:
        raise ConfigError(
            f"a step of {len(prompts)} prompts cannot be divided between {num_ranks} ranks. Raise "
            "worker.actor.global_batch_size, or lower trainer.nnodes or trainer.n_gpus_per_node."
        )
    costs = [cost(_load(prompt, [len(target)])) for prompt, target in zip(prompts, targets, strict=True)]
    return karmarkar_karp(costs, num_ranks, equal_size=True)


def runs(num_items: int, num_parts: int) -> tuple[range, ...]:
    """Cut a sequence into runs of one length, up to one; the longer ones come first.

    >>> runs(7, 3)
    (range(0, 3), range(3, 5), range(5, 7))
    """
    size, left = divmod(num_items, num_parts)
    bounds = [number * size + min(number, left) for number in range(num_parts + 1)]
    return tuple(range(start, end) for start, end in itertools.pairwise(bounds))


def karmarkar_karp(costs: Sequence[float], num_parts: int, *, equal_size: bool) -> tuple[tuple[int, ...], ...]:
    """Divide items into parts of like cost, by the largest differencing method (Karmarkar and Karp 1982).

    The two partial divisions whose parts differ most are joined, the dearest part of one with the cheapest of the
    other, until one is left. With `equal_size` every partial division begins with an item in each part, dearest items
    first, so that parts have equally many items up to one (Michiels et al. 2012, balanced differencing).

    >>> karmarkar_karp([8, 7, 6, 5, 4], 2, equal_size=False)
    ((0, 2), (1, 3, 4))
    """
    order = sorted(range(len(costs)), key=lambda item: -costs[item])
    step = num_parts if equal_size else 1
    heap: list[tuple[float, int, list[_Part]]] = []
    for start in range(0, len(order), step):
        parts = [_Part(cost=float(costs[item]), items=[item]) for item in order[start : start + step]]
        parts += [_Part(cost=0.0, items=[]) for _ in range(num_parts - len(parts))]
        heapq.heappush(heap, (parts[-1].cost - parts[0].cost, start, parts))
    while len(heap) > 1:
        (_, _, first), (_, number, second) = heapq.heappop(heap), heapq.heappop(heap)
        joined = [
            _Part(cost=dear.cost + cheap.cost, items=dear.items + cheap.items)
            for dear, cheap in zip(first, reversed(second), strict=True)
        ]
        joined.sort(key=lambda part: -part.cost)
        heapq.heappush(heap, (joined[-1].cost - joined[0].cost, number, joined))
    parts = heap[0][2] if heap else [_Part(cost=0.0, items=[]) for _ in range(num_parts)]
    return tuple(sorted(tuple(sorted(part.items)) for part in parts))


def balance_metrics(batch: Batch, division: Division) -> dict[str, float]:
    """How far apart the ranks' work is, in the names of EasyR1.

    `global_seqlen/` counts the tokens that pass through a rank's model, a prompt once a group: `min` and `max` as they
    would be if every rank were given equally many sequences as they come, `balanced_` as they are.
    """
    num_ranks = len(division.batches)
    loads = _Loads(batch, lambda load: float(load.shared_tokens), None)
    as_they_come = [loads.cost_of(tuple(run)) for run in runs(batch.num_sequences, num_ranks)]
    balanced = [loads.cost_of(rows) for rows in division.rows]
    return {
        "global_seqlen/min": min(as_they_come),
        "global_seqlen/max": max(as_they_come),
        "global_seqlen/minmax_diff": max(as_they_come) - min(as_they_come),
        "global_seqlen/balanced_min": min(balanced),
        "global_seqlen/balanced_max": max(balanced),
        "global_seqlen/mean": sum(balanced) / num_ranks,
        "perf/imbalance": _imbalance(division.costs),
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that `karmarkar_karp` is filling."""

    cost: float
    items: list[int]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Sequences of one group that stay on one rank."""

    rows: tuple[int, ...]
    cost: float


class _Loads:
    """What the sequences of a batch cost, alone and together."""

    def __init__(self, batch: Batch, cost: Cost, working: Bool[Tensor, "N"] | None) -> None:
        self._prompts = [rollout.completion.prompt for rollout in batch.rollouts]
        self._groups: list[int] = batch.group.tolist()
        self._lengths: list[int] = batch.lengths.tolist()
        self._works: list[bool] = [True] * batch.num_sequences if working is None else working.tolist()
        self._cost = cost

    def groups(self) -> list[_Piece]:
        """Every group as one piece, in the order in which the groups begin."""
        return self._pieces(range(len(self._groups)))

    def cost_of(self, rows: Sequence[int]) -> float:
        """Cost of these sequences on one rank, the prompt of a group once."""
        return sum((piece.cost for piece in self._pieces(rows)), 0.0)

    def halves(self, piece: _Piece) -> list[_Piece]:
        """Cut a piece in two of like cost; a single sequence that works cannot be cut."""
        if sum(self._works[row] for row in piece.rows) < 2:
            return [piece]
        costs = [self._piece([row]).cost for row in piece.rows]
        halves = karmarkar_karp(costs, 2, equal_size=False)
        return [self._piece([piece.rows[item] for item in half]) for half in halves]

    def gathered(self, pieces: Sequence[_Piece]) -> tuple[int, ...]:
        """Sequences of these pieces in order, those of a group together."""
        rows = sorted(row for piece in pieces for row in piece.rows)
        return tuple(row for piece in self._pieces(rows) for row in piece.rows)

    def _pieces(self, rows: Sequence[int]) -> list[_Piece]:
        of_group: dict[int, list[int]] = {}
        for row in rows:
            of_group.setdefault(self._groups[row], []).append(row)
        return [self._piece(members) for members in of_group.values()]

    def _piece(self, rows: Sequence[int]) -> _Piece:
        working = [self._lengths[row] for row in rows if self._works[row]]
        return _Piece(tuple(rows), self._cost(_load(self._prompts[rows[0]], working)) if working else 0.0)


def _assign(loads: _Loads, num_ranks: int) -> tuple[tuple[int, ...], ...]:
    """Numbers of the sequences of each rank: whole groups if that is fair, else the best of several ways to cut some.

    A cut that does not help at once may do with the next, so as many are tried as there are ranks.
    """
    pieces = loads.groups()
    best = parts = _dealt(loads, pieces, num_ranks)
    num_useless = 0
    while _imbalance([piece.cost for piece in best]) > ACCEPTED_IMBALANCE and num_useless < num_ranks:
        heaviest = set(max(parts, key=lambda part: part.cost).rows)
        cuts = [(piece, loads.halves(piece)) for piece in pieces if heaviest.issuperset(piece.rows)]
        possible = [(piece, halves) for piece, halves in cuts if len(halves) == 2]
        if not possible:
            break
        chosen, halves = max(possible, key=lambda cut: cut[0].cost)
        pieces = [piece for piece in pieces if piece is not chosen] + halves
        parts = _dealt(loads, pieces, num_ranks)
        is_better = max(part.cost for part in parts) < max(part.cost for part in best)
        best, num_useless = (parts, 0) if is_better else (best, num_useless + 1)
    return tuple(part.rows for part in best)


def _dealt(loads: _Loads, pieces: Sequence[_Piece], num_ranks: int) -> list[_Piece]:
    """What each rank has when these pieces are dealt out. Pieces of a group that meet share their prompt again."""
    dealt = karmarkar_karp([piece.cost for piece in pieces], num_ranks, equal_size=False)
    rows = [loads.gathered([pieces[number] for number in part]) for part in dealt]
    return [_Piece(each, loads.cost_of(each)) for each in rows]


def _imbalance(costs: Sequence[float]) -> float:
    """Largest over mean, at least 1; 1 where there is no work at all."""
    total = sum(costs)
    return max(costs) * len(costs) / total if total else 1.0


def _anchor(batch: Batch) -> Batch:
    """The shortest sequence, counting nothing."""
    shortest = batch.select([int(batch.lengths.argmin())])
    return shortest if batch.weights is None else shortest.replace(weights=torch.zeros(shortest.num_tokens))


def _load(prompt: Prompt, completions: Sequence[int]) -> GroupLoad:
    return GroupLoad(
        prompt_tokens=len(prompt.token_ids),
        image_tokens=prompt.num_image_tokens,
        num_images=len(prompt.sample.images),
        completions=tuple(completions),
    )
