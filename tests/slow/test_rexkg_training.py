"""A tiny ReXKG back end, from nothing to a graph: trained on phantom reports on one thread of a CPU."""

import json
import random
from pathlib import Path

import pytest
import torch

from radrl.graph.extract import open_extractor
from radrl.graph_train import graph_train
from radrl.phantom.annotation import annotated_reports
from radrl.phantom.world import PhantomWorld
from radrl.types import Triplet

pytestmark = pytest.mark.slow

TEXT = "FINDINGS: There is a moderate left pleural effusion. No evidence of pneumothorax.\nIMPRESSION: 1. Mild edema."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return graph_train(tmp_path_factory.mktemp("models") / "rexkg", phantom_reports=200, seed=0)
    finally:
        torch.set_num_threads(threads)


def test_rows_30_and_31_a_tiny_model_reaches_entity_f1_095_and_relation_f1_085_on_held_out_reports(folder: Path):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["entities"]["num_gold"] > 500
    assert metrics["entities"]["f1"] >= 0.95
    assert metrics["relations"]["num_gold"] > 300
    assert metrics["relations"]["f1"] >= 0.85


def test_rows_32_and_33_what_was_trained_reads_texts_as_a_back_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path))
    before = (torch.get_rng_state(), random.getstate())
    empty, graph, short = open_extractor(f"rexkg:{folder}@cpu")(["", TEXT, "ok."])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (empty.entities, short.entities) == ((), ())
    effusion = Triplet(head="pleural effusion", relation="located_at", tail="left pleural space", certainty="present")
    assert effusion in graph.triplets
    assert Triplet(head="moderate", relation="modify", tail="pleural effusion", certainty="present") in graph.triplets
    assert (graph.labels["pneumothorax"], graph.labels["edema"]) == ("absent", "present")
    assert all(entity.text == TEXT[entity.start : entity.end] for entity in graph.entities)


def test_a_world_of_another_seed_is_read_as_well(folder: Path):
    from radrl.graph.rexkg.folder import load_parser
    from radrl.graph.rexkg.metrics import entity_agreement, relation_agreement

    gold = annotated_reports(60, split_name="test", world=PhantomWorld(seed=11))
    parsed = load_parser(folder).parse([sentence.words for sentence in gold])
    assert entity_agreement(parsed, gold).f1 >= 0.95
    assert relation_agreement(parsed, gold).f1 >= 0.85
