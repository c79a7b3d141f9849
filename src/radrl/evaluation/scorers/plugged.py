"""A scorer of the user's own: a function of two lists of texts."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from radrl.errors import ConfigError, PluginError
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.written import WRITTEN_TASKS, TextPair
from radrl.plugins import locate, resolve


class PluggedScorer:
    """`function(predicted, gold, **kwargs)`, with `path` among them where one is given.

    It is called once with all texts and returns a score of each, or metric -> a score of each; None leaves a text out.
    A bare list is the metric of the function's own name.
    """

    version = "plug-in"
    tasks = WRITTEN_TASKS

    def __init__(self, name: str, *, path: str | None, kwargs: Mapping[str, object]) -> None:
        """`name` says where the function stands; it is imported, and not called."""
        found = resolve(name)
        if not callable(found):
            raise ConfigError(
                f"the scorer {name!r} is a {type(found).__name__}, which cannot be called. Name a function."
            )
        self._function = cast("Callable[..., Any]", found)
        self._name = name
        self._arguments = {**kwargs, **({} if path is None else {"path": path})}
        said = (found.__doc__ or f"Scores of {name}; it does not say what they mean.").strip()
        self.meanings = {locate(name).attribute: said}

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """Mean of every score over the texts that have one."""
        try:
            returned = self._function(
                [pair.predicted for pair in pairs], [pair.gold for pair in pairs], **self._arguments
            )
        except Exception as error:  # a plug-in may raise anything; it is named and the evaluation ends
            raise PluginError(f"the scorer {self._name} raised {type(error).__name__}: {error}. Correct it.") from error
        scores = returned if isinstance(returned, Mapping) else {locate(self._name).attribute: returned}
        return per_text_means(cast("Mapping[str, Any]", scores), num_texts=len(pairs), source=self._name)


def per_text_means(scores: Mapping[str, Any], *, num_texts: int, source: str) -> list[Statistic]:
    """Means of what foreign code gives for each text. Raises PluginError for what is no list of as many numbers."""
    statistics: list[Statistic] = []
    for name, values in scores.items():
        try:
            numbers = [None if value is None else float(value) for value in values]
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"{name!r} of the scorer {source} is {values!r:.60}, which is no list of numbers. "
                "Return a score for each text."
            ) from error
        if len(numbers) != num_texts or not all(value is None or math.isfinite(value) for value in numbers):
            raise PluginError(
                f"{name!r} of the scorer {source} has {len(numbers)} scores for {num_texts} texts, or one that is not "
                "finite. Return a finite number, or None, for each text."
            )
        statistics.append(mean_of(name, numbers))
    return statistics
