"""Graph of a text, by whichever back end is asked for.

A back end is named by a spec: `rules`, `rexkg:FOLDER[@DEVICE]`, `radgraph:FOLDER[@DEVICE]` or `json:FILE`. Devices are
torch's names and `cpu` where none is given: nothing here touches a GPU that was not asked for.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from radrl.errors import PluginError
from radrl.graph.cache import DiskCache, default_folder
from radrl.graph.extractors.rules import VERSION, extract_rules
from radrl.graph.service import Extractor, GraphService, unchanged_randomness
from radrl.graph.types import KnowledgeGraph

_FORMS = {
    "rules": "rules",
    "rexkg": "rexkg:FOLDER[@DEVICE]",
    "radgraph": "radgraph:FOLDER[@DEVICE]",
    "json": "json:FILE",
}
"""Back end -> how its spec is written."""

_SHARED: list[Callable[[str], Extractor]] = []
"""What opens neural back ends in this process, the last one given; empty where it opens its own."""

_DEVICE = re.compile(r"@((?:cpu|cuda|mps|xpu)(?::\d+)?)$")


def extract(text: str, *, extractor: str = "rules") -> KnowledgeGraph:
    """What a text says, as a knowledge graph. Recent texts are remembered.

    >>> extract("No left effusion.").triplets
    frozenset({Triplet(head='pleural effusion', relation='located_at', tail='left pleural space', certainty='absent')})
    """
    return open_extractor(extractor)([text])[0]


def extract_all(texts: Sequence[str], *, extractor: str = "rules") -> list[KnowledgeGraph]:
    """Graphs of many texts, in order, read in one batch: for a neural back end many times faster than one by one."""
    return open_extractor(extractor)(texts)


@lru_cache(maxsize=64)
def open_extractor(spec: str) -> Extractor:
    """The back end that a spec names, opened once a process. Raises `PluginError` for one that cannot be opened.

    Graphs of neural back ends are cached on disk (see `cache`), by text, back end and version of the weights. The rules
    are faster than a look-up on disk, and a file of graphs is on disk already.
    """
    name, _, place = spec.partition(":")
    if name not in _FORMS:
        nearest = get_close_matches(name, _FORMS, n=1)
        hint = f"Did you mean {_FORMS[nearest[0]]}?" if nearest else f"Known: {', '.join(_FORMS.values())}."
        raise PluginError(f"unknown graph extractor {spec!r}. {hint}")
    if bool(place) == (name == "rules"):
        raise PluginError(f"the graph extractor {spec!r} is not complete or says too much. Write {_FORMS[name]}.")
    if name == "rules":
        return GraphService(_Rules())
    if name == "json":
        return GraphService(_open_file(Path(place)))
    found = _DEVICE.search(place)
    device = found[1] if found else "cpu"
    folder = Path(place[: found.start()] if found else place).expanduser()
    if not folder.is_dir():
        raise PluginError(
            f"the graph extractor {spec!r} needs a folder of weights, and {folder} is none. Write {_FORMS[name]}, with "
            "a device such as cpu or cuda:0; nothing is downloaded."
        )
    if _SHARED:
        return GraphService(_SHARED[-1](spec))
    with unchanged_randomness(device):
        backend = _open_neural(name, folder=folder, device=device)
    return GraphService(backend, cache=DiskCache(default_folder()), device=device)


def share_extractors(open_shared: Callable[[str], Extractor]) -> None:
    """Let neural back ends that this process opens from now on be others' too: `open_shared` leads to them by spec.

    For processes of which there are many, where one copy of the weights, and one reading of a text, is enough for all.
    """
    _SHARED.append(open_shared)


class _Rules:
    """The rules as a back end."""

    name = "rules"
    version = VERSION

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        return [extract_rules(text) for text in texts]


def _open_file(path: Path) -> Extractor:
    from radrl.graph.extractors.jsonfile import JsonFileExtractor

    return JsonFileExtractor(path.expanduser())


def _open_neural(name: str, *, folder: Path, device: str) -> Extractor:
    """Imported when asked for: both need torch."""
    if name == "rexkg":
        from radrl.graph.extractors.rexkg import RexkgExtractor

        return RexkgExtractor(folder, device)
    from radrl.graph.extractors.radgraph import RadGraphExtractor

    return RadGraphExtractor(folder, device)
