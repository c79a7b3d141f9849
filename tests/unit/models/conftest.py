"""One tiny model of each family for all tests of models and sampling."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.types import AnswerKind, ImageRef, Sample

CORPUS = (
    "Is there a left pleural effusion?",
    "<think>fluid at the left base</think><answer>left pleural effusion ✅</answer>",
    "<think>the heart is enlarged</think><answer>cardiomegaly ❌</answer>",
)
IMAGE_SIZES = ((64, 64), (100, 80), (40, 150))
"""Width and height of the radiographs at hand."""
SIX_TOKENS = {"min_pixels": 96 * 64, "max_pixels": 96 * 64}
"""Bounds within which the radiographs differ in shape, for families that let them."""


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build the model of a family once."""
    folders: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in folders:
            folders[family] = build_tiny(
                tmp_path_factory.mktemp("tiny") / family, corpus=CORPUS, family=family, vocab_size=480
            )
        return folders[family]

    return build


@pytest.fixture
def open_family(folder_of: Callable[[str], Path]) -> Callable[..., ModelAdapter]:
    """Open the model of a family."""

    def open_it(family: str, **options: Any) -> ModelAdapter:
        bounds = SIX_TOKENS if family.startswith("qwen") else {}
        return load_adapter(folder_of(family), **{"device": "cpu", **bounds, **options})

    return open_it


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=CORPUS, vocab_size=400)


@pytest.fixture
def adapter(tiny_folder: Path) -> ModelAdapter:
    return load_adapter(tiny_folder, device="cpu", **SIX_TOKENS)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRef]:
    """Noise of several shapes, the first grey and the others in colour."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    refs: list[ImageRef] = []
    for number, (width, height) in enumerate(IMAGE_SIZES):
        shape = (height, width, 3) if number else (height, width)
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
        refs.append(ImageRef(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return refs


@pytest.fixture(scope="session")
def ask(images: list[ImageRef]) -> Callable[..., Sample]:
    """Make a sample about the first so many images."""

    def make(question: str, *, num_images: int = 0, reference: str = "<answer>no finding</answer>") -> Sample:
        return Sample(
            id=f"s{num_images}",
            patient_id="p1",
            kind="open",
            question=question,
            images=tuple(images[:num_images]),
            answer=frozenset(),
            answer_kind=AnswerKind.SET,
            reference=reference,
            origin="rows.jsonl:1",
        )

    return make
