"""vLLM engines over tiny models, in this process. Without vLLM nothing here is collected."""

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vllm_builders import TARGETS, open_engine

from radrl.config.schema import Config
from radrl.engines.vllm import VllmEngine
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.lora import attach_lora
from radrl.models.tiny import build_tiny
from radrl.types import AnswerKind, ImageRef, Prompt, Sample

if importlib.util.find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]

CORPUS = (
    "Is there a left pleural effusion?",
    "<think>fluid at the left base</think><answer>left pleural effusion ✅</answer>",
    "<think>the heart is enlarged</think><answer>cardiomegaly ❌</answer>",
)
QUESTIONS = ("What is there?", "<image>Is there a left pleural effusion?", "First <image>, then <image>: what is new?")
IMAGE_SIZES = ((100, 80), (40, 150))


@pytest.fixture(scope="session")
def config() -> Config:
    data = {"max_prompt_length": 160, "max_response_length": 64, "rollout_batch_size": 4}
    return Config.model_validate(
        {
            "data": data,
            "worker": {"rollout": {"name": "vllm", "n": 8, "kv_cache_gib": 0.05}},
            "trainer": {"device": "cpu"},
        }
    )


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=CORPUS, vocab_size=400)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageRef, ...]:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    refs: list[ImageRef] = []
    for number, (width, height) in enumerate(IMAGE_SIZES):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        refs.append(ImageRef(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return tuple(refs)


@pytest.fixture(scope="session")
def render(images: tuple[ImageRef, ...]) -> Callable[[ModelAdapter], list[Prompt]]:
    """Ask about no image, one and two."""

    def make(adapter: ModelAdapter) -> list[Prompt]:
        samples = [
            Sample(
                id=f"s{number}",
                patient_id="p1",
                kind="open",
                question=question,
                images=images[:number],
                answer=frozenset(),
                answer_kind=AnswerKind.SET,
                reference="<answer>no finding</answer>",
                origin="rows.jsonl:1",
            )
            for number, question in enumerate(QUESTIONS)
        ]
        return [adapter.render(sample) for sample in samples]

    return make


@pytest.fixture
def policy(tiny_folder: Path) -> ModelAdapter:
    """All weights learn."""
    return load_adapter(tiny_folder, device="cpu")


@pytest.fixture
def lora_policy(tiny_folder: Path) -> ModelAdapter:
    """An adapter in the decoder is all that learns."""
    adapter = load_adapter(tiny_folder, device="cpu")
    attach_lora(adapter.model, targets=TARGETS, rank=8, alpha=16.0)
    return adapter


@pytest.fixture(scope="session")
def engine(tiny_folder: Path, config: Config) -> VllmEngine:
    """One that takes whole weights; tests share it, and publish before they sample."""
    return open_engine(load_adapter(tiny_folder, device="cpu"), config)


@pytest.fixture(scope="session")
def adapter_engine(tiny_folder: Path, config: Config) -> VllmEngine:
    """One that takes adapters."""
    adapter = load_adapter(tiny_folder, device="cpu")
    attach_lora(adapter.model, targets=TARGETS, rank=8, alpha=16.0)
    return open_engine(adapter, config)
