"""The seed's folder layout: what is written is read back, and what is missing is named."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from rexkg_builders import NO_LEFT_EFFUSION, tiny_bert, tiny_parser
from safetensors.torch import load_file, save_file

from radrl.errors import DataError
from radrl.graph.rexkg.folder import fingerprint, grow_vocabulary, load_parser, save_parser
from radrl.graph.rexkg.subwords import MARKERS

SENTENCES = [NO_LEFT_EFFUSION.words, ("mild", "left", "consolidation"), ("a", "rib", "fracture", "xyzzy")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_parser(tiny_parser(), tmp_path)
    return tmp_path


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_saved_parser_reads_the_same_entities_and_relations_after_loading(folder: Path):
    before, after = tiny_parser().parse(SENTENCES), load_parser(folder).parse(SENTENCES)
    assert before == after
    assert any(sentence.edges for sentence in after)


def test_the_layout_is_the_seeds(folder: Path):
    for name in ("run_entity", "run_relation"):
        assert {"config.json", "vocab.txt", "model.safetensors"} <= {path.name for path in (folder / name).iterdir()}
    assert {"config.json", "vocab.txt"} <= {path.name for path in (folder / "encoder").iterdir()}


def test_weights_have_the_names_of_pure_checkpoints(folder: Path):
    entity, relation = (load_file(folder / name / "model.safetensors") for name in ("run_entity", "run_relation"))
    assert {name for name in entity if not name.startswith("bert.")} == {
        "width_embedding.weight",
        "ner_classifier.0._linear_layers.0.weight",
        "ner_classifier.0._linear_layers.0.bias",
        "ner_classifier.0._linear_layers.1.weight",
        "ner_classifier.0._linear_layers.1.bias",
        "ner_classifier.1.weight",
        "ner_classifier.1.bias",
    }
    assert {name for name in relation if not name.startswith("bert.")} == {
        "layer_norm.weight",
        "layer_norm.bias",
        "classifier.weight",
        "classifier.bias",
    }
    assert entity["width_embedding.weight"].shape == (9, 150)
    assert "bert.encoder.layer.0.attention.self.query.weight" in entity


def test_a_vocabulary_as_text_alone_gives_the_same_tokens(folder: Path):
    before = load_parser(folder).parse(SENTENCES)
    for path in folder.glob("*/tokenizer*.json"):
        path.unlink()
    assert load_parser(folder).parse(SENTENCES) == before


def as_seed_checkpoint(folder: Path) -> None:
    """Old names, a pooler, position ids, a pickle, and only what the seed's folders hold."""
    for name in ("run_entity", "run_relation"):
        weights = load_file(folder / name / "model.safetensors")
        old = {
            key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for key, value in weights.items()
        }
        old |= {
            "bert.pooler.dense.weight": torch.zeros(16, 16),
            "bert.pooler.dense.bias": torch.zeros(16),
            "bert.embeddings.position_ids": torch.arange(512)[None],
        }
        torch.save(old, folder / name / "pytorch_model.bin")
        (folder / name / "model.safetensors").unlink()
        for path in (folder / name).glob("tokenizer*.json"):
            path.unlink()
    for extra in ("label_list.json", "special_tokens.json"):
        (folder / "run_relation" / extra).unlink()


def test_a_checkpoint_in_the_old_form_loads_to_the_same_predictions(folder: Path):
    before = load_parser(folder).parse(SENTENCES)
    as_seed_checkpoint(folder)
    assert load_parser(folder).parse(SENTENCES) == before


def test_the_models_may_be_under_result_with_the_encoder_beside_it_as_in_the_seed(folder: Path, tmp_path: Path):
    before = load_parser(folder).parse(SENTENCES)
    seed = tmp_path / "test_REXKG"
    shutil.copytree(folder / "encoder", seed / "BiomedNLP")
    for name in ("run_entity", "run_relation"):
        shutil.copytree(folder / name, seed / "result" / name)
    for path in [*(seed / "result" / "run_entity").glob("tokenizer*"), seed / "result" / "run_entity" / "vocab.txt"]:
        path.unlink()
    assert load_parser(seed).parse(SENTENCES) == before


def without_markers(folder: Path) -> None:
    """A relation model whose vocabulary is the plain encoder's, as in the seed."""
    relation = folder / "run_relation"
    weights = load_file(relation / "model.safetensors")
    name = "bert.embeddings.word_embeddings.weight"
    size = len(weights[name]) - len(MARKERS)
    save_file({**weights, name: weights[name][:size].contiguous()}, relation / "model.safetensors")
    edit(relation / "config.json", vocab_size=size)
    for path in relation.glob("*"):
        if path.name.startswith(("tokenizer", "special_tokens", "vocab")):
            path.unlink()
    shutil.copy(folder / "encoder" / "vocab.txt", relation / "vocab.txt")


def test_markers_that_a_vocabulary_lacks_start_as_unknown_words_and_a_warning_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
):
    without_markers(folder)
    with caplog.at_level(logging.WARNING):
        parser = load_parser(folder)
    subwords = parser.relation_subwords
    rows = parser.relation_model.bert.embeddings.word_embeddings.weight
    assert torch.equal(rows[subwords.marker_id("OBJ_END", "concept")], rows[subwords.unknown_id])
    assert len({subwords.marker_id("OBJ_END", "concept"), subwords.marker_id("OBJ_START", "concept")}) == 2
    assert "32 of the relation markers" in caplog.text


def test_markers_of_the_training_run_are_taken_from_special_tokens(folder: Path):
    without_markers(folder)
    # Any tokens of the vocabulary will do for the run's [unusedN].
    names = {name: f"##{chr(ord('!') + number)}" for number, name in enumerate(MARKERS)}
    (folder / "run_relation" / "special_tokens.json").write_text(json.dumps(names))
    subwords = load_parser(folder).relation_subwords
    assert subwords.missing_markers == []
    assert subwords.marker_id("SUBJ_START", "size") == subwords.token_id("##!")


def test_classes_in_another_order_are_read_by_their_names(folder: Path):
    path = folder / "run_relation" / "label_list.json"
    path.write_text(json.dumps(["no_relation", "modify", "located_at", "suggestive_of"]))
    assert load_parser(folder).relation_model.labels == ("no_relation", "modify", "located_at", "suggestive_of")


def test_the_fingerprint_follows_the_weights_and_not_the_place(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(copy) == fingerprint(folder)
    path = copy / "run_relation" / "model.safetensors"
    weights = load_file(path)
    save_file({**weights, "classifier.bias": weights["classifier.bias"] + 1e-3}, path)
    assert fingerprint(copy) != fingerprint(folder)


def test_loading_draws_no_random_number(folder: Path):
    state = torch.get_rng_state()
    load_parser(folder)
    assert torch.equal(torch.get_rng_state(), state)


def test_growing_a_vocabulary_keeps_the_rows_there_are():
    bert = tiny_bert(10)
    old = bert.embeddings.word_embeddings.weight.clone()
    grow_vocabulary(bert, 12)
    assert bert.config.vocab_size == 12
    assert torch.equal(bert.embeddings.word_embeddings.weight[:10], old)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("run_relation", r"lacks run_entity/ or run_relation/.*graph-train"),
        ("run_entity/model.safetensors", r"run_entity has no weights: expected model.safetensors or pytorch_model.bin"),
        ("run_entity/config.json", r"run_entity/config.json is missing"),
    ],
)
def test_a_missing_file_is_named(folder: Path, broken: str, words: str):
    path = folder / broken
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=words):
        load_parser(folder)


def test_a_missing_vocabulary_is_named(folder: Path):
    shutil.rmtree(folder / "encoder")
    for path in (folder / "run_entity").glob("*"):
        if path.name.startswith(("vocab", "tokenizer")):
            path.unlink()
    with pytest.raises(DataError, match=r"run_entity has no vocabulary: expected tokenizer.json or vocab.txt"):
        load_parser(folder)


def test_a_broken_weights_file_is_named(folder: Path):
    (folder / "run_entity" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"run_entity/model.safetensors cannot be read as weights"):
        load_parser(folder)


def test_a_broken_config_is_named(folder: Path):
    (folder / "run_entity" / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"run_entity/config.json is not JSON"):
        load_parser(folder)


def test_an_encoder_of_another_kind_is_refused(folder: Path):
    edit(folder / "run_entity" / "config.json", model_type="albert")
    with pytest.raises(DataError, match=r"not the config of a BERT encoder"):
        load_parser(folder)


def test_weights_that_do_not_fit_the_config_are_refused(folder: Path):
    edit(folder / "run_entity" / "config.json", intermediate_size=64)
    with pytest.raises(DataError, match=r"do not fit its config.json: .*intermediate.dense.weight is \(32, 16\)"):
        load_parser(folder)


def test_weights_of_another_model_are_refused(folder: Path):
    shutil.copy(folder / "run_relation" / "model.safetensors", folder / "run_entity" / "model.safetensors")
    with pytest.raises(DataError, match=r"no width_embedding.weight, so they are no ReXKG model"):
        load_parser(folder)


def test_other_relations_are_refused(folder: Path):
    (folder / "run_relation" / "label_list.json").write_text(json.dumps(["no_relation", "treats"]))
    with pytest.raises(DataError, match=r"label_list.json holds .*treats"):
        load_parser(folder)


def test_a_vocabulary_larger_than_the_model_is_refused(folder: Path):
    path = folder / "run_entity" / "vocab.txt"
    path.write_text(path.read_text() + "extra\n")
    for other in (folder / "run_entity").glob("tokenizer*"):
        other.unlink()
    with pytest.raises(DataError, match=r"vocabulary of .*run_entity has \d+ tokens and the model \d+"):
        load_parser(folder)
