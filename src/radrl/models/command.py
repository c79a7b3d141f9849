"""What `radrl tiny` does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from radrl.compat import quiet_transformers
from radrl.data.sources import read_rows
from radrl.errors import ConfigError
from radrl.models.tiny import build_tiny
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld

NUM_PHANTOM_QUESTIONS = 400
"""Enough for every word of the phantom's questions and traces to turn up."""


def tiny(
    out: Path,
    *,
    family: str = "qwen2_5_vl",
    corpus: Sequence[Path] = (),
    hidden_size: int = 128,
    num_layers: int = 2,
    image_px: int = 64,
    patch_px: int = 16,
    vocab_size: int = 700,
    seed: int = 0,
) -> Path:
    """Write a small untrained model whose tokenizer knows the text of the corpus files, and return its folder.

    Of .json and .jsonl files every text field counts, of others every line. Without files the text is what the phantom
    world asks and answers. Raises ConfigError when the folder holds something already, or the corpus is empty.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty. Name another folder, or remove what is in it.")
    quiet_transformers()
    texts = list(_file_texts(corpus) if corpus else _phantom_texts())
    if not texts:
        raise ConfigError(f"there is no text in {', '.join(map(str, corpus))}. Name files of training rows or of text.")
    return build_tiny(
        out,
        corpus=texts,
        family=family,
        hidden_size=hidden_size,
        num_layers=num_layers,
        image_px=image_px,
        patch_px=patch_px,
        vocab_size=vocab_size,
        seed=seed,
    )


def _phantom_texts() -> list[str]:
    """Questions and traces of both styles, from a world drawn for their text only."""
    texts: list[str] = []
    for style in ("full", "short"):
        with TemporaryDirectory() as folder:
            world = PhantomWorld(size_px=64, difficulty=0.0, style=style)
            files = export(world, Path(folder), splits={"train": NUM_PHANTOM_QUESTIONS})
            texts += _file_texts([files["train"]])
    return texts


def _file_texts(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        if file.suffix in (".json", ".jsonl"):
            for row in read_rows(file):
                yield from (value for value in row.fields.values() if isinstance(value, str))
        elif file.is_file():
            yield from file.read_text(encoding="utf-8").splitlines()
        else:
            raise ConfigError(f"corpus file {file} does not exist. Correct --corpus.")
