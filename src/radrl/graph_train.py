"""`radrl graph-train`: trains a ReXKG back end from annotated sentences and writes its folder."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from transformers import BertConfig, BertModel, BertTokenizer

from radrl.errors import ConfigError, DataError
from radrl.graph.rexkg.annotations import read_annotations
from radrl.graph.rexkg.entity_model import EntityModel
from radrl.graph.rexkg.folder import grow_vocabulary, save_parser
from radrl.graph.rexkg.labels import LabelledSentence
from radrl.graph.rexkg.metrics import Agreement, entity_agreement, relation_agreement
from radrl.graph.rexkg.parser import Parser, usable_device
from radrl.graph.rexkg.relation_model import RelationModel, predict_relations
from radrl.graph.rexkg.subwords import Subwords, make_tokenizer
from radrl.graph.rexkg.training import (
    SCRATCH_ENTITIES,
    SCRATCH_RELATIONS,
    UPSTREAM_ENTITIES,
    UPSTREAM_RELATIONS,
    Recipe,
    Watch,
    train_entities,
    train_relations,
)
from radrl.phantom.annotation import annotated_reports
from radrl.phantom.world import PhantomWorld

HEAD_SIZE: Final = 32
_NUM_WORDS: Final = 4000
"""Words in the vocabulary of an encoder from random weights."""
_DEFAULT_REPORTS: Final = 400
_HELD_OUT_SHARE: Final = 0.2
"""Phantom reports for choosing the epoch, and as many for measuring, as a share of those trained on."""
_DEV_EVERY: Final = 10
"""Where no development file is given, every tenth document of the training file is held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Annotated sentences by use.

    Example: `Corpus(train=[...], dev=[...], test=[...], source="400 phantom reports")`
    """

    train: Sequence[LabelledSentence]
    dev: Sequence[LabelledSentence]
    """Chooses the epoch that is kept."""
    test: Sequence[LabelledSentence]
    """Neither trained on nor chosen by; the development sentences where there are no others."""
    source: str


def graph_train(
    out: Path,
    *,
    train: Path | None = None,
    dev: Path | None = None,
    phantom_reports: int | None = None,
    encoder: Path | None = None,
    hidden: int = 128,
    layers: int = 2,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    console: Console | None = None,
) -> Path:
    """Train both models, measure them, and write `out`: run_entity/, run_relation/, encoder/ and metrics.json.

    Without `train` the sentences are those of phantom reports. Without `encoder` a small BERT of `layers` x `hidden`
    starts from random weights with a vocabulary of its own. With one, such as BiomedBERT's folder, upstream's recipe is
    the default: encoder 1e-5, head 5e-4, batch 8, 50 epochs for entities; 5e-5, batch 128, 20 epochs for relations.
    `epochs` and `batch` replace either recipe's. `out` appears when all is done, or not at all.
    Raises: ConfigError for options that do not fit, DataError for files that cannot be read.
    """
    console = console or Console()
    target = _check(out, hidden=hidden, layers=layers, numbers={"epochs": epochs, "batch": batch}, device=device)
    corpus = _corpus(train, dev, phantom_reports=phantom_reports, seed=seed)
    with torch.random.fork_rng(devices=[target] if target.type == "cuda" else []):
        torch.manual_seed(seed)
        parser = _new_parser(corpus.train, encoder, hidden=hidden, layers=layers).to(target)
    scratch, upstream = (SCRATCH_ENTITIES, SCRATCH_RELATIONS), (UPSTREAM_ENTITIES, UPSTREAM_RELATIONS)
    entities, relations = (
        replace(recipe, epochs=epochs or recipe.epochs, batch=batch or recipe.batch)
        for recipe in (upstream if encoder else scratch)
    )
    _train(parser, corpus, entities=entities, relations=relations, seed=seed)
    agreements = _measure(parser, corpus.test)
    settings = {"source": corpus.source, "seed": seed, "num_train": len(corpus.train), "num_test": len(corpus.test)}
    _write(parser, out, {**settings, **_rows(agreements)})
    _show(agreements, corpus, console)
    return out


def _check(out: Path, *, hidden: int, layers: int, numbers: Mapping[str, int | None], device: str) -> torch.device:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already and is not empty. Name another folder, or delete it.")
    if hidden < HEAD_SIZE or hidden % HEAD_SIZE:
        nearest = max(hidden // HEAD_SIZE, 1) * HEAD_SIZE
        raise ConfigError(f"hidden is {hidden}, which is not a multiple of {HEAD_SIZE}. Use {nearest}.")
    for name, number in {"layers": layers, **numbers}.items():
        if number is not None and number < 1:
            raise ConfigError(f"{name} is {number}; it must be at least 1.")
    return usable_device(device)


def _corpus(train: Path | None, dev: Path | None, *, phantom_reports: int | None, seed: int) -> Corpus:
    if train is not None:
        if phantom_reports is not None:
            raise ConfigError("both a training file and a number of phantom reports are given. Leave one of them out.")
        corpus = _corpus_of_files(train, dev)
        _check_labels(train, corpus.train)
        _check_labels(dev or train, corpus.dev)
        return corpus
    if dev is not None:
        raise ConfigError(f"the development file {dev} needs a training file beside it. Give --train FILE too.")
    return phantom_corpus(_DEFAULT_REPORTS if phantom_reports is None else phantom_reports, seed=seed)


def phantom_corpus(num_reports: int, *, seed: int) -> Corpus:
    """Sentences of phantom reports: other patients for training, choosing and measuring.

    Each distinct sentence is trained on once; in reports the commonest denials stand hundreds of times.
    """
    if num_reports < 1:
        raise ConfigError(f"phantom_reports is {num_reports}; it must be at least 1. Some hundreds are needed.")
    world = PhantomWorld(seed=seed)
    held_out = max(50, round(num_reports * _HELD_OUT_SHARE))
    train = annotated_reports(num_reports, split_name="train", world=world)
    return Corpus(
        train=list({(s.words, s.spans, s.edges): s for s in train}.values()),
        dev=annotated_reports(held_out, split_name="val", world=world),
        test=annotated_reports(held_out, split_name="test", world=world),
        source=f"{num_reports} phantom reports",
    )


def _corpus_of_files(train: Path, dev: Path | None) -> Corpus:
    sentences = read_annotations(train)
    if dev is not None:
        chosen = read_annotations(dev)
        return Corpus(train=sentences, dev=chosen, test=chosen, source=str(train))
    texts = list(dict.fromkeys(_text_key(sentence) for sentence in sentences))
    held_out = set(texts[::_DEV_EVERY])
    kept = [sentence for sentence in sentences if _text_key(sentence) not in held_out]
    if not kept:
        raise ConfigError(f"{train} holds one text only, so none can be held out. Give --dev FILE too.")
    chosen = [sentence for sentence in sentences if _text_key(sentence) in held_out]
    return Corpus(train=kept, dev=chosen, test=chosen, source=str(train))


def _check_labels(path: Path, sentences: Sequence[LabelledSentence]) -> None:
    for field, is_there in (
        ("ner", any(sentence.spans for sentence in sentences)),
        ("relations", any(sentence.edges for sentence in sentences)),
    ):
        if not is_there:
            raise DataError(
                f"the {len(sentences)} sentences taken from {path} have nothing under {field}, so there is nothing to "
                "learn or to measure. Give annotated sentences, or more of them."
            )


def _text_key(sentence: LabelledSentence) -> str:
    """Which text a sentence is of: its key without the number of the sentence."""
    return sentence.doc_key.rpartition("_")[0] or sentence.doc_key


def _new_parser(train: Sequence[LabelledSentence], encoder: Path | None, *, hidden: int, layers: int) -> Parser:
    """Untrained heads on two encoders: small ones with a vocabulary of their own, or two copies of the one given."""
    parts: list[tuple[BertModel, Subwords]] = []
    for _ in range(2):
        if encoder is None:
            tokenizer = make_tokenizer((sentence.words for sentence in train), num_words=_NUM_WORDS)
            bert = _small_bert(len(tokenizer), hidden=hidden, layers=layers)
        else:
            tokenizer, bert = _open_encoder(encoder)
        parts.append((bert, Subwords(tokenizer)))
    (entity_bert, entity_subwords), (relation_bert, relation_subwords) = parts
    relation_subwords.add_markers()
    grow_vocabulary(relation_bert, len(relation_subwords))
    return Parser(
        entity_model=EntityModel(entity_bert),
        entity_subwords=entity_subwords,
        relation_model=RelationModel(relation_bert),
        relation_subwords=relation_subwords,
    )


def _small_bert(num_tokens: int, *, hidden: int, layers: int) -> BertModel:
    config = BertConfig(
        vocab_size=num_tokens,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // HEAD_SIZE,
        intermediate_size=4 * hidden,
        # BERT's 0.02 suits its width of 768; narrower layers need more, or signals shrink from one to the next.
        initializer_range=hidden**-0.5,
    )
    return BertModel(config, add_pooling_layer=False)


def _open_encoder(folder: Path) -> tuple[BertTokenizer, BertModel]:
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{folder} is no encoder: it has no config.json. Give a folder with a BERT and its vocabulary."
        )
    try:
        tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
        return tokenizer, BertModel.from_pretrained(folder, add_pooling_layer=False, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{folder} cannot be read as a BERT encoder: {error}. Copy it again.") from error


def _train(parser: Parser, corpus: Corpus, *, entities: Recipe, relations: Recipe, seed: int) -> None:
    with _bar("entities") as watch:
        train_entities(
            parser.entity_model,
            parser.entity_subwords,
            corpus.train,
            corpus.dev,
            recipe=entities,
            seed=seed,
            watch=watch,
        )
    with _bar("relations") as watch:
        train_relations(
            parser.relation_model,
            parser.relation_subwords,
            corpus.train,
            corpus.dev,
            recipe=relations,
            seed=seed,
            watch=watch,
        )


@contextmanager
def _bar(title: str) -> Iterator[Watch]:
    """A progress bar with loss and development F1."""
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=None, values="")

        def watch(step: int, total_steps: int, *, loss: float, dev_f1: float | None) -> None:
            values = f"loss {loss:.3g}" + ("" if dev_f1 is None else f"  dev F1 {dev_f1:.3f}")
            progress.update(task, completed=step, total=total_steps, values=values)

        yield watch


def _measure(parser: Parser, test: Sequence[LabelledSentence]) -> dict[str, Agreement]:
    """Strict micro agreement on sentences that were not trained on."""
    parsed = parser.parse([sentence.words for sentence in test])
    given = predict_relations(
        parser.relation_model, parser.relation_subwords, [(sentence.words, sentence.spans) for sentence in test]
    )
    with_gold = [replace(sentence, edges=edges) for sentence, edges in zip(test, given, strict=True)]
    return {
        "entities": entity_agreement(parsed, test),
        "relations": relation_agreement(parsed, test),
        "relations given the entities": relation_agreement(with_gold, test),
    }


def _rows(agreements: Mapping[str, Agreement]) -> dict[str, object]:
    return {
        name.replace(" ", "_"): {
            "precision": agreement.precision,
            "recall": agreement.recall,
            "f1": agreement.f1,
            "num_gold": agreement.num_gold,
            "num_predicted": agreement.num_predicted,
        }
        for name, agreement in agreements.items()
    }


def _write(parser: Parser, out: Path, metrics: Mapping[str, object]) -> None:
    """Write everything beside `out` and rename it, so that a folder of that name is always a whole one."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    save_parser(parser, unfinished)
    (unfinished / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(out)


def _show(agreements: Mapping[str, Agreement], corpus: Corpus, console: Console) -> None:
    table = Table(title=f"on {len(corpus.test)} held-out sentences", title_justify="left")
    for column in ("", "precision", "recall", "F1", "annotated"):
        table.add_column(column, justify="right" if column else "left")
    for name, agreement in agreements.items():
        shares = (agreement.precision, agreement.recall, agreement.f1)
        table.add_row(name, *(f"{share:.3f}" for share in shares), str(agreement.num_gold))
    console.print(table)
