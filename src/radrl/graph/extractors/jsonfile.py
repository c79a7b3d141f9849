"""Graphs made beforehand, by whatever means, looked up by their text.

A file is a JSON list or JSON lines. A record names its text (`text` or `explanation`) or the text's SHA-256
(`text_sha256`), and holds a graph in one of two forms: our Graph JSON, under `graph` or beside those fields; or that of
CheX-Phi4MM's gt_kg.json and pred_kg.json, `entities {surface: type}` and `relations [{source_entity, target_entity,
type}]`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from radrl.errors import DataError, PluginError
from radrl.graph.records import read_records
from radrl.graph.surface import REXKG_RELATIONS, REXKG_TYPES, SurfaceEntity, SurfaceRelation, canonical_graph
from radrl.graph.types import KnowledgeGraph

_TEXT_FIELDS = ("text", "explanation")


class JsonFileExtractor:
    """Looks graphs up in a file. A text that is not in it is an error: nothing else is asked instead.

    Example: `JsonFileExtractor(Path("gt_kg.json"))(["No edema."])`
    """

    name = "json"

    def __init__(self, path: Path) -> None:
        """Reads the whole file. Raises `PluginError` when there is none and `DataError` naming a record without one."""
        if not path.is_file():
            raise PluginError(f"there is no file of graphs at {path}. Write json:FILE, a JSON list or JSON lines.")
        self.path = path
        self.version = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        self._graphs: dict[str, KnowledgeGraph] = {}
        for number, record in read_records(path):
            where = f"record {number} of {path}"
            key = _key(record, where=where)
            self._graphs[key] = read_graph(record, where=where)

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        """Graphs by text. Raises `DataError` for a text that the file does not hold."""
        return [self._look_up(text) for text in texts]

    def _look_up(self, text: str) -> KnowledgeGraph:
        graph = self._graphs.get(_sha256(text))
        if graph is None:
            raise DataError(
                f"{self.path} holds {len(self._graphs)} graphs, and none of this text ({len(text)} characters, SHA-256 "
                f"{_sha256(text)}). Add its graph, or name an extractor that reads texts, such as rules."
            )
        return graph


def read_graph(record: Mapping[str, Any], *, where: str) -> KnowledgeGraph:
    """The graph of a record, in our form or in the seed's. `where` names the record in messages.

    In the seed's form `entities` maps a surface text to its type, so a finding that a report both asserts and denies
    has the certainty of its last mention; that is lost in the file and cannot be restored.
    """
    given: object = record.get("graph", record)
    if not isinstance(given, Mapping):
        raise DataError(f"{where} holds no graph: its 'graph' is {type(given).__name__}, not an object.")
    fields = cast("Mapping[str, Any]", given)
    if isinstance(fields.get("entities"), Mapping):
        return _read_rexkg(fields, where=where)
    try:
        return KnowledgeGraph.from_json(fields)
    except DataError as error:
        raise DataError(f"{where} holds no graph: {error}") from error


def _read_rexkg(fields: Mapping[str, Any], *, where: str) -> KnowledgeGraph:
    index: dict[str, int] = {}
    entities: list[SurfaceEntity] = []
    for text, kind in fields["entities"].items():
        if kind not in REXKG_TYPES:
            raise DataError(
                f"{where} calls {text!r} a {kind!r}, which is no ReXKG type. Types are {', '.join(REXKG_TYPES)}."
            )
        entity_type, certainty = REXKG_TYPES[kind]
        index[text] = len(entities)
        entities.append(SurfaceEntity(text=text, type=entity_type, certainty=certainty))
    relations: list[SurfaceRelation] = []
    for link in fields.get("relations", ()):
        kind, ends = link.get("type"), (link.get("source_entity"), link.get("target_entity"))
        if kind not in REXKG_RELATIONS or any(end not in index for end in ends):
            raise DataError(
                f"{where} has the relation {dict(link)}, which names no known type ({', '.join(REXKG_RELATIONS)}) or "
                "an entity that the record does not hold."
            )
        relations.append(SurfaceRelation(head=index[ends[0]], relation=kind, tail=index[ends[1]]))
    return canonical_graph(entities, relations)


def _key(record: Mapping[str, Any], *, where: str) -> str:
    digest = record.get("text_sha256")
    if isinstance(digest, str):
        return digest.lower()
    for field in _TEXT_FIELDS:
        text = record.get(field)
        if isinstance(text, str):
            return _sha256(text)
    raise DataError(
        f"{where} does not say which text it is of. Give it a field {' or '.join(_TEXT_FIELDS)}, or text_sha256."
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()
