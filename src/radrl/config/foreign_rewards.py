"""Reward functions in files of CX-Mind (EasyR1) and ms-swift: several of their keys together make entries of ours."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from radrl.config.seeds import Given, Settings, listed

FUNCTION = "worker.reward.reward_function"
PLUGINS = "external_plugins"

_KWARGS = "worker.reward.reward_function_kwargs"
_OVERALL = "overall"
_NOT_IN_LABELS = re.compile(r"[^\w.+-]+")


def easyr1_entry(function: str) -> Mapping[str, object]:
    """The one entry of `rewards` that an EasyR1 file becomes. Raises ValueError for what is no `path.py:function`."""
    file, _, name = function.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise ValueError("write path/to/file.py:function, or name registered rewards under `rewards`")
    label = _NOT_IN_LABELS.sub("_", Path(file).stem)
    return {"name": function, "interface": "easyr1_batch", "label": label, "outcome": True}


def easyr1_type(item: Given, others: Settings, *, presets: Mapping[str, str]) -> Settings:
    """How EasyR1 calls the file that is given beside."""
    if not _has_file(others, presets):
        return {}
    if item.value not in ("batch", "sequential"):
        raise ValueError("it is batch or sequential")
    return {"rewards.0.interface": f"easyr1_{item.value}"}


def easyr1_kwargs(item: Given, others: Settings, *, presets: Mapping[str, str]) -> Settings:
    """Arguments of the file's function."""
    if not _has_file(others, presets):
        return {}
    if item.key == _KWARGS:
        given = cast("Mapping[str, object]", item.value or {})
        return {f"rewards.0.kwargs.{name}": value for name, value in given.items()}
    return {f"rewards.0.kwargs.{item.key.removeprefix(f'{_KWARGS}.')}": item.value}


def easyr1_filter_key(item: Given, others: Settings, *, presets: Mapping[str, str]) -> Settings:
    """Which number of the file's dict groups are filtered by."""
    if item.value in (None, _OVERALL) or not _has_file(others, presets):
        return {}
    return {"rewards.0.outcome_key": item.value}


def swift_entries(item: Given, others: Settings, *, known: Mapping[str, Mapping[str, object]]) -> Settings:
    """Entries for ms-swift's names: ours of the same intent, or what stands in the plugin file under the name.

    Where none of ours is the outcome, the first from a file is declared it.
    """
    names = [str(name) for name in listed(item.value)]
    files = [str(file) for file in listed(others.get(PLUGINS))]
    entries = [dict(known[name]) if name in known else _swift_entry(name, files, known) for name in names]
    if not any(entry.get("outcome") for entry in entries):
        first = next((entry for entry in entries if "interface" in entry), None)
        if first is not None:
            first["outcome"] = True
    return {"rewards": entries}


def _swift_entry(name: str, files: Sequence[str], known: Mapping[str, object]) -> dict[str, object]:
    if ":" in name:
        return {"name": name, "interface": "trl"}
    if len(files) == 1:
        return {"name": f"{files[0]}:{name}", "interface": "trl"}
    if files:
        raise ValueError(f"{name!r} may stand in any of {', '.join(files)}; write FILE.py:{name}")
    raise ValueError(
        f"{name!r} has no counterpart ({', '.join(known)} have); write FILE.py:{name}, give the one file that defines "
        f"it as {PLUGINS}, or name registered rewards under `rewards: [{{name, weight, gate, outcome}}]`"
    )


def _has_file(others: Settings, presets: Mapping[str, str]) -> bool:
    """Whether a reward file without a preset of ours is given, and no own rewards that stand over it."""
    function = others.get(FUNCTION)
    return function is not None and "rewards" not in others and file_stem(str(function)) not in presets


def file_stem(function: str) -> str:
    """Name of a reward file, `math` for `examples/math.py:compute_score`."""
    return Path(function.partition(":")[0]).stem
