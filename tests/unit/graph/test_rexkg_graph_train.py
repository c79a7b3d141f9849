"""Training of both models and the command that does it."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rexkg_builders import NO_LEFT_EFFUSION, tiny_bert, tiny_parser
from rich.console import Console

from radrl.errors import ConfigError, DataError
from radrl.graph.rexkg.annotations import write_annotations
from radrl.graph.rexkg.folder import load_parser
from radrl.graph.rexkg.labels import Edge, LabelledSentence, Span
from radrl.graph.rexkg.training import (
    UPSTREAM_ENTITIES,
    UPSTREAM_RELATIONS,
    Recipe,
    train_entities,
    train_relations,
)
from radrl.graph_train import graph_train, phantom_corpus

QUICK = Recipe(encoder_lr=3e-3, head_lr=3e-3, batch=4, epochs=30)


def sentence(number: int, side: str, finding: str) -> LabelledSentence:
    concept, disorder = Span(start=1, end=1, label="concept"), Span(start=2, end=2, label="disorder_present")
    return LabelledSentence(
        doc_key=f"{number}_0",
        words=("a", side, finding),
        spans=(concept, disorder),
        edges=(Edge(head=concept, tail=disorder, label="modify"),),
    )


SENTENCES = [
    sentence(4 * round_ + number, side, finding)
    for round_ in range(3)
    for number, (side, finding) in enumerate(
        (side, finding) for side in ("left", "right") for finding in ("effusion", "fracture")
    )
]


class Seen:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int, float, float | None]] = []

    def __call__(self, step: int, total_steps: int, *, loss: float, dev_f1: float | None) -> None:
        self.calls.append((step, total_steps, loss, dev_f1))


def test_both_models_learn_what_they_are_shown_and_leave_random_generators_alone():
    parser, state, seen = tiny_parser(), torch.get_rng_state(), Seen()
    entity_f1 = train_entities(
        parser.entity_model, parser.entity_subwords, SENTENCES, SENTENCES, recipe=QUICK, seed=0, watch=seen
    )
    relation_f1 = train_relations(
        parser.relation_model, parser.relation_subwords, SENTENCES, SENTENCES, recipe=QUICK, seed=0, watch=Seen()
    )
    assert (entity_f1, relation_f1) == (1.0, 1.0)
    assert torch.equal(torch.get_rng_state(), state)
    parsed = parser.parse([s.words for s in SENTENCES])
    assert [(p.spans, p.edges) for p in parsed] == [(s.spans, s.edges) for s in SENTENCES]
    assert seen.calls[0][:2] == (1, 3 * 30)
    assert (seen.calls[-1][0], seen.calls[-1][3]) == (3 * 30, 1.0)
    assert len(seen.calls) < 3 * 30


def test_the_same_seed_trains_the_same_weights_and_another_one_others():
    weights = []
    for seed in (0, 0, 1):
        parser = tiny_parser()
        recipe = replace(QUICK, epochs=2)
        train_entities(
            parser.entity_model, parser.entity_subwords, SENTENCES, SENTENCES, recipe=recipe, seed=seed, watch=Seen()
        )
        weights.append(parser.entity_model.ner_classifier[1].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_weights_of_the_best_epoch_are_kept():
    parser = tiny_parser()
    weight = parser.entity_model.ner_classifier[1].weight
    after_step: dict[int, torch.Tensor] = {}

    def watch(step: int, total_steps: int, *, loss: float, dev_f1: float | None) -> None:
        after_step.setdefault(step, weight.detach().clone())

    # Nothing is annotated, so every epoch has F1 0 and none is better than the first, which takes three steps.
    unlabelled = [replace(NO_LEFT_EFFUSION, spans=(), edges=())]
    recipe = replace(QUICK, epochs=3)
    f1 = train_entities(
        parser.entity_model, parser.entity_subwords, SENTENCES, unlabelled, recipe=recipe, seed=0, watch=watch
    )
    assert f1 == 0.0
    assert torch.equal(weight, after_step[3])
    assert not torch.equal(weight, after_step[9])


def test_upstreams_recipe_is_the_one_the_paper_gives():
    assert (UPSTREAM_ENTITIES.encoder_lr, UPSTREAM_ENTITIES.head_lr) == (1e-5, 5e-4)
    assert (UPSTREAM_ENTITIES.batch, UPSTREAM_ENTITIES.epochs) == (8, 50)
    assert (UPSTREAM_RELATIONS.encoder_lr, UPSTREAM_RELATIONS.batch, UPSTREAM_RELATIONS.epochs) == (5e-5, 128, 20)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    write_annotations(tmp_path / "train.jsonl", SENTENCES)
    return tmp_path / "train.jsonl"


SMALL = {"hidden": 32, "layers": 1, "epochs": 2, "batch": 4}


def test_radrl_graph_train_writes_the_layout_the_metrics_and_a_table(annotations: Path, tmp_path: Path):
    said = io.StringIO()
    out = tmp_path / "runs" / "rexkg"
    assert graph_train(out, train=annotations, console=Console(file=said, width=100), **SMALL) == out
    assert {path.name for path in out.iterdir()} == {"run_entity", "run_relation", "encoder", "metrics.json"}
    metrics = json.loads((out / "metrics.json").read_text())
    # Of twelve texts the first and the eleventh are held out.
    assert (metrics["num_train"], metrics["num_test"], metrics["entities"]["num_gold"]) == (10, 2, 4)
    assert 0 <= metrics["relations"]["f1"] <= 1
    assert "relations given the entities" in said.getvalue()
    assert len(load_parser(out).parse([("a", "left", "effusion")])) == 1
    assert [path.name for path in out.parent.iterdir()] == ["rexkg"]


def test_a_development_file_leaves_all_of_the_training_file_for_training(annotations: Path, tmp_path: Path):
    write_annotations(tmp_path / "dev.jsonl", SENTENCES[:3])
    out = graph_train(tmp_path / "out", train=annotations, dev=tmp_path / "dev.jsonl", console=_quiet(), **SMALL)
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["num_train"], metrics["num_test"]) == (12, 3)


def test_a_given_encoder_is_where_both_models_start(annotations: Path, tmp_path: Path):
    parser = tiny_parser()
    encoder = tmp_path / "encoder"
    tiny_bert(len(parser.entity_subwords)).save_pretrained(encoder)
    parser.entity_subwords.tokenizer.save_pretrained(encoder)
    out = graph_train(tmp_path / "out", train=annotations, encoder=encoder, epochs=1, batch=4, console=_quiet())
    trained = load_parser(out)
    assert trained.entity_subwords.tokenizer.get_vocab() == parser.entity_subwords.tokenizer.get_vocab()
    assert len(trained.relation_subwords) == len(parser.entity_subwords) + 32
    start = tiny_bert(len(parser.entity_subwords)).embeddings.word_embeddings.weight
    # One epoch at upstream's 1e-5 moves nothing far.
    assert torch.allclose(trained.entity_model.bert.embeddings.word_embeddings.weight, start, atol=1e-3)


def test_what_ends_half_way_leaves_no_folder_behind(annotations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("radrl.graph_train.save_parser", full)
        with pytest.raises(OSError, match="No space left"):
            graph_train(tmp_path / "out", train=annotations, console=_quiet(), **SMALL)
    assert not (tmp_path / "out").exists()
    graph_train(tmp_path / "out", train=annotations, console=_quiet(), **SMALL)
    assert (tmp_path / "out" / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 40}, r"hidden is 40, .*Use 32"),
        ({"layers": 0}, "layers is 0; it must be at least 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
        ({"phantom_reports": 0}, "phantom_reports is 0"),
        ({"dev": Path("dev.jsonl")}, "dev.jsonl needs a training file"),
        ({"train": Path("a.jsonl"), "phantom_reports": 3}, "Leave one of them out"),
        ({"encoder": Path("nowhere"), "phantom_reports": 5}, r"nowhere is no encoder: it has no config\.json"),
    ],
)
def test_options_that_do_not_fit_are_refused_at_once(tmp_path: Path, options: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        graph_train(tmp_path / "out", console=_quiet(), **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_written_over(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is there already and is not empty"):
        graph_train(tmp_path, phantom_reports=5)


def test_files_with_nothing_to_learn_are_refused(tmp_path: Path):
    bare = [replace(one, spans=(), edges=()) for one in SENTENCES]
    write_annotations(tmp_path / "bare.jsonl", bare)
    with pytest.raises(DataError, match=r"10 sentences taken from .*bare\.jsonl have nothing under ner"):
        graph_train(tmp_path / "out", train=tmp_path / "bare.jsonl")
    write_annotations(tmp_path / "one.jsonl", SENTENCES[:1])
    with pytest.raises(ConfigError, match="holds one text only"):
        graph_train(tmp_path / "out", train=tmp_path / "one.jsonl")


def test_phantom_reports_are_of_other_patients_for_each_use_and_trained_on_once_each():
    corpus = phantom_corpus(60, seed=2)
    keys = [{s.doc_key.split("-")[0] for s in part} for part in (corpus.train, corpus.dev, corpus.test)]
    assert keys[0].isdisjoint(keys[1] | keys[2])
    assert keys[1].isdisjoint(keys[2])
    assert len({(s.words, s.spans) for s in corpus.train}) == len(corpus.train)


def _quiet() -> Console:
    return Console(file=io.StringIO())
