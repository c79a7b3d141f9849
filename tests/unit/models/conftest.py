"""One tiny model for all tests of models and sampling."""

import hashlib
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=CORPUS, vocab_size=400)


@pytest.fixture
def adapter(tiny_folder: Path) -> ModelAdapter:
    return load_adapter(tiny_folder, device="cpu", min_pixels=96 * 64, max_pixels=96 * 64)


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
