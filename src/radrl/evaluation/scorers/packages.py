"""Scorers that other packages bring. They stay with the user, as do their weights; nothing is downloaded."""

import contextlib
import importlib
import importlib.metadata
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from radrl.errors import ConfigError
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.scorers.encoding import needed_file
from radrl.evaluation.scorers.plugged import per_text_means
from radrl.evaluation.tasks import Task
from radrl.evaluation.written import TextPair
from radrl.graph.extractors.radgraph import offline

_Made = TypeVar("_Made")

_IN_REACH = (
    "bleu", "rouge", "bertscore", "radeval_bertscore", "f1chexbert", "radgraph", "radgraph_radcliq", "ratescore",
    "radcliq", "green",
)  # fmt: skip
"""RadEval's metrics whose weights come from the Hugging Face cache. Its others send texts to a server, or download
through other libraries."""


class RaTEScorer:
    """RaTEScore (Zhao et al. 2024, arXiv 2406.16845) through its package.

    Example: `RaTEScorer(Path("weights/ratescore"), device="cuda")`
    """

    tasks = frozenset({Task.REPORT})
    meanings: Mapping[str, str] = MappingProxyType(
        {
            "ratescore": "Mean over reports of RaTEScore: entities of both reports are matched by the cosine of their "
            "embeddings, weighted by their types, with a penalty where one is negated; 0.5 where either has no entity, "
            "so that an empty report is not 0. In [0, 1], more is better. Computed by the RaTEScore package."
        }
    )

    def __init__(self, path: Path, *, device: str, batch_size: int = 1) -> None:
        """`path` is a folder with the folders `ner` (RaTE-NER-Deberta) and `embedding` (BioLORD-2023-C)."""
        for part, what in (("ner", "RaTE-NER-Deberta"), ("embedding", "BioLORD-2023-C")):
            needed_file(path / part, "config.json", scorer="ratescore", what=f"the model {what}, in the folder {part}")
        package = _imported("RaTEScore", scorer="ratescore", install="RaTEScore")
        self.version = _version("RaTEScore")
        self._scorer = _opened(
            lambda: package.RaTEScore(
                bert_model=str(path / "ner"),
                eval_model=str(path / "embedding"),
                batch_size=batch_size,
                use_gpu=device.startswith("cuda"),
            ),
            scorer="ratescore",
            path=path,
        )

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """`ratescore`."""
        with offline():
            scores = self._scorer.compute_score([pair.predicted for pair in pairs], [pair.gold for pair in pairs])
        return per_text_means({"ratescore": scores}, num_texts=len(pairs), source="ratescore")


class RadEvalScorer:
    """Metrics of the RadEval package (Xu et al. 2025).

    Example: `RadEvalScorer(Path("weights/hub"), device="cuda", metrics=("ratescore", "radcliq"))`
    """

    tasks = frozenset({Task.REPORT})

    def __init__(self, path: Path, *, device: str, metrics: Sequence[str] = ()) -> None:
        """`path` is a Hugging Face cache (`hub`) that holds the models of the metrics.

        RadEval takes a GPU by itself where there is one, whatever `device` says; a metric with a cache of its own
        (f1chexbert, radgraph) finds its weights there.
        """
        del device
        if not metrics:
            raise ConfigError(
                f"the scorer radeval has no metrics (from scorers). Give kwargs.metrics, of {', '.join(_IN_REACH)}."
            )
        beyond = next((name for name in metrics if name not in _IN_REACH), None)
        if beyond is not None:
            raise ConfigError(
                f"the scorer radeval is not asked for {beyond!r} (from scorers), which is unknown or would use the "
                f"network. Give kwargs.metrics: some of {', '.join(_IN_REACH)}."
            )
        package = _imported("radeval", scorer="radeval", install="radeval")
        self.version = _version("radeval")
        self._path = path
        with _hub_at(path):
            self._scorer = _opened(
                lambda: package.RadEval(metrics=list(metrics), per_sample=True, show_progress=False),
                scorer="radeval",
                path=path,
            )
        self.meanings = {
            f"radeval_{name}": f"Mean over reports of what RadEval's {name} gives for each; its meaning and range are "
            "RadEval's. Corpus metrics become means over reports."
            for name in metrics
        }

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """Every list of scores that RadEval returns, under its name there after `radeval_`."""
        with _hub_at(self._path), offline():
            scores = self._scorer(refs=[pair.gold for pair in pairs], hyps=[pair.predicted for pair in pairs])
        named = {f"radeval_{name}": values for name, values in scores.items()}
        return per_text_means(named, num_texts=len(pairs), source="radeval")


def _imported(module: str, *, scorer: str, install: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"the scorer {scorer} (from scorers) needs the package {install}, which cannot be imported ({error}). "
            f"Install it with `pip install {install}`; its weights have to be at path."
        ) from error


def _opened(make: Callable[[], _Made], *, scorer: str, path: Path) -> _Made:
    try:
        with offline():
            return make()
    except (OSError, ValueError, RuntimeError, TypeError, ImportError) as error:
        raise ConfigError(
            f"the scorer {scorer} cannot be opened from {path}: {type(error).__name__}: {error}. Nothing is "
            "downloaded: all of its weights have to be there."
        ) from error


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{distribution} (not installed as a package)"


@contextlib.contextmanager
def _hub_at(folder: Path) -> Generator[None]:
    """Let libraries look for models in this Hugging Face cache, as HF_HUB_CACHE does when set before they start."""
    from huggingface_hub import constants

    before = constants.HF_HUB_CACHE
    constants.HF_HUB_CACHE = str(folder)
    try:
        yield
    finally:
        constants.HF_HUB_CACHE = before
