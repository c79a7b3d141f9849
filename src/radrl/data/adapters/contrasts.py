"""Which absent findings are asked about where the labels of a data set are too many to ask about all."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set

from radrl.data.adapters.label_spaces import Label


class Contrasts:
    """Draws findings that a film does not show, each as often as it is there on other films.

    A film has as many drawn as it shows, and one if it shows none: so of every finding about as many questions have the
    answer no as yes, and the finding alone tells nothing.

    Example: `Contrasts(["cardiomegaly", "cardiomegaly", "hernia"], space=...).draw({"hernia"}, by="film 1")` is
    `("cardiomegaly",)`.
    """

    def __init__(self, present: Iterable[str], *, space: Mapping[str, Label]) -> None:
        """`present` are the names of the findings of every film of the data set, one film after the other."""
        counted = Counter(present)
        self._parents = {label.name: label.parent for label in space.values() if label.parent is not None}
        self._names = sorted(counted)
        self._weights = [counted[name] for name in self._names]
        self._known: dict[str, frozenset[int]] = {}

    def draw(self, present: Set[str], *, by: str) -> tuple[str, ...]:
        """Findings that are absent where these are present; the text `by` alone fixes the draw.

        None is broader or narrower than one that is present, for of those the labels do not tell.
        """
        rng = random.Random(by)
        untold = frozenset[int]().union(*(self._related(name) for name in present))
        weights = [0 if place in untold else weight for place, weight in enumerate(self._weights)]
        drawn: list[str] = []
        while len(drawn) < max(1, len(present)) and any(weights):
            place = rng.choices(range(len(weights)), weights=weights)[0]
            drawn.append(self._names[place])
            weights[place] = 0
        return tuple(drawn)

    def _related(self, name: str) -> frozenset[int]:
        """Places of the names that say the same as this one, or something broader or narrower."""
        if name not in self._known:
            above = set(self._above(name))
            self._known[name] = frozenset(
                place
                for place, other in enumerate(self._names)
                if name in other or other in name or other in above or name in self._above(other)
            )
        return self._known[name]

    def _above(self, name: str) -> Iterator[str]:
        parent = self._parents.get(name)
        while parent is not None:
            yield parent
            parent = self._parents.get(parent)
