"""From a sample to tokens, positions and pixels, held against the Hugging Face processor."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from plain_calls import FAMILIES, QUESTIONS, processed, samples_for
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from radrl.errors import DataError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.qwen2_5_vl import grid_size
from radrl.models.images import ImageSize, TensorCache
from radrl.models.load import load_adapter
from radrl.types import ImageRef, Sample


@pytest.mark.parametrize("family", FAMILIES)
def test_prompt_tokens_are_those_of_the_processor(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], family: str
) -> None:
    """The expanded ones; the compact ones are the tokenizer's own, with one placeholder an image."""
    adapter = open_family(family)
    placeholder = adapter.tokenizer.convert_tokens_to_ids(adapter.family.image_placeholder)
    for sample in samples_for(adapter, ask):
        prompt = adapter.render(sample)
        assert list(prompt.token_ids) == processed(adapter, sample)["input_ids"][0].tolist()
        assert prompt.num_image_tokens == prompt.token_ids.count(adapter.family.image_token_id)
        assert list(prompt.compact_ids) == adapter.tokenizer.encode(prompt.text, add_special_tokens=False)
        if sample.images:
            assert prompt.compact_ids.count(placeholder) == len(sample.images)


def test_a_prompt_is_the_chat_template_filled_in(adapter: ModelAdapter, ask: Callable[..., Sample]) -> None:
    prompt = adapter.render(ask("What <image>is it?", num_images=1))
    assert prompt.text == (
        "<|im_start|>user\nWhat <|vision_start|><|image_pad|><|vision_end|>is it?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_newlines_that_meet_at_an_image_are_one_token(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample]
) -> None:
    """Gemma's template ends a line before the image, and its processor puts empty lines around it."""
    adapter = open_family("gemma3")
    prompt = adapter.render(ask("<image>\nWhat is it?", num_images=1))
    tokens = adapter.tokenizer.convert_ids_to_tokens(list(prompt.token_ids))
    assert tokens[:4] == ["<bos>", "<start_of_turn>", "user", "\n\n\n"]
    assert tokens[4:11] == ["<start_of_image>", *["<image_soft_token>"] * 4, "<end_of_image>", "\n\n\n"]
    compact = adapter.tokenizer.convert_ids_to_tokens(list(prompt.compact_ids))
    assert compact[:6] == ["<bos>", "<start_of_turn>", "user", "\n", "<start_of_image>", "\n"]


def test_a_question_with_an_image_is_refused_where_the_model_reads_text_only(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample]
) -> None:
    with pytest.raises(DataError, match=r"sample s1 \(rows.jsonl:1\): the row has 1 images, and the model reads text"):
        open_family("causal_lm").render(ask("<image>What is there?", num_images=1))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("num_images", [1, 2])
def test_positions_are_those_of_the_model(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], family: str, num_images: int
) -> None:
    adapter = open_family(family)
    sample = ask(QUESTIONS[num_images], num_images=num_images)
    inputs = processed(adapter, sample)
    expected, _ = adapter.model.model.get_rope_index(
        inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
    )
    assert torch.equal(adapter.positions(adapter.render(sample)), expected[:, 0])


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "gemma3"])
def test_pixels_are_those_of_the_processor(
    open_family: Callable[..., ModelAdapter], images: list[ImageRef], family: str
) -> None:
    adapter = open_family(family)
    for ref in images:
        expected = adapter.processor.image_processor(images=[Image.open(ref.path).convert("RGB")], return_tensors="pt")
        pixels = adapter.images.pixels(ref)
        made = adapter.family.patches(pixels) if family != "gemma3" else adapter.family.pixel_values(pixels)[None]
        torch.testing.assert_close(made, expected["pixel_values"], atol=1e-6, rtol=0)


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
