"""Models that are opened here: how they attend, their crops, and vLLM in their place."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asking_builders import question, settings
from fake_vllm import FakeLibrary
from PIL import Image

from radrl.asking import local
from radrl.asking.local import open_native, open_vllm
from radrl.data.images import image_ref
from radrl.engines import vllm
from radrl.errors import ConfigError, DataError
from radrl.models.families.phi4_images import Crops
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import attach_lora
from radrl.models.tiny import build_tiny
from radrl.types import Sample

CORPUS = ("Is there a left pleural effusion?", "<think>look</think><answer>yes</answer>")
SIZE = {"hidden_size": 64, "num_layers": 2, "vision_hidden_size": 32, "vision_layers": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("local") / "model", corpus=CORPUS, **SIZE)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[Sample]:
    """Prompts of different lengths, so that all but the longest are padded."""
    films = tmp_path_factory.mktemp("films")
    generator = np.random.default_rng(0)
    found = []
    for number, words in enumerate(["Is there fluid?", "Is there a left pleural effusion? Look at the base.", "Air?"]):
        path = films / f"{number}.png"
        Image.fromarray(generator.integers(0, 255, size=(64, 64 + 32 * number), dtype=np.uint8)).save(path)
        found.append(replace(question(number), question=f"<image>{words}", images=(image_ref(path),)))
    return found


def respond(folder: Path, samples, tmp_path: Path, **changes):
    config = settings(tmp_path, model=str(folder), device="cpu", max_response_length=12, **changes)
    return list(open_native(config).respond(samples, range(len(samples))))


@pytest.mark.parametrize("attention", ["eager", "flash_attention_2", "sdpa"])
def test_every_way_to_attend_writes_the_same_row_84(folder, samples, tmp_path, attention):
    """With several prompts at once, whose rows are padded, and completions that end at different times."""
    expected = respond(folder, samples, tmp_path, n=3, temperature=1.0)
    found = respond(folder, samples, tmp_path, n=3, temperature=1.0, attention=attention)
    assert [response.token_ids for response in found] == [response.token_ids for response in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.token_logprobs == pytest.approx(other.token_logprobs, abs=1e-4)


def test_flash_attention_is_refused_where_images_are_seen_both_ways(tmp_path):
    gemma = build_tiny(tmp_path / "gemma", corpus=CORPUS, family="gemma3")
    with pytest.raises(ConfigError, match="cannot express the attention of Gemma3"):
        open_native(settings(tmp_path, model=str(gemma), device="cpu", attention="flash_attention_2"))


def test_an_answer_follows_from_its_place_and_not_from_its_neighbours(folder, samples, tmp_path):
    config = settings(tmp_path, model=str(folder), device="cpu", max_response_length=12, temperature=1.0, n=2)
    respondent = open_native(config)
    together = list(respondent.respond(samples, (4, 9, 2)))
    alone = list(respondent.respond(samples[1:2], (9,)))
    assert [response.token_ids for response in together[2:4]] == [response.token_ids for response in alone]
    elsewhere = list(respondent.respond(samples[1:2], (3,)))
    assert [response.token_ids for response in elsewhere] != [response.token_ids for response in alone]


def test_crops_are_for_models_that_have_them_row_84(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"dynamic_hd is 4, but .* is a 'qwen2_5_vl' model"):
        open_native(settings(tmp_path, model=str(folder), device="cpu", dynamic_hd=4))
    phi4 = Phi4Multimodal.__new__(Phi4Multimodal)
    phi4.crops = Crops(crop_px=448, patch_px=14, max_crops=36)
    phi4.allow_crops(4)
    assert phi4.crops == Crops(crop_px=448, patch_px=14, max_crops=4)


@pytest.fixture
def texts(samples) -> list[Sample]:
    """The fake expands no images."""
    return [replace(sample, question=sample.question.removeprefix("<image>"), images=()) for sample in samples]


@pytest.fixture
def fake_vllm(monkeypatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda name: find_spec("json" if name == "vllm" else name))
    monkeypatch.setattr(vllm, "import_vllm", FakeLibrary)


@pytest.mark.usefixtures("fake_vllm")
def test_vllm_reads_the_folder_itself_and_is_asked_the_same_prompts(folder, texts, tmp_path):
    config = settings(
        tmp_path, model=str(folder), backend="vllm", device="cpu", batch_size=5, n=2, temperature=1.0,
        max_response_length=12, rows={"max_prompt_length": 100},
    )  # fmt: skip
    respondent = open_vllm(config)
    engine = respondent.sampler._engine
    assert engine.options.model == str(folder)
    assert (engine.options.load_format, engine.options.sleep) == ("auto", 0)
    assert (engine.options.lengths.prompt, engine.options.lengths.response, engine.options.lengths.sequences) == (
        100,
        12,
        10,
    )
    found = list(respondent.respond(texts, (0, 1, 2)))
    assert [(response.sample.id, response.index) for response in found] == [
        (f"q{i}", j) for i in range(3) for j in range(2)
    ]
    assert found[0].token_logprobs[:2] == (-0.5, -0.25)
    assert "load" not in engine._llm.calls, "weights come from the folder"


@pytest.mark.usefixtures("fake_vllm")
def test_vllm_applies_the_adapter_of_a_folder_of_adapters(folder, texts, tmp_path):
    adapter = load_adapter(folder, device="cpu")
    adapter.model.requires_grad_(False)
    attach_lora(adapter.model, targets=r".*language_model.*\.q_proj", rank=4, alpha=8.0)
    save_adapter(adapter, tmp_path / "adapter")
    respondent = open_vllm(settings(tmp_path / "out", model=str(tmp_path / "adapter"), backend="vllm", device="cpu"))
    engine = respondent.sampler._engine
    assert (engine.options.model, engine.options.adapter_rank) == (str(folder), 4)
    list(respondent.respond(texts[:1], (0,)))
    assert ("adapter", True) in engine._llm.calls


def test_a_missing_vllm_is_named(folder, tmp_path):
    if importlib.util.find_spec("vllm") is not None:
        pytest.skip("vLLM is installed")
    with pytest.raises(ConfigError, match="backend is vllm, which is not installed"):
        open_vllm(settings(tmp_path, model=str(folder), backend="vllm"))


def test_no_question_is_left_out_for_its_length(folder, samples, tmp_path):
    with pytest.raises(DataError, match=r"3 of 3 prompts are longer than rows.max_prompt_length = 4 tokens"):
        respond(folder, samples, tmp_path, rows={"max_prompt_length": 4})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_flash_kernel_agrees_with_sdpa_on_a_gpu(folder, samples, tmp_path):
    keys = {"model": str(folder), "device": "cuda", "dtype": "bfloat16", "max_response_length": 4}
    texts = [
        list(open_native(settings(tmp_path, **keys, attention=name)).respond(samples, (0, 1, 2)))
        for name in ("sdpa", "flash_attention_2")
    ]
    for one, other in zip(*texts, strict=True):
        assert one.token_logprobs[0] == pytest.approx(other.token_logprobs[0], abs=0.05)
