"""Two files of texts or graphs, put side by side: what one predicts against what the other refers to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radrl.errors import DataError
from radrl.graph.extract import extract_all
from radrl.graph.extractors.jsonfile import read_graph
from radrl.graph.records import find_form, parse_records, text_of
from radrl.graph.types import KnowledgeGraph
from radrl.text import parse_trace, think_text

_ID_FIELDS = ("id", "doc_key", "idx")
_PATIENT_FIELDS = ("patient_id", "subject_id")
_TEXT_FIELDS = ("text", "explanation", "generated_text", "completion", "report")
"""Where texts are found when no field is named: ours, CheX-Phi4MM's, those of samples.jsonl and completions.jsonl."""

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One entry of one side.

    Example: `Document(id="p1-s1-q0", patient_id="p1", text="No edema.", graph=None, where="line 1 of a.jsonl")`
    """

    id: str | None
    patient_id: str | None
    text: str | None
    """What the graph is of: the thoughts where a trace is to be read, otherwise all of it. None for a bare graph."""
    graph: KnowledgeGraph | None
    """The file's own graph; None where the text is to be read."""
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPair:
    """What one prediction says and what its reference says.

    Example: `GraphPair(id="p1-s1-q0", patient_id="p1", predicted=..., reference=..., predicted_text="No edema.",
                        reference_text="Edema.")`
    """

    id: str
    """The files' own id, else the place in them, from 1."""
    patient_id: str | None
    predicted: KnowledgeGraph
    reference: KnowledgeGraph
    predicted_text: str | None
    reference_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Both sides, aligned."""

    pairs: tuple[GraphPair, ...]
    alignment: Literal["id", "order"]


def read_pairs(
    predictions: Path,
    references: Path,
    *,
    field: str | None = None,
    reference_field: str | None = None,
    extractor: str = "rules",
) -> Pairs:
    """Read two files, align them and read the graphs of their texts.

    A file is plain lines, JSON lines or a JSON list. A record with a graph of its own (ours, or `entities` and
    `relations` of CheX-Phi4MM) keeps it; with a field named, its text is read anew. Sides are aligned by `id`,
    `doc_key` or `idx` where every record of both has one, and several predictions may share a reference; otherwise by
    order. Raises `DataError` for files that cannot be read or do not match.
    """
    found = read_documents(predictions, field=field)
    wanted = read_documents(references, field=reference_field)
    if all(document.id is not None for document in (*found, *wanted)):
        alignment: Literal["id", "order"] = "id"
        matched = _align_by_id(found, wanted, files=(predictions, references))
    else:
        alignment = "order"
        matched = _align_by_order(found, wanted, files=(predictions, references))
    # Predictions and references go through the back end together: one batch is faster than two.
    graphs = _graphs([document for pair in matched for document in pair], extractor=extractor)
    pairs = [
        GraphPair(
            id=predicted.id or str(place),
            patient_id=reference.patient_id or predicted.patient_id,
            predicted=graphs[2 * place - 2],
            reference=graphs[2 * place - 1],
            predicted_text=predicted.text,
            reference_text=reference.text,
        )
        for place, (predicted, reference) in enumerate(matched, start=1)
    ]
    return Pairs(pairs=tuple(pairs), alignment=alignment)


def read_documents(path: Path, *, field: str | None) -> list[Document]:
    """Entries of one file, in order; those without a graph of their own have a text."""
    if not path.is_file():
        raise DataError(f"{path} is not a file. Give a file of plain lines, JSON lines or a JSON list.")
    try:
        # Iterated, not split: only line ends end a line here, where splitlines() also takes U+2028 inside a text.
        with path.open(encoding="utf-8-sig") as file:
            lines = list(file)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    form, _ = find_form(iter(lines))
    if form == "text" and path.suffix not in (".json", ".jsonl"):
        documents = [
            Document(id=None, patient_id=None, text=_read_part(line), graph=None, where=f"line {number} of {path}")
            for number, line in enumerate(lines, start=1)
        ]
    else:
        documents = [
            _document(record, field=field, where=f"record {number} of {path}")
            for number, record in parse_records(lines, source=path)
        ]
    if not documents:
        raise DataError(f"{path} is empty, so there is nothing to compare. Write it again.")
    return documents


def _document(record: Mapping[str, object], *, field: str | None, where: str) -> Document:
    has_graph = field is None and ("graph" in record or "entities" in record)
    named = field or next((name for name in _TEXT_FIELDS if isinstance(record.get(name), str)), None)
    if named is None and not has_graph:
        raise DataError(
            f"{where} has neither a text ({', '.join(_TEXT_FIELDS)}) nor a graph. Fields are {', '.join(record)}; name "
            "the one to read with --field."
        )
    text = None if named is None else text_of(record, field=named, where=where)
    return Document(
        id=_name(record, _ID_FIELDS),
        patient_id=_name(record, _PATIENT_FIELDS),
        # Offsets of the file's own graph are into the text as it stands.
        text=text if text is None or has_graph else _read_part(text),
        graph=read_graph(record, where=where) if has_graph else None,
        where=where,
    )


def _read_part(text: str) -> str:
    """The thoughts of a trace, so that answers and tags are no reasoning; any other text as it is."""
    trace = parse_trace(text)
    return think_text(trace) if trace.steps else text.rstrip("\n")


def _name(record: Mapping[str, object], fields: Sequence[str]) -> str | None:
    return next((str(record[field]) for field in fields if isinstance(record.get(field), (str, int))), None)


def _align_by_id(
    found: Sequence[Document], wanted: Sequence[Document], *, files: tuple[Path, Path]
) -> list[tuple[Document, Document]]:
    references = {document.id: document for document in wanted}
    if len(references) < len(wanted):
        name, count = Counter(document.id for document in wanted).most_common(1)[0]
        raise DataError(f"{files[1]} holds {count} references with the id {name!r}. Keep one a prediction.")
    predicted = {document.id for document in found}
    unmatched = sorted(str(name) for name in predicted ^ references.keys())
    if unmatched:
        raise DataError(
            f"{files[0]} predicts {len(predicted)} ids and {files[1]} refers to {len(references)}, of which "
            f"{len(predicted & references.keys())} are in both; {unmatched[0]!r} is in only one of them. Compare files "
            "of the same samples."
        )
    return [(document, references[document.id]) for document in found]


def _align_by_order(
    found: Sequence[Document], wanted: Sequence[Document], *, files: tuple[Path, Path]
) -> list[tuple[Document, Document]]:
    if len(found) != len(wanted):
        raise DataError(
            f"{files[0]} holds {len(found)} entries and {files[1]} holds {len(wanted)}, and not all of them have an "
            f"{', '.join(_ID_FIELDS[:-1])} or {_ID_FIELDS[-1]} to align them by. Compare files of the same samples."
        )
    return list(zip(found, wanted, strict=True))


def _graphs(documents: Sequence[Document], *, extractor: str) -> list[KnowledgeGraph]:
    texts = list(dict.fromkeys(document.text or "" for document in documents if document.graph is None))
    read: dict[str, KnowledgeGraph] = {}
    for first in range(0, len(texts), _BATCH):
        batch = texts[first : first + _BATCH]
        read.update(zip(batch, extract_all(batch, extractor=extractor), strict=True))
    return [read[document.text or ""] if document.graph is None else document.graph for document in documents]
