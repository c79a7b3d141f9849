"""Scorers as a configuration names them, opened before the first question is asked."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from radrl.config.evaluation import ScorerConfig
from radrl.errors import ConfigError, PluginError
from radrl.evaluation.scorers.api import OpenedScorer, Scorer
from radrl.evaluation.scorers.plugged import PluggedScorer
from radrl.plugins import is_reference


def open_scorers(configured: Sequence[ScorerConfig], *, device: str) -> list[OpenedScorer]:
    """Every scorer, in order. `device` is auto, cpu or cuda.

    Raises ConfigError for an unknown name, one that stands twice, a missing path or package, and arguments that a
    scorer does not take; PluginError for a place where there is no plug-in.
    """
    names = [one.name for one in configured]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"the scorer {twice!r} stands twice in scorers. Leave one of them out.")
    if not configured:
        return []
    device = _device(device)
    return [
        OpenedScorer(name=one.name, path=one.path, settings=one.kwargs, scorer=_open(one, device=device))
        for one in configured
    ]


def _open(one: ScorerConfig, *, device: str) -> Scorer:
    if is_reference(one.name):
        return PluggedScorer(one.name, path=one.path, kwargs=one.kwargs)
    known = _known()
    if one.name not in known:
        near = difflib.get_close_matches(one.name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}; or path/to/file.py:function."
        raise ConfigError(f"there is no scorer {one.name!r} (from scorers). {hint}")
    if one.path is None:
        raise ConfigError(
            f"the scorer {one.name} has no path (from scorers). Give path=FOLDER with its weights; nothing is "
            "downloaded."
        )
    path = Path(one.path).expanduser()
    if not path.exists():
        raise ConfigError(f"there is no {path}, the path of the scorer {one.name} (from scorers). Correct it.")
    make = known[one.name]
    _check_arguments(one.name, make, one.kwargs)
    try:
        return make(path, device=device, **one.kwargs)
    except PluginError as error:
        raise ConfigError(f"the scorer {one.name} cannot be opened: {error}") from error


def _known() -> Mapping[str, Callable[..., Scorer]]:
    """Imported when asked for: all of them need torch."""
    from radrl.evaluation.scorers.bertscore import BertScore
    from radrl.evaluation.scorers.chexbert import CheXbert
    from radrl.evaluation.scorers.packages import RadEvalScorer, RaTEScorer
    from radrl.evaluation.scorers.radgraph import RadGraphF1

    return {
        "chexbert": CheXbert,
        "radgraph": RadGraphF1,
        "bertscore": BertScore,
        "ratescore": RaTEScorer,
        "radeval": RadEvalScorer,
    }


def _check_arguments(name: str, make: Callable[..., Any], kwargs: Mapping[str, object]) -> None:
    taken = [argument for argument in inspect.signature(make).parameters if argument not in ("path", "device")]
    unknown = next((argument for argument in kwargs if argument not in taken), None)
    if unknown is not None:
        raise ConfigError(
            f"the scorer {name} takes no {unknown!r} (from scorers). It takes {', '.join(taken) or 'no arguments'}."
        )


def _device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
