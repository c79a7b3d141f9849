"""Graphs made beforehand: `json:FILE`."""

import hashlib
import json
from pathlib import Path

import pytest

from radrl.errors import DataError, PluginError
from radrl.graph.extract import extract, extract_all
from radrl.graph.extractors.jsonfile import JsonFileExtractor, read_graph
from radrl.types import Triplet

_TEXT = "No left effusion."
_SEED_RECORD = {
    "doc_key": "0",
    "explanation": "There is a small right pleural effusion, no pneumothorax. The lungs are clear.",
    "entities": {
        "small": "concept",
        "right": "concept",
        "pleural": "anatomy",
        "effusion": "disorder_present",
        "pneumothorax": "disorder_notpresent",
        "lungs": "anatomy",
        "clear": "concept",
    },
    "relations": [
        {"source_entity": "small", "target_entity": "effusion", "type": "modify"},
        {"source_entity": "right", "target_entity": "pleural", "type": "modify"},
        {"source_entity": "effusion", "target_entity": "pleural", "type": "located_at"},
        {"source_entity": "clear", "target_entity": "lungs", "type": "modify"},
    ],
}


def _write(path: Path, records: object) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")  # type: ignore[attr-defined]
    return path


@pytest.mark.parametrize("name", ["graphs.json", "graphs.jsonl"])
def test_a_graph_is_found_by_its_exact_text(tmp_path: Path, name: str):
    path = _write(tmp_path / name, [{"text": _TEXT, **extract(_TEXT).to_json()}])
    assert extract(_TEXT, extractor=f"json:{path}") == extract(_TEXT)


def test_a_graph_is_found_by_the_hash_of_its_text(tmp_path: Path):
    digest = hashlib.sha256(_TEXT.encode()).hexdigest()
    path = _write(tmp_path / "graphs.jsonl", [{"text_sha256": digest.upper(), "graph": extract(_TEXT).to_json()}])
    assert extract(_TEXT, extractor=f"json:{path}") == extract(_TEXT)


def test_a_blank_text_is_an_empty_graph_without_an_entry(tmp_path: Path):
    path = _write(tmp_path / "graphs.jsonl", [{"text": _TEXT, **extract(_TEXT).to_json()}])
    graphs = extract_all(["", _TEXT, " \n"], extractor=f"json:{path}")
    assert [bool(graph.triplets) for graph in graphs] == [False, True, False]


def test_a_text_that_is_not_in_the_file_is_an_error_and_not_an_empty_graph(tmp_path: Path):
    path = _write(tmp_path / "graphs.jsonl", [{"text": _TEXT, **extract(_TEXT).to_json()}])
    with pytest.raises(DataError, match=r"holds 1 graphs, and none of this text \(18 characters"):
        extract("No left effusion!!", extractor=f"json:{path}")


def test_a_record_of_the_seed_becomes_canonical_facts():
    graph = read_graph(_SEED_RECORD, where="record 1")
    right = "right pleural space"
    assert Triplet(head="pleural effusion", relation="located_at", tail=right, certainty="present") in graph.triplets
    assert Triplet(head="mild", relation="modify", tail="pleural effusion", certainty="present") in graph.triplets
    assert graph.labels["pneumothorax"] == "absent"
    assert graph.labels["lung opacity"] == "absent", "clear lungs deny opacities"
    assert [entity.certainty for entity in graph.entities if entity.text == "pneumothorax"] == ["absent"]


def test_the_seeds_facts_are_those_that_the_rules_read_in_the_text():
    graph = read_graph(_SEED_RECORD, where="record 1")
    assert graph.triplets == extract(_SEED_RECORD["explanation"]).triplets  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"entities": []}, "does not say which text"),
        ({"text": "a"}, "record 1 of .* holds no graph"),
        ({"text": "a", "entities": {"b": "tumour"}}, "'tumour', which is no ReXKG type"),
        (
            {"text": "a", "entities": {"b": "anatomy"}, "relations": [{"source_entity": "b", "type": "modify"}]},
            "an entity that the record does not hold",
        ),
        ({"text": "a", "graph": 3}, "its 'graph' is int"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, record: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        JsonFileExtractor(_write(tmp_path / "graphs.json", [record]))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(PluginError, match="no file of graphs"):
        extract("a", extractor=f"json:{tmp_path / 'none.json'}")


def test_the_version_follows_the_content(tmp_path: Path):
    first = JsonFileExtractor(_write(tmp_path / "a.jsonl", [{"text": "a", **extract("a").to_json()}]))
    second = JsonFileExtractor(_write(tmp_path / "b.jsonl", [{"text": "b", **extract("b").to_json()}]))
    assert first.version != second.version
