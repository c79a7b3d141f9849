"""RadGraph's form, both versions, without its package."""

import json
import sys
import types
from pathlib import Path

import pytest

from radrl.errors import DataError, PluginError
from radrl.graph.extract import extract, open_extractor
from radrl.graph.extractors.radgraph import RadGraphExtractor, from_radgraph
from radrl.graph.types import EntityType, KnowledgeGraph
from radrl.types import Triplet

_TEXT = "Small right pleural effusion, possibly pneumonia. No pneumothorax. Endotracheal tube."


def _record(labels: tuple[str, ...]) -> dict[str, object]:
    """`labels`: anatomy present, observation present, uncertain, absent."""
    anatomy, present, uncertain, absent = labels
    words = [
        ("small", present, 0, [("modify", "4")]),
        ("right", anatomy, 1, [("modify", "3")]),
        ("pleural", anatomy, 2, []),
        ("effusion", present, 3, [("located_at", "3"), ("suggestive_of", "5")]),
        ("pneumonia", uncertain, 6, []),
        ("pneumothorax", absent, 9, []),
        ("endotracheal tube", present, (11, 12), []),
    ]
    entities = {}
    for number, (tokens, label, place, relations) in enumerate(words, start=1):
        first, last = place if isinstance(place, tuple) else (place, place)
        entities[str(number)] = {
            "tokens": tokens,
            "label": label,
            "start_ix": first,
            "end_ix": last,
            "relations": [list(relation) for relation in relations],
        }
    text = "Small right pleural effusion , possibly pneumonia . No pneumothorax . Endotracheal tube ."
    return {"text": text, "entities": entities, "data_source": None, "data_split": "inference"}


_VERSION_1 = _record(("ANAT-DP", "OBS-DP", "OBS-U", "OBS-DA"))
_XL = _record(
    (
        "Anatomy::definitely present",
        "Observation::definitely present",
        "Observation::uncertain",
        "Observation::definitely absent",
    )
)


@pytest.mark.parametrize("record", [_VERSION_1, _XL], ids=["1.0", "XL"])
def test_both_label_styles_become_the_same_canonical_graph(record: dict[str, object]):
    graph = from_radgraph(record, text=_TEXT)
    assert {label: value for label, value in graph.labels.items() if value} == {
        "pleural effusion": "present",
        "pneumonia": "uncertain",
        "pneumothorax": "absent",
        "support devices": "present",
        "no finding": "absent",
    }
    right = "right pleural space"
    assert graph.triplets >= {
        Triplet(head="pleural effusion", relation="located_at", tail=right, certainty="present"),
        Triplet(head="mild", relation="modify", tail="pleural effusion", certainty="present"),
        Triplet(head="pleural effusion", relation="suggestive_of", tail="pneumonia", certainty="present"),
        Triplet(head="support devices", relation="located_at", tail="trachea", certainty="present"),
    }


def test_observations_are_told_apart_by_their_links_and_the_lexicon():
    types = {entity.text: entity.type for entity in from_radgraph(_XL, text=_TEXT).entities}
    assert types["small"] is EntityType.CONCEPT
    assert types["pleural"] is EntityType.ANATOMY
    assert types["effusion"] is EntityType.DISORDER
    assert types["endotracheal tube"] is EntityType.DEVICE


def test_mentions_point_into_the_text_that_was_read_not_into_its_tokens():
    graph = from_radgraph(_XL, text=_TEXT)
    for entity in graph.entities:
        assert entity.start is not None
        assert _TEXT[entity.start : entity.end].lower() == entity.text
    assert all(entity.start is None for entity in from_radgraph(_XL).entities)


def test_a_measurement_is_a_size():
    tokens = {"tokens": "2 cm", "label": "Observation::measurement::definitely present", "start_ix": 0, "end_ix": 1}
    graph = from_radgraph({"text": "2 cm", "entities": {"1": {**tokens, "relations": []}}})
    assert [entity.type for entity in graph.entities] == [EntityType.SIZE]


def test_a_finding_outside_the_lexicon_keeps_its_words():
    spine = {"tokens": "thoracic spine", "label": "ANAT-DP", "start_ix": 1, "end_ix": 2, "relations": []}
    kyphosis = {"tokens": "Xyphosis", "label": "OBS-DP", "start_ix": 0, "end_ix": 0, "relations": [["located_at", "2"]]}
    graph = from_radgraph({"text": "Xyphosis thoracic spine", "entities": {"1": kyphosis, "2": spine}})
    assert graph.triplets == {Triplet(head="xyphosis", relation="located_at", tail="thoracic spine")}


@pytest.mark.parametrize(
    "entities",
    [
        None,
        {"1": {"tokens": "a", "label": "TUMOUR", "relations": []}},
        {"1": {"tokens": "a", "label": "OBS-DP", "relations": [["modify", "7"]]}},
    ],
)
def test_another_form_is_refused(entities: object):
    with pytest.raises(DataError, match="not a RadGraph record"):
        from_radgraph({"entities": entities})


def _model(folder: Path) -> Path:
    model = folder / "radgraph-xl"
    (model / "vocabulary").mkdir(parents=True)
    (model / "weights.th").write_bytes(b"weights")
    config = {"model": {"embedder": {"token_embedders": {"bert": {"model_name": "some/encoder"}}}}}
    (model / "config.json").write_text(json.dumps(config))
    return model


def test_a_folder_without_a_model_is_refused_before_anything_could_be_downloaded(tmp_path: Path):
    with pytest.raises(PluginError, match="holds no RadGraph model"):
        RadGraphExtractor(tmp_path, "cpu")


def test_without_the_package_the_message_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "radgraph", None)
    with pytest.raises(PluginError, match=r"pip install radgraph.*json:FILE"):
        RadGraphExtractor(_model(tmp_path), "cpu")


class _Package(types.ModuleType):
    """Stands in for the radgraph package: prints, as it does, and knows one text."""

    opened_with: dict[str, object]

    def RadGraph(self, **options: object):  # noqa: N802
        from huggingface_hub import constants

        self.opened_with = options
        self.was_offline = constants.HF_HUB_OFFLINE
        sys.stdout.write("Using device: cuda:1\n")
        return lambda texts: {str(place): _XL for place, _ in enumerate(texts)}


def test_the_package_is_given_the_local_model_and_reads_one_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    package = _Package("radgraph")
    monkeypatch.setitem(sys.modules, "radgraph", package)
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "cache"))
    _model(tmp_path)
    read = open_extractor(f"radgraph:{tmp_path}@cuda:1")
    graphs = read([_TEXT, ""])
    assert graphs[0] == from_radgraph(_XL, text=_TEXT)
    assert graphs[1] == KnowledgeGraph.from_triplets(())
    assert package.opened_with == {"model_type": "radgraph-xl", "model_cache_dir": str(tmp_path), "cuda": 1}
    assert package.was_offline is True
    assert capsys.readouterr().out == ""
    assert read.version.startswith("radgraph-xl-")


def test_a_model_that_does_not_open_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    package = types.ModuleType("radgraph")

    def fail(**_: object) -> None:
        raise OSError("no encoder")

    package.RadGraph = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "radgraph", package)
    with pytest.raises(PluginError, match=r"no encoder.*some/encoder"):
        RadGraphExtractor(_model(tmp_path), "cpu")


def test_radgraph_and_rules_agree_on_what_both_can_say():
    # No link of the record says where the pneumonia is; in the sentence it shares the side of the effusion.
    read, linked = extract(_TEXT).triplets, from_radgraph(_XL, text=_TEXT).triplets
    assert {(fact.head, fact.relation) for fact in read ^ linked} == {("pneumonia", "located_at")}
