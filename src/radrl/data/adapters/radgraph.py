"""RadGraph: reports with the graph of what they state, as radiologists marked it; test reports twice."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split, as_split
from radrl.data.adapters.places import film_folder, mimic_place, mimic_study_films
from radrl.data.adapters.tables import found, read_items
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.graph.extractors.radgraph import from_radgraph
from radrl.types import AnswerKind, Triplet

_FILES: Final[Mapping[str, Split]] = {"train.json": "train", "dev.json": "val", "test.json": "test"}
_ANNOTATORS: Final = ("labeler_1", "labeler_2")
_MASK: Final = "___"
"""What de-identification leaves of a name or a date. It must not be learnt or scored, nor what it stands among."""
_STOPS: Final = frozenset({".", "!", "?"})
"""Tokens that end a sentence."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a report of MIMIC-CXR, with its graph; reports of CheXpert name no film."""
    films = film_folder(folder, choices, inner="files")
    if not choices.asks("report"):
        return
    for name, split in _FILES.items():
        if found(folder / name) is not None:
            for row in read_items(folder / name, key="document"):
                record = _record(row, films, split, choices, drops)
                if record is not None:
                    yield record


def _record(row: Row, films: Path, split: Split, choices: Choices, drops: Drops) -> Record | None:
    document = row.text("document")
    if (row.optional_text("data_source") or "MIMIC-CXR").strip().lower() != "mimic-cxr":
        return drops.drop("report of another data set", origin=row.origin, detail=document)
    place = mimic_place(document, row=row, field="document")
    images = mimic_study_films(films, place)
    if not images:
        return drops.drop("study has no film", origin=row.origin, detail=document)
    text = " ".join(token for token, is_open in _tokens(row) if is_open)
    if not text:
        return drops.drop("masked by de-identification", origin=row.origin, detail=document)
    stated = row.optional_text("data_split")
    return Record(
        id=f"radgraph-{place.patient_id}-{place.study_id}",
        split=split if stated is None else as_split(stated, origin=row.origin),
        patient_id=place.patient_id,
        study_id=place.study_id,
        kind="report",
        question="Write the report on this film.",
        images=images,
        answer_kind=AnswerKind.TEXT,
        answer=(text,),
        triplets=_triplets(row, choices),
        origin=row.origin,
    )


def _tokens(row: Row) -> list[tuple[str, bool]]:
    """The report's tokens, each with whether its sentence is free of masks."""
    tokens: list[tuple[str, bool]] = []
    sentence: list[str] = []
    words = row.text("text").split()
    for number, word in enumerate(words, start=1):
        sentence.append(word)
        if word in _STOPS or number == len(words):
            is_open = not any(_MASK in one for one in sentence)
            tokens += [(one, is_open) for one in sentence]
            sentence = []
    return tokens


def _triplets(row: Row, choices: Choices) -> tuple[Triplet, ...]:
    """What either annotator states, or, where the majority counts, what both state."""
    if "entities" in row.fields:
        return _graph(row, row.fields)
    first, *others = (_graph(row, _annotation(row, name)) for name in _ANNOTATORS)
    if choices.readers == "majority":
        return tuple(fact for fact in first if all(fact in other for other in others))
    return tuple(dict.fromkeys((*first, *(fact for other in others for fact in other))))


def _annotation(row: Row, name: str) -> Mapping[str, object]:
    annotation = row.fields.get(name)
    if not isinstance(annotation, Mapping):
        row.refuse(name, annotation, "an annotator's graph with entities")
    return cast("Mapping[str, object]", annotation)


def _graph(row: Row, record: Mapping[str, object]) -> tuple[Triplet, ...]:
    try:
        graph = from_radgraph({"entities": _open_entities(row, record.get("entities")), "text": row.text("text")})
    except DataError as error:
        raise DataError(f"{row.origin}: document {row.text('document')!r} is {error}") from error
    return tuple(sorted(graph.triplets, key=lambda fact: (fact.head, fact.relation, fact.tail, fact.certainty)))


def _open_entities(row: Row, entities: object) -> object:
    """The entities of sentences without masks, and of their relations those among them."""
    masked = {place for place, (_, is_open) in enumerate(_tokens(row)) if not is_open}
    if not masked or not isinstance(entities, Mapping):
        return entities
    named = {
        str(key): cast("Mapping[str, object]", entity)
        for key, entity in cast("Mapping[str, object]", entities).items()
        if isinstance(entity, Mapping) and cast("Mapping[str, object]", entity).get("start_ix") not in masked
    }
    return {
        key: {**entity, "relations": [link for link in _links(entity) if str(link[-1]) in named]}
        for key, entity in named.items()
    }


def _links(entity: Mapping[str, object]) -> list[list[object]]:
    """An entity's `[name, id]` pairs."""
    return cast("list[list[object]]", entity.get("relations") or [])


ADAPTER: Final = Adapter(
    name="radgraph",
    title="RadGraph 1.0: reports of MIMIC-CXR with their graphs",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/radgraph/; films come with MIMIC-CXR-JPG.",
    needs=("train.json|dev.json|test.json",),
    read=read,
)
