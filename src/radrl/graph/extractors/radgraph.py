"""RadGraph (Jain et al. 2021, arXiv 2106.14463) and RadGraph-XL (Delbrouck et al. 2024), through their own package.

The package is not installed with radrl and its weights are not ours to give: both stay with the user, and nothing is
ever downloaded. RadGraph knows observations and anatomy only. What an observation is follows from its links and from
the lexicon: one that modifies something is a concept, one that the lexicon calls a device is a device, and every other
is a disorder.
"""

import contextlib
import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from radrl.errors import DataError, PluginError
from radrl.graph.extractors.rules import VERSION as RULES_VERSION
from radrl.graph.surface import SurfaceEntity, SurfaceRelation, canonical_graph
from radrl.graph.types import Certainty, EntityType, KnowledgeGraph, RelationName, entity_type

MODEL_NAMES = ("modern-radgraph-xl", "radgraph-xl", "radgraph")
"""Models of the package that read chest radiographs, the newest first; each is a folder of this name."""

_PARTS = ("config.json", "weights.th", "vocabulary")
_TYPES = {
    "anat": EntityType.ANATOMY,
    "anatomy": EntityType.ANATOMY,
    "obs": EntityType.DISORDER,
    "observation": EntityType.DISORDER,
}
_CERTAINTIES: Mapping[str, Certainty] = {
    "dp": "present",
    "definitely present": "present",
    "u": "uncertain",
    "uncertain": "uncertain",
    "da": "absent",
    "definitely absent": "absent",
}
_RELATIONS: Mapping[str, RelationName] = {
    "modify": "modify",
    "located_at": "located_at",
    "suggestive_of": "suggestive_of",
}


class RadGraphExtractor:
    """The `radgraph` package on a local model.

    Example: `RadGraphExtractor(Path("weights/modern-radgraph-xl"), "cuda:0")(["No edema."])`
    """

    name = "radgraph"

    def __init__(self, folder: Path, device: str) -> None:
        """`folder` is the model's own (config.json, weights.th, vocabulary), or one that holds it under its name.

        Raises `PluginError` when the package is not installed, the folder holds no model, or the text encoder that the
        model's config.json names is not on this machine.
        """
        model = _model_folder(folder)
        self.version = _version(model)
        self._annotate = _open(model, device=device)

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """One graph a text, in order; blank texts are not given to the model."""
        records = self.annotate(texts)
        return [
            from_radgraph(record, text=text) if text.strip() else KnowledgeGraph.from_triplets(())
            for record, text in zip(records, texts, strict=True)
        ]

    def annotate(self, texts: Sequence[str]) -> list[Mapping[str, Any]]:
        """Records in the package's own form, one a text, in order; without entities for blank texts."""
        readable = [index for index, text in enumerate(texts) if text.strip()]
        records: list[Mapping[str, Any]] = [{"text": "", "entities": {}}] * len(texts)
        if readable:
            with contextlib.redirect_stdout(sys.stderr):
                found = self._annotate([texts[index] for index in readable])
            for place, index in enumerate(readable):
                records[index] = found[str(place)]
        return records


def from_radgraph(record: Mapping[str, Any], *, text: str | None = None) -> KnowledgeGraph:
    """Our graph of one record in RadGraph's form, of either version.

    `entities` maps ids to `{tokens, label, start_ix, end_ix, relations: [[name, id], ...]}`. Labels are `OBS-DA` and
    the like (1.0) or `Observation::definitely absent` (XL; `Observation::measurement::...` is a size). With the
    `text` that was read, mentions get their offsets where the tokens can be found in it. Raises `DataError` for
    another form.
    """
    try:
        marked = {str(key): cast("Mapping[str, Any]", fields) for key, fields in record["entities"].items()}
        index = {key: place for place, key in enumerate(marked)}
        relations = [
            SurfaceRelation(head=index[key], relation=_RELATIONS[str(name)], tail=index[str(tail)])
            for key, fields in marked.items()
            for name, tail in fields["relations"]
        ]
        offsets = _token_offsets(str(record.get("text", "")).split(), text)
        entities = [_entity(fields, offsets) for fields in marked.values()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"not a RadGraph record: {error!r}. It needs entities with tokens, label and relations, as the radgraph "
            "package writes them."
        ) from error
    return _typed(entities, relations)


def _typed(entities: Sequence[SurfaceEntity], relations: Sequence[SurfaceRelation]) -> KnowledgeGraph:
    """Tells concepts and devices from disorders, which RadGraph calls by one name."""
    modifiers = {link.head for link in relations if link.relation == "modify"}
    typed = [
        replace(entity, type=EntityType.CONCEPT)
        if place in modifiers and entity.type is EntityType.DISORDER
        else entity
        for place, entity in enumerate(entities)
    ]
    graph = canonical_graph(typed, relations)
    devices = {
        place for place, entity in enumerate(graph.entities) if entity_type(entity.canonical) is EntityType.DEVICE
    }
    if not devices:
        return graph
    return canonical_graph(
        [
            replace(entity, type=EntityType.DEVICE)
            if place in devices and entity.type is EntityType.DISORDER
            else entity
            for place, entity in enumerate(typed)
        ],
        relations,
    )


def _entity(fields: Mapping[str, Any], offsets: Sequence[tuple[int, int] | None]) -> SurfaceEntity:
    kind, *rest = str(fields["label"]).lower().replace("-", "::").split("::")
    given = EntityType.SIZE if "measurement" in rest else _TYPES[kind]
    certainty = _CERTAINTIES[rest[-1] if rest else ""]
    first, last = int(fields.get("start_ix", -1)), int(fields.get("end_ix", -1))
    ends = (offsets[first], offsets[last]) if 0 <= first <= last < len(offsets) else (None, None)
    return SurfaceEntity(
        text=str(fields["tokens"]),
        type=given,
        certainty=certainty,
        start=ends[0][0] if ends[0] and ends[1] else None,
        end=ends[1][1] if ends[0] and ends[1] else None,
    )


def _token_offsets(tokens: Sequence[str], text: str | None) -> list[tuple[int, int] | None]:
    """Where each token stands in the text, one after the other; None for one that preprocessing has changed."""
    offsets: list[tuple[int, int] | None] = []
    lowered, position = (text or "").lower(), 0
    if len(lowered) != len(text or ""):  # some capitals have no single small letter, and would shift what follows
        lowered = text or ""
    for token in tokens:
        start = lowered.find(token.lower(), position)
        if start < 0:
            offsets.append(None)
        else:
            position = start + len(token)
            offsets.append((start, position))
    return offsets


def _model_folder(folder: Path) -> Path:
    for candidate in (folder, *(folder / name for name in MODEL_NAMES)):
        if candidate.name in MODEL_NAMES and all((candidate / part).exists() for part in _PARTS):
            return candidate
    raise PluginError(
        f"{folder} holds no RadGraph model. Give the folder {', '.join(MODEL_NAMES[:-1])} or {MODEL_NAMES[-1]}, by "
        f"that name, with {', '.join(_PARTS)} in it (the unpacked archive that the radgraph package uses)."
    )


def _version(model: Path) -> str:
    """Model, digest of its weights, and version of the rules that name its findings: graphs of one never pass for
    those of another in a cache."""
    with (model / "weights.th").open("rb") as weights:
        return f"{model.name}-{hashlib.file_digest(weights, 'sha256').hexdigest()[:16]}-{RULES_VERSION}"


def _open(model: Path, *, device: str) -> Callable[[list[str]], Mapping[str, Any]]:
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda"):
        raise PluginError(f"the radgraph package runs on cpu or cuda, not on {device!r}. Write radgraph:FOLDER@cpu.")
    try:
        package = importlib.import_module("radgraph")
    except ImportError as error:
        raise PluginError(
            f"the graph extractor radgraph needs the radgraph package, which cannot be imported ({error}). Install it "
            "with `pip install radgraph`, read graphs made elsewhere with json:FILE, or use rules."
        ) from error
    try:
        # The package prints to standard output, which belongs to graphs here.
        with offline(), contextlib.redirect_stdout(sys.stderr):
            opened = package.RadGraph(
                model_type=model.name,
                model_cache_dir=str(model.parent),
                cuda=int(number or 0) if kind == "cuda" else -1,
            )
    except Exception as error:
        encoder = _encoder(model)
        raise PluginError(
            f"the RadGraph model in {model} cannot be opened: {type(error).__name__}: {error}. Nothing is downloaded: "
            f"the text encoder that its config.json names ({encoder}) has to be a folder, or in the Hugging Face cache."
        ) from error
    return cast("Callable[[list[str]], Mapping[str, Any]]", opened)


def _encoder(model: Path) -> str:
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        return str(config["model"]["embedder"]["token_embedders"]["bert"]["model_name"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


@contextlib.contextmanager
def offline() -> Generator[None]:
    """Keep huggingface_hub, through which packages fetch their models, from the network.

    The environment variable is read when the library is imported, which may have happened before.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
