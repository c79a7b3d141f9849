"""Which questions are most like the hard ones, and whether the model gets those wrong too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from radrl.config.data import DataConfig
from radrl.config.selection import SelectConfig
from radrl.errors import ConfigError
from radrl.selection.features import (
    Features,
    Modality,
    answer_text,
    explanation_text,
    finding_features,
    image_features,
    question_text,
    text_features,
)
from radrl.types import Sample

_CELLS_AT_ONCE = 1 << 24
"""Distances held at the same time: 64 MiB a modality."""
_DIGITS = 5
"""Decimals that tell two distances apart: float32 gives equal texts slightly different ones otherwise."""
_FORMS = 2
"""Times that a question may be in the gallery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Distances between questions: a weighted sum over their parts (CheXPO's first version; weights may be negative).

    Example: `Space(parts=(("question", 1.0, words), ("image", -1.0, tower)))`: like in words, unlike in looks.
    """

    parts: tuple[tuple[Modality, float, Features], ...]
    """Part, weight, features."""

    def distances(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """[Q, G] distances between two lists of questions, by their places."""
        total = np.zeros((len(queries), len(gallery)), dtype=np.float32)
        for _, weight, features in self.parts:
            total += weight * features.distances(queries, gallery)
        return total.round(_DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A question that is like a hard one.

    Example: `Neighbour(query=3, place=17, rank=1, distance=0.25)`
    """

    query: int
    """Place of the hard question among all."""
    place: int
    """Place of the neighbour among all."""
    rank: int
    """1 is the nearest."""
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCurve:
    """Share of the k nearest neighbours of hard questions that the model gets wrong too, for k = 1, 2, ...

    Example: `ErrorCurve(shares={1: 0.8, 2: 0.7}, base_rate=0.4, num_queries=50)`: like questions are wrong more often.
    """

    shares: Mapping[int, float]
    """k -> share, over all neighbours of all queries that the model answered; a k without any is left out."""
    base_rate: float
    """The same share of all questions that neighbours may come from."""
    num_queries: int


def build_space(samples: Sequence[Sample], config: SelectConfig) -> Space:
    """Features of every part that has a weight. Raises ConfigError where no part has one, or images no encoder."""
    encoders = config.retrieval.encoders
    weights: dict[Modality, float] = config.retrieval.weights.model_dump()  # pyright: ignore[reportAssignmentType]
    used: dict[Modality, float] = {part: weight for part, weight in weights.items() if weight}
    if not used:
        raise ConfigError("every weight of retrieval.weights is 0, so that nothing is near. Set one above 0.")
    if "image" in used and encoders.image is None:
        raise ConfigError(
            f"retrieval.weights.image = {used['image']:g}, but retrieval.encoders.image names nothing to encode "
            "radiographs with. Set it to a model's folder or to path/to/file.py:function, or the weight to 0."
        )
    makers = _makers(config, config.rows)
    return Space(parts=tuple((part, weight, makers[part](samples)) for part, weight in used.items()))


def nearest(
    space: Space, queries: Sequence[int], gallery: Sequence[int], *, ids: Sequence[str], k: int
) -> Iterator[list[Neighbour]]:
    """For each query its k nearest in the gallery; of equally near ones the first in the gallery.

    Queries and gallery are places; `ids` has the id at every place. A question is not near itself, also not where its
    reference has the other form.
    """
    places = np.asarray(gallery, dtype=np.int64)
    num_at_once = max(1, _CELLS_AT_ONCE // max(len(places), 1))
    starts = range(0, len(queries), num_at_once)
    for start in track(starts, description="find neighbours", disable=len(starts) < 2):
        asked = np.asarray(queries[start : start + num_at_once], dtype=np.int64)
        for query, row in zip(asked.tolist(), space.distances(asked, places), strict=True):
            order = np.argsort(row, kind="stable")[: k + _FORMS]
            others = [at for at in order.tolist() if ids[gallery[at]] != ids[query]][:k]
            yield [
                Neighbour(query=query, place=gallery[at], rank=rank, distance=float(row[at]))
                for rank, at in enumerate(others, start=1)
            ]


def error_curve(
    ranked: Sequence[Sequence[Neighbour]], is_wrong: Mapping[int, bool], gallery: Sequence[int]
) -> ErrorCurve | None:
    """The curve over the neighbours that the model answered; None where it answered none. `is_wrong` goes by place."""
    longest = max((len(neighbours) for neighbours in ranked), default=0)
    num_wrong, num_known = np.zeros(longest), np.zeros(longest)
    for neighbours in ranked:
        for neighbour in neighbours:
            if neighbour.place in is_wrong:
                num_known[neighbour.rank - 1] += 1
                num_wrong[neighbour.rank - 1] += is_wrong[neighbour.place]
    known = [is_wrong[place] for place in gallery if place in is_wrong]
    up_to_k = np.cumsum(num_known)
    if not known or not num_known.any():
        return None
    pairs = zip(np.cumsum(num_wrong).tolist(), up_to_k.tolist(), strict=True)
    return ErrorCurve(
        shares={k: wrong / of for k, (wrong, of) in enumerate(pairs, start=1) if of},
        base_rate=sum(known) / len(known),
        num_queries=len(ranked),
    )


def _makers(config: SelectConfig, rows: DataConfig) -> Mapping[Modality, Callable[[Sequence[Sample]], Features]]:
    encoders = config.retrieval.encoders

    def of_text(text_of: Callable[[Sample], str], encoder: str) -> Callable[[Sequence[Sample]], Features]:
        return lambda samples: text_features([text_of(sample) for sample in samples], encoder)

    return {
        "question": of_text(question_text, encoders.question),
        "answer": of_text(answer_text, encoders.answer),
        "explanation": of_text(explanation_text, encoders.explanation),
        "image": lambda samples: image_features(samples, encoders, rows),
        "findings": lambda samples: finding_features(samples, extractor=config.extractor),
    }
