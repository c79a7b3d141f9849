"""The folder of a ReXKG back end, as CheX-Phi4MM lays it out.

run_entity/    config.json, vocab.txt or tokenizer.json, model.safetensors or pytorch_model.bin
run_relation/  the same; label_list.json (order of the classes) and special_tokens.json (markers) where they are
encoder/       the plain encoder's config and tokenizer, for weights that come without; any other name will do
"""

# torch and transformers are typed in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertTokenizer

from radrl.errors import DataError
from radrl.graph.rexkg.entity_model import EntityModel
from radrl.graph.rexkg.labels import ENTITY_LABELS, NO_RELATION, RELATION_LABELS
from radrl.graph.rexkg.parser import Parser
from radrl.graph.rexkg.relation_model import RelationModel
from radrl.graph.rexkg.subwords import MARKERS, Subwords

ENTITY: Final = "run_entity"
RELATION: Final = "run_relation"
ENCODER: Final = "encoder"
_SEED_ROOT: Final = "result"
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
_TOKENIZERS: Final = ("tokenizer.json", "vocab.txt")
_MARKERS: Final = "special_tokens.json"
_LABELS: Final = "label_list.json"

log = logging.getLogger(__name__)


def save_parser(parser: Parser, folder: Path) -> None:
    """Write both models and their vocabularies into an existing folder."""
    _save_model(parser.entity_model, folder / ENTITY)
    _save_tokenizer(parser.entity_subwords, folder / ENTITY)
    _save_model(parser.relation_model, folder / RELATION)
    _save_tokenizer(parser.relation_subwords, folder / RELATION)
    _write_json(folder / RELATION / _MARKERS, parser.relation_subwords.marker_tokens)
    _write_json(folder / RELATION / _LABELS, parser.relation_model.labels)
    parser.entity_model.bert.config.save_pretrained(folder / ENCODER)
    _save_tokenizer(parser.entity_subwords, folder / ENCODER)


def load_parser(folder: Path) -> Parser:
    """Both models on the CPU, in evaluation mode, without drawing from the global random generators.

    Raises: `DataError` naming the file that is missing, or that does not hold what its name says.
    """
    root = model_root(folder)
    with torch.random.fork_rng(devices=()):
        entity_subwords = _subwords(root, ENTITY)
        weights = _weights(root / ENTITY)
        entity_model = _entity_model(root, weights)
        _fill(entity_model, weights, root / ENTITY)
        _check_vocabulary(entity_model, entity_subwords, root / ENTITY)

        relation_subwords = _subwords(root, RELATION, marker_tokens=_marker_tokens(root))
        weights = _weights(root / RELATION)
        relation_model = _relation_model(root, weights)
        _fill(relation_model, weights, root / RELATION)
        _check_vocabulary(relation_model, relation_subwords, root / RELATION)
        _complete_markers(relation_model, relation_subwords, root / RELATION)
    return Parser(
        entity_model=entity_model.eval(),
        entity_subwords=entity_subwords,
        relation_model=relation_model.eval(),
        relation_subwords=relation_subwords,
    )


def model_root(folder: Path) -> Path:
    """The folder that holds `run_entity/` and `run_relation/`: the one given, or `result/` in it as in the seed."""
    for root in (folder, folder / _SEED_ROOT):
        if (root / ENTITY).is_dir() and (root / RELATION).is_dir():
            return root
    raise DataError(
        f"{folder} is no folder of ReXKG models: it lacks {ENTITY}/ or {RELATION}/, each with config.json, vocab.txt "
        "and model.safetensors or pytorch_model.bin. Train some with `radrl graph-train --out FOLDER`."
    )


def fingerprint(folder: Path) -> str:
    """SHA-256 over every file that decides what the models say, in 16 hex digits."""
    root = model_root(folder)
    digest = hashlib.sha256()
    for path in _deciding_files(root):
        digest.update(f"{path.parent.name}/{path.name}:{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def grow_vocabulary(bert: BertModel, size: int) -> None:
    """Add rows to the word embeddings up to `size`, drawn as BERT draws its own."""
    old = bert.embeddings.word_embeddings
    if old.num_embeddings >= size:
        return
    new = nn.Embedding(size, old.embedding_dim, padding_idx=old.padding_idx)
    with torch.no_grad():
        new.weight.normal_(0.0, bert.config.initializer_range)
        new.weight[: old.num_embeddings] = old.weight
    bert.embeddings.word_embeddings = new
    bert.config.vocab_size = size


def _deciding_files(root: Path) -> Iterator[Path]:
    for name in (ENTITY, RELATION):
        folder = root / name
        for file in ("config.json", *_WEIGHTS, *_TOKENIZERS, "tokenizer_config.json", _MARKERS, _LABELS):
            if (folder / file).is_file():
                yield folder / file
        source = _tokenizer_folder(root, name)
        if source != folder:
            yield from (source / file for file in _TOKENIZERS if (source / file).is_file())


def _save_model(model: EntityModel | RelationModel, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    model.bert.config.save_pretrained(folder)
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, folder / _WEIGHTS[0]
    )


def _save_tokenizer(subwords: Subwords, folder: Path) -> None:
    """Write tokenizer.json and, for readers of the seed's form, vocab.txt with a token a line in order of ids."""
    folder.mkdir(exist_ok=True)
    subwords.tokenizer.save_pretrained(folder)
    vocabulary = subwords.tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")


def _subwords(root: Path, name: str, *, marker_tokens: Mapping[str, str] | None = None) -> Subwords:
    folder = _tokenizer_folder(root, name)
    subwords = Subwords(BertTokenizer.from_pretrained(folder, local_files_only=True), marker_tokens=marker_tokens)
    if subwords.missing_basics:
        raise DataError(
            f"the vocabulary in {folder} lacks {', '.join(subwords.missing_basics)}, so it is no BERT encoder's. Copy "
            "the one that the models were trained with."
        )
    return subwords


def _tokenizer_folder(root: Path, name: str) -> Path:
    """Where the vocabulary of a model is: beside its weights, else in the one folder of a plain encoder."""
    if _has_vocabulary(root / name):
        return root / name
    beside = (root, root.parent) if root.name == _SEED_ROOT else (root,)
    others = [path for parent in beside for path in sorted(parent.iterdir()) if path.name not in (ENTITY, RELATION)]
    found = [path for path in others if path.is_dir() and _has_vocabulary(path)]
    if len(found) != 1:
        seen = "none" if not found else ", ".join(str(path) for path in found)
        raise DataError(
            f"{root / name} has no vocabulary: expected {' or '.join(_TOKENIZERS)} there, or in one folder of the "
            f"plain encoder such as {root / ENCODER} (found: {seen}). Copy the encoder's there."
        )
    return found[0]


def _has_vocabulary(folder: Path) -> bool:
    return any((folder / file).is_file() for file in _TOKENIZERS)


def _config(folder: Path) -> BertConfig:
    path = folder / "config.json"
    values = _read_json(path, wanted="the settings of a BERT encoder")
    if not isinstance(values, dict) or values.get("model_type", "bert") != "bert":
        raise DataError(f"{path} is not the config of a BERT encoder. Give models with a BERT encoder, as ReXKG's are.")
    return BertConfig.from_dict(values)


def _weights(folder: Path) -> dict[str, Tensor]:
    """Weights by name, with the names of old BERT checkpoints brought up to date."""
    for name in _WEIGHTS:
        path = folder / name
        if not path.is_file():
            continue
        try:
            weights: dict[str, Tensor] = (
                load_file(path)
                if path.suffix == ".safetensors"
                else torch.load(path, map_location="cpu", weights_only=True)
            )
        except (SafetensorError, UnpicklingError, OSError, RuntimeError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read as weights: {error}. Copy the file again.") from error
        return {_modern(key): value for key, value in weights.items()}
    raise DataError(f"{folder} has no weights: expected {' or '.join(_WEIGHTS)}. Copy them from the training run.")


def _modern(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _entity_model(root: Path, weights: Mapping[str, Tensor]) -> EntityModel:
    """An entity model of the sizes that the weights have."""
    folder = root / ENTITY
    width = _needed(weights, "width_embedding.weight", folder)
    hidden = _needed(weights, "ner_classifier.0._linear_layers.0.weight", folder)
    classes = _needed(weights, "ner_classifier.1.weight", folder)
    if len(classes) != len(ENTITY_LABELS) + 1:
        raise DataError(
            f"the entity model in {folder} has {len(classes)} classes; ReXKG's has {len(ENTITY_LABELS) + 1}: none and "
            f"{', '.join(ENTITY_LABELS)}. Use a model trained on these types."
        )
    bert = BertModel(_config(folder), add_pooling_layer=False)
    return EntityModel(bert, max_span_words=len(width) - 1, num_width=width.shape[1], num_hidden=len(hidden))


def _relation_model(root: Path, weights: Mapping[str, Tensor]) -> RelationModel:
    folder = root / RELATION
    labels: Any = (NO_RELATION, *RELATION_LABELS)
    if (folder / _LABELS).is_file():
        labels = _read_json(folder / _LABELS, wanted="the names of the classes in order")
    num_classes = len(_needed(weights, "classifier.weight", folder))
    if not isinstance(labels, list | tuple) or {*map(str, labels)} != {NO_RELATION, *RELATION_LABELS}:
        raise DataError(f"{folder / _LABELS} holds {labels}; it must name {NO_RELATION}, {', '.join(RELATION_LABELS)}.")
    if labels[0] != NO_RELATION or num_classes != len(labels):
        raise DataError(
            f"the relation model in {folder} has {num_classes} classes, {labels}; ReXKG's has {len(labels)}, the first "
            f"of them {NO_RELATION}. Use a model trained on these relations."
        )
    return RelationModel(BertModel(_config(folder), add_pooling_layer=False), labels=labels)


def _needed(weights: Mapping[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in weights:
        raise DataError(f"the weights in {folder} have no {name}, so they are no ReXKG model. Check which they are.")
    return weights[name]


def _fill(model: EntityModel | RelationModel, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Put the weights into the model; all of them must fit, but for parts of BERT that are not used here."""
    wanted = model.state_dict()
    given = {
        name: value
        for name, value in weights.items()
        if not name.startswith("bert.pooler.") and not name.endswith(".position_ids")
    }
    misfits = [f"{name} is missing" for name in wanted if name not in given]
    misfits += [f"{name} has no place" for name in given if name not in wanted]
    misfits += [
        f"{name} is {tuple(given[name].shape)}, not {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    if misfits:
        raise DataError(
            f"the weights in {folder} do not fit its config.json: {misfits[0]} ({len(misfits)} such). Copy both from "
            "one training run."
        )
    model.load_state_dict(given)


def _marker_tokens(root: Path) -> dict[str, str] | None:
    path = root / RELATION / _MARKERS
    if not path.is_file():
        return None
    tokens = _read_json(path, wanted="the token of each marker")
    if not isinstance(tokens, dict):
        raise DataError(
            f"{path} holds {type(tokens).__name__}, not an object of marker names and tokens. Copy it again."
        )
    # A training run lists the markers it met: a type that it never saw has none.
    return {**MARKERS, **{name: str(token) for name, token in tokens.items() if name in MARKERS}}


def _complete_markers(model: RelationModel, subwords: Subwords, folder: Path) -> None:
    """Give markers that the vocabulary lacks a token each, which says at first what [UNK] says.

    The seed's weights were read with all markers [UNK]; read like this they predict what they did.
    """
    missing = subwords.missing_markers
    if not missing:
        return
    log.warning(
        "the vocabulary of %s has no token for %d of the relation markers. They start as copies of [UNK]; put the "
        "training run's %s there if it wrote one.",
        folder,
        len(missing),
        _MARKERS,
    )
    subwords.add_markers()
    grow_vocabulary(model.bert, len(subwords))
    embeddings = model.bert.embeddings.word_embeddings.weight
    with torch.no_grad():
        for token in missing:
            embeddings[subwords.token_id(token)] = embeddings[subwords.unknown_id]


def _check_vocabulary(model: EntityModel | RelationModel, subwords: Subwords, folder: Path) -> None:
    rows = model.bert.config.vocab_size
    if len(subwords) > rows:
        raise DataError(
            f"the vocabulary of {folder} has {len(subwords)} tokens and the model {rows}. Copy both from one run."
        )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _read_json(path: Path, *, wanted: str) -> Any:
    if not path.is_file():
        raise DataError(f"{path} is missing: expected {wanted}. Copy it from the training run.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}). It holds {wanted}; copy it again.") from error
