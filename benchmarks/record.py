"""What a measurement depends on, and where it is kept: the machine, the versions, the commit, and a file of results."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from radrl.durable import write_atomically
from radrl.engines.ceilings import device_name

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "peft", "vllm", "trl", "accelerate")


def facts(*, commit: str | None = None) -> dict[str, Any]:
    """Hardware, versions and commit. `commit` is for a copy of the tree that is no repository."""
    installed = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    return {
        "hardware": hardware(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES if name in installed},
        "commit": commit or present_commit(),
    }


def hardware() -> str:
    """The GPU where there is one, and the processor."""
    processor = device_name(torch.device("cpu"))
    memory = round(psutil.virtual_memory().total / 2**30)
    host = f"{processor}, {psutil.cpu_count()} cores, {memory} GiB"
    return f"{device_name(torch.device('cuda'))}; {host}" if torch.cuda.is_available() else host


def present_commit() -> str:
    """Short name of the commit, with `-dirty` behind it where the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty"]
    folder = Path(__file__).parent
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(f"{folder} is no git repository: say which commit it is a copy of with --commit NAME.")
    return found.stdout.strip()


def facts_line(known: Mapping[str, Any]) -> str:
    """The facts as a page gives them."""
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    return f"{known['hardware']}; Python {known['python']}, {versions}; commit {known['commit']}."


def load(name: str, *, folder: Path = RESULTS) -> dict[str, Any]:
    """Results of an earlier run; empty when there are none."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def save(name: str, results: Mapping[str, Any], page: str, *, folder: Path = RESULTS) -> None:
    """Write the results, and the page: beside the benchmark, or with results that are kept elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{name}.json", json.dumps(results, indent=1) + "\n")
    pages = Path(__file__).parent if folder == RESULTS else folder
    write_atomically(pages / f"{name}.md", page)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
