"""From a sample to tokens, positions and pixels, held against the Hugging Face processor."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import BatchFeature
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from radrl.errors import DataError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.qwen2_5_vl import Qwen25VL, grid_size
from radrl.models.images import ImageSize, TensorCache
from radrl.models.load import load_adapter
from radrl.types import ImageRef, Sample

QUESTIONS = ("What is there?", "<image>Is there a left pleural effusion?", "First <image>, then <image>: what is new?")


def processed(adapter: ModelAdapter, sample: Sample) -> BatchFeature:
    """What the Hugging Face processor makes of the sample."""
    pictures = [Image.open(ref.path).convert("RGB") for ref in sample.images]
    return adapter.processor(text=[adapter.render(sample).text], images=pictures or None, return_tensors="pt")


@pytest.mark.parametrize("num_images", [0, 1, 2])
def test_prompt_tokens_are_those_of_the_processor(
    adapter: ModelAdapter, ask: Callable[..., Sample], num_images: int
) -> None:
    sample = ask(QUESTIONS[num_images], num_images=num_images)
    prompt = adapter.render(sample)
    assert list(prompt.token_ids) == processed(adapter, sample)["input_ids"][0].tolist()
    assert prompt.num_image_tokens == prompt.token_ids.count(adapter.family.image_token_id)
    assert prompt.text.startswith("<|im_start|>user\n")
    assert prompt.text.endswith("<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("num_images", [1, 2])
def test_positions_are_those_of_the_model(adapter: ModelAdapter, ask: Callable[..., Sample], num_images: int) -> None:
    sample = ask(QUESTIONS[num_images], num_images=num_images)
    inputs = processed(adapter, sample)
    expected, _ = adapter.model.model.get_rope_index(
        inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
    )
    assert torch.equal(adapter.positions(adapter.render(sample)), expected[:, 0])


def test_pixels_are_those_of_the_processor(adapter: ModelAdapter, images: list[ImageRef]) -> None:
    assert isinstance(adapter.family, Qwen25VL)
    for ref in images:
        expected = adapter.processor.image_processor(images=[Image.open(ref.path).convert("RGB")], return_tensors="pt")
        patches = adapter.family.patches(adapter.images.pixels(ref))
        torch.testing.assert_close(patches, expected["pixel_values"], atol=1e-6, rtol=0)


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), least=st.integers(1, 10**6), ratio=st.floats(1, 20))
def test_target_size_is_qwens(width: int, height: int, least: int, ratio: float) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    most = int(least * ratio)
    expected = smart_resize(height, width, factor=32, min_pixels=least, max_pixels=most)
    size = grid_size(ImageSize(width=width, height=height), cell=32, least=least, most=most)
    assert (size.height, size.width) == expected


def test_target_sizes_worked_by_hand() -> None:
    film = ImageSize(width=100, height=80)
    assert grid_size(film, cell=32, least=1, most=10**6) == ImageSize(width=96, height=64)
    assert grid_size(film, cell=32, least=1, most=4096) == ImageSize(width=64, height=32)
    with pytest.raises(DataError, match="1 x 201 pixels"):
        grid_size(ImageSize(width=1, height=201), cell=32, least=1, most=4096)


def test_pixel_bounds_narrow_those_of_the_model(tiny_folder: Path, images: list[ImageRef]) -> None:
    small = load_adapter(tiny_folder, device="cpu", max_pixels=32 * 32)
    assert small.images.size(images[0]) == ImageSize(width=32, height=32)
    unbounded = load_adapter(tiny_folder, device="cpu", min_pixels=10**6)
    assert unbounded.images.size(images[0]) == ImageSize(width=64, height=64)


def test_image_marks_must_match_the_images(adapter: ModelAdapter, ask: Callable[..., Sample]) -> None:
    with pytest.raises(DataError, match=r"sample s1 \(rows.jsonl:1\): the question has 2 <image> marks and the row 1"):
        adapter.render(ask("<image><image>What is there?", num_images=1))


def test_a_question_cannot_smuggle_in_special_tokens(adapter: ModelAdapter, ask: Callable[..., Sample]) -> None:
    with pytest.raises(DataError, match=r"special token \'<\|im_end\|>\'"):
        adapter.render(ask("What?<|im_end|>"))


def test_reference_tokens_end_the_sequence_and_spell_the_trace(
    adapter: ModelAdapter, ask: Callable[..., Sample]
) -> None:
    reference = "<think>fluid</think><answer>effusion ✅</answer>"
    token_ids = adapter.reference_ids(ask("What?", reference=reference))
    assert token_ids[-1] == adapter.tokenizer.eos_token_id
    assert adapter.tokenizer.decode(token_ids[:-1]) == reference


def test_a_reference_with_a_special_token_is_refused(adapter: ModelAdapter, ask: Callable[..., Sample]) -> None:
    with pytest.raises(DataError, match=r"the reference contains the special token \'<\|image_pad\|>\'"):
        adapter.reference_ids(ask("What?", reference="see <|image_pad|>"))


def test_an_image_that_is_none_is_named(adapter: ModelAdapter, ask: Callable[..., Sample], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        adapter.images.size(ImageRef(path=str(broken), sha256="0"))


def test_a_cache_drops_what_was_unused_for_longest() -> None:
    cache = TensorCache(max_bytes=8)
    for key in ("a", "b"):
        cache.put(key, torch.zeros(1))
    assert cache.get("a") is not None
    cache.put("c", torch.zeros(1))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.put("too large", torch.zeros(3))
    assert cache.get("too large") is None
    assert cache.num_bytes == 8
