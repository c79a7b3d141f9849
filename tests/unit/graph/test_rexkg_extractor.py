"""Spec rows 32 and 33: ReXKG's models as a graph back end, on any device, without side effects."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from rexkg_builders import tiny_parser

from radrl.errors import PluginError
from radrl.graph.extract import open_extractor
from radrl.graph.extractors.rexkg import RexkgExtractor
from radrl.graph.rexkg.entity_model import EntityModel
from radrl.graph.rexkg.folder import save_parser
from radrl.graph.rexkg.labels import Edge, LabelledSentence, Span
from radrl.graph.types import EntityType
from radrl.types import Triplet

TEXTS = ["No effusion.\nMild left consolidation (5.5 cm) is seen.", "", "ok.", "A RIGHT rib fracture", "No effusion."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rexkg")
    save_parser(tiny_parser(), path)
    return path


@pytest.fixture
def extractor(folder: Path) -> RexkgExtractor:
    return RexkgExtractor(folder, "cpu")


def test_row_32_a_call_leaves_every_random_generator_and_the_thread_count_alone(extractor: RexkgExtractor):
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())  # noqa: NPY002
    extractor(TEXTS)
    after = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_row_32_the_same_call_gives_the_same_graphs_whatever_the_seed(extractor: RexkgExtractor):
    torch.manual_seed(1)
    first = extractor(TEXTS)
    torch.manual_seed(2)
    assert extractor(TEXTS) == first


def test_row_32_a_batch_gives_the_same_graphs_as_its_texts_one_by_one(extractor: RexkgExtractor):
    assert extractor(TEXTS) == [extractor([text])[0] for text in TEXTS]


def test_row_34_texts_without_a_sentence_have_an_empty_graph_at_their_place(extractor: RexkgExtractor):
    graphs = extractor(TEXTS)
    assert [bool(graph.entities) for graph in graphs] == [True, False, False, True, True]
    assert graphs[1].triplets == frozenset() == graphs[2].triplets


def test_row_32_models_are_loaded_once_and_stay_in_evaluation_mode(
    extractor: RexkgExtractor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("radrl.graph.extractors.rexkg.load_parser", None)
    extractor(TEXTS)
    extractor(TEXTS)
    modules = vars(extractor)["_parser"].entity_model.modules()
    assert not any(module.training for module in modules)


def test_row_33_a_folder_opens_by_its_spec_on_a_device_that_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path))
    opened = open_extractor(f"rexkg:{folder}@cpu")
    assert opened.name == "rexkg"
    assert opened.version == RexkgExtractor(folder).version
    assert opened(TEXTS) == RexkgExtractor(folder)(TEXTS)


def test_each_distinct_sentence_is_read_once(extractor: RexkgExtractor, monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[str, ...]] = []
    parser = vars(extractor)["_parser"]
    encode = EntityModel.encode

    def counted(self: EntityModel, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen.extend(map(tuple, input_ids.tolist()))
        return encode(self, input_ids, mask)

    monkeypatch.setattr(EntityModel, "encode", counted)
    extractor(["No effusion."] * 50 + ["Left effusion. No effusion."])
    assert parser.entity_model is not None
    assert len(seen) == 2


def test_mentions_have_their_place_in_the_text_and_keep_its_capitals(extractor: RexkgExtractor):
    for text, graph in zip(TEXTS, extractor(TEXTS), strict=True):
        assert all(entity.text == text[entity.start : entity.end] for entity in graph.entities)
    assert any(entity.text == "RIGHT" for entity in extractor(TEXTS)[3].entities)


class Scripted:
    """A parser that says what an annotator would."""

    num_skipped_pairs = 0

    def __init__(self, *labels: tuple[str, str]) -> None:
        self.labels = dict(labels)

    def parse(self, sentences: list[tuple[str, ...]]) -> list[LabelledSentence]:
        parsed = []
        for words in sentences:
            spans = {w: Span(start=n, end=n, label=self.labels[w]) for n, w in enumerate(words) if w in self.labels}
            edges = []
            if "pleural" in spans:
                edges.append(Edge(head=spans["effusion"], tail=spans["pleural"], label="located_at"))
                edges.append(Edge(head=spans["left"], tail=spans["pleural"], label="modify"))
            parsed.append(LabelledSentence(doc_key="0", words=words, spans=tuple(spans.values()), edges=tuple(edges)))
        return parsed


def test_labels_become_types_certainties_and_canonical_facts(extractor: RexkgExtractor):
    vars(extractor)["_parser"] = Scripted(
        ("left", "concept"), ("pleural", "anatomy"), ("effusion", "disorder_notpresent"), ("edema", "disorder_present")
    )
    graph = extractor(["No LEFT pleural effusion. Pulmonary edema"])[0]
    assert [(e.text, e.start, e.type, e.certainty) for e in graph.entities] == [
        ("LEFT", 3, EntityType.CONCEPT, "present"),
        ("pleural", 8, EntityType.ANATOMY, "present"),
        ("effusion", 16, EntityType.DISORDER, "absent"),
        ("edema", 36, EntityType.DISORDER, "present"),
    ]
    assert [(r.head, r.relation, r.tail) for r in graph.relations] == [("3", "located_at", "2"), ("1", "modify", "2")]
    assert graph.entities[2].canonical == "pleural effusion"
    absent = Triplet(head="pleural effusion", relation="located_at", tail="left pleural space", certainty="absent")
    assert {t for t in graph.triplets if t.head == "pleural effusion"} == {absent}
    assert (graph.labels["pleural effusion"], graph.labels["edema"]) == ("absent", "present")


def test_pairs_too_far_apart_are_counted_and_said_once(
    extractor: RexkgExtractor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    ends = (Span(start=0, end=0, label="concept"), Span(start=301, end=301, label="anatomy"))
    monkeypatch.setattr("radrl.graph.rexkg.parser.predict_entities", lambda model, subwords, sentences: [ends])
    far = "small " + "left " * 300 + "lung"
    extractor([far])
    extractor([far])
    assert extractor.num_skipped_pairs == 4
    assert caplog.text.count("too far apart") == 1


def test_a_device_that_is_not_there_is_refused_before_anything_is_loaded(tmp_path: Path):
    with pytest.raises(PluginError, match=r"device 'cuda:99' cannot be used"):
        RexkgExtractor(tmp_path, "cuda:99")


def test_a_folder_that_is_not_complete_is_refused_with_what_is_expected(tmp_path: Path):
    with pytest.raises(PluginError, match=r"lacks run_entity/ or run_relation/"):
        RexkgExtractor(tmp_path)
