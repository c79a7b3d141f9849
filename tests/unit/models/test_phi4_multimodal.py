"""Phi-4-multimodal, held against plain Hugging Face calls and against what its processor was seen to do."""

import contextlib
import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from phi4_plain import image_inputs, plain_logprobs, plain_model
from PIL import Image
from torch import Tensor
from transformers import AutoProcessor, Phi4MultimodalConfig
from transformers.models.phi4_multimodal.modeling_phi4_multimodal import Phi4MultimodalRotaryEmbedding

from radrl.compat import has_torchvision
from radrl.engines.native import NativeSampler
from radrl.errors import ConfigError, DataError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.phi4_images import Crops
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.families.phi4_processor import CHAT_TEMPLATE, writes_images
from radrl.models.families.phi4_rope import SequenceRotary, sequence_lengths
from radrl.models.forward import score_completions
from radrl.models.images import ImageSize
from radrl.models.load import load_adapter
from radrl.models.lora import switched_off
from radrl.models.packing import plan
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import AnswerKind, ImageRef, Sample

LIMIT = 1024
"""Tokens up to which the tiny model has short-range frequencies."""
GROUPS = (((60, 61, 62), (63, 64)), ((70, 71), (72, 73, 74, 75)), ((80, 81, 82),))
SEEN = (
    ((64, 64), 1, 545, (448, 448)),
    ((100, 80), 1, 494, (448, 448)),
    ((40, 150), 36, 369, (448, 448)),
    ((500, 300), 36, 721, (448, 896)),
    ((2500, 3056), 36, 7953, (2688, 2240)),
    ((2500, 3056), 5, 1169, (896, 896)),
    ((3056, 2500), 12, 3153, (1344, 1792)),
    ((449, 448), 36, 561, (448, 896)),
    ((1000, 800), 2, 494, (448, 448)),
    ((500, 400), 2, 609, (448, 896)),
    ((896, 1344), 36, 1857, (1344, 896)),
)
"""Width and height, most crops, and what the Hugging Face processor of transformers 5.24 made of them: tokens and the
height and width of the canvas."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = ("Is there a left pleural effusion?", "<think>fluid at the left base</think><answer>effusion ✅</answer>")
    return build_tiny(
        tmp_path_factory.mktemp("phi4") / "model",
        corpus=corpus,
        family="phi4_multimodal",
        hidden_size=64,
        vision_hidden_size=32,
        vision_layers=1,
        vocab_size=400,
    )


@pytest.fixture
def phi4(folder: Path) -> ModelAdapter:
    return load_adapter(folder, device="cpu")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Questions about no film, about a wide one in two crops, and about that one and a narrow one."""
    rng = np.random.default_rng(0)
    refs: list[ImageRef] = []
    for number, (width, height) in enumerate(((500, 300), (40, 150))):
        path = tmp_path_factory.mktemp("films") / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        refs.append(ImageRef(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    questions = ("What is there?", "<image>Is there an effusion?", "First <image>, then <image>: what is new?")
    return [
        Sample(
            id=f"s{number}",
            patient_id="p1",
            kind="open",
            question=question,
            images=tuple(refs[:number]),
            answer=frozenset(),
            answer_kind=AnswerKind.SET,
            reference="<answer>effusion</answer>",
            origin="rows.jsonl:1",
        )
        for number, question in enumerate(questions)
    ]


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: each.grad for name, each in model.named_parameters() if each.grad is not None and each.grad.any()}


def flat_gradient(model: torch.nn.Module) -> Tensor:
    """All gradients as one vector, in the order of names."""
    named = sorted(model.named_parameters(), key=lambda pair: pair[0])
    return torch.cat(
        [(torch.zeros_like(each) if each.grad is None else each.grad).double().flatten() for _, each in named]
    )


@pytest.mark.parametrize("with_lora", [True, False], ids=["adapter on", "adapter off"])
@pytest.mark.parametrize("attention", ["dense", "varlen"])
def test_packed_scores_and_gradients_are_those_of_plain_calls(
    folder: Path, samples: list[Sample], with_lora: bool, attention: Literal["dense", "varlen"]
) -> None:
    """Rows 55 and 65: 0, 1 and 2 images in one pass, of which the last is long enough for long-range frequencies."""
    adapter = load_adapter(folder, device="cpu", attention=attention)
    adapter.model.requires_grad_(True)
    plain = plain_model(folder, with_lora=with_lora)
    expected = torch.cat(
        [plain_logprobs(plain, adapter, s, ids) for s, ids_of in zip(samples, GROUPS, strict=True) for ids in ids_of]
    )
    weights = torch.randn(len(expected), generator=torch.Generator().manual_seed(2))
    (expected * weights).sum().backward()

    prompts = [adapter.render(sample) for sample in samples]
    lengths = [len(prompt.token_ids) for prompt in prompts]
    assert lengths[0] < lengths[1] < LIMIT < lengths[2]
    (micro_batch,) = plan(prompts, GROUPS, row_tokens=2200, micro_batch_tokens=5000, is_one_row=attention == "varlen")
    with contextlib.nullcontext() if with_lora else switched_off(adapter.model, "vision"):
        scores = score_completions(adapter, micro_batch, temperature=1.0)
    index = list(micro_batch.token_index)
    (scores.logprobs * weights[index]).sum().backward()

    torch.testing.assert_close(scores.logprobs, expected[index], atol=1e-5, rtol=1e-5)
    wanted, found = gradients(plain), gradients(adapter.model)
    if not with_lora:
        found = {name.replace(".base_layer.", "."): gradient for name, gradient in found.items()}
    assert found.keys() == wanted.keys()
    assert any(".lora_A.vision." in name for name in wanted) == with_lora
    for name, gradient in wanted.items():
        if name.endswith(".img_processor.encoder.layers.0.self_attn.k_proj.bias"):
            # It adds the same to every score of a softmax: its gradient is 0, and what there is of it is rounding.
            assert gradient.abs().max() < 1e-7
            assert found[name].abs().max() < 1e-7
            continue
        assert (found[name] - gradient).abs().max() <= 1e-5 * gradient.abs().max(), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gradients_in_bfloat16_on_a_gpu_are_those_of_plain_calls(folder: Path, samples: list[Sample]) -> None:
    """Cosine above 0.999, norm within 1 %, over segments and with the vision LoRA at work."""
    adapter = load_adapter(folder, device="cuda", dtype="bfloat16", attention="varlen")
    adapter.model.requires_grad_(True)
    plain = plain_model(folder, with_lora=True, dtype=torch.bfloat16).cuda()
    expected = torch.cat(
        [plain_logprobs(plain, adapter, s, ids) for s, ids_of in zip(samples, GROUPS, strict=True) for ids in ids_of]
    )
    weights = torch.randn(len(expected), generator=torch.Generator().manual_seed(2)).cuda()
    (expected * weights).sum().backward()
    prompts = [adapter.render(sample) for sample in samples]
    (micro_batch,) = plan(prompts, GROUPS, row_tokens=5000, micro_batch_tokens=5000, is_one_row=True)
    scores = score_completions(adapter, micro_batch, temperature=1.0)
    (scores.logprobs * weights[list(micro_batch.token_index)]).sum().backward()
    wanted, found = flat_gradient(plain), flat_gradient(adapter.model)
    assert torch.nn.functional.cosine_similarity(found, wanted, dim=0) > 0.999
    assert float(found.norm() / wanted.norm()) == pytest.approx(1.0, abs=0.01)


def test_greedy_sampling_is_that_of_generate(folder: Path, phi4: ModelAdapter, samples: list[Sample]) -> None:
    """Row 61: with the vision LoRA at work, a prompt without images beside one with."""
    plain = plain_model(folder, with_lora=True)
    sampler = NativeSampler(phi4, max_sequences=4)
    prompts = [phi4.render(sample) for sample in samples[:2]]
    groups = list(sampler.generate(prompts, Sampling(n=1, temperature=0.0, max_tokens=6, seed=0)))
    for sample, prompt, (completion,) in zip(samples[:2], prompts, groups, strict=True):
        written = plain.generate(
            input_ids=torch.tensor([prompt.token_ids]),
            **image_inputs(phi4, sample),
            do_sample=False,
            max_new_tokens=6,
            suppress_tokens=list(phi4.banned_ids),
        )
        assert written[0, len(prompt.token_ids) :].tolist() == list(completion.token_ids)


def test_one_template_is_for_training_sampling_and_evaluation(phi4: ModelAdapter, samples: list[Sample]) -> None:
    """Row 13: the seed's evaluation format, in which image tokens stand where `<|image_1|>` was."""
    prompt = phi4.render(samples[2])
    assert prompt.text == ("<|user|>First <|endoftext10|>, then <|endoftext10|>: what is new?<|end|><|assistant|>")
    mark = phi4.family.image_token_id
    assert prompt.compact_ids.count(mark) == 2
    assert prompt.token_ids.count(mark) == prompt.num_image_tokens == 721 + 369
    assert phi4.tokenizer.decode(phi4.reference_ids(samples[0])) == "<answer>effusion</answer><|end|>"


def test_a_turn_ends_at_either_end_and_placeholders_are_banned(phi4: ModelAdapter, samples: list[Sample]) -> None:
    ids = phi4.tokenizer.convert_tokens_to_ids
    assert phi4.eos_ids == (ids("<|end|>"), ids("<|endoftext|>"))
    marks = ("<|endoftext10|>", "<|endoftext11|>", "<|user|>", "<|assistant|>", "<|system|>")
    assert set(phi4.banned_ids) == set(map(ids, marks))
    with pytest.raises(DataError, match=r"special token '<\|assistant\|>'"):
        phi4.render(Sample(**{**_fields(samples[0]), "question": "What?<|assistant|>"}))


def _fields(sample: Sample) -> dict[str, object]:
    return {name: getattr(sample, name) for name in Sample.__dataclass_fields__}


def test_a_template_that_joins_strings_gives_way_to_the_familys(folder: Path, phi4: ModelAdapter) -> None:
    """The remote code's checkpoints have such a one."""
    joins = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    writes_none = "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
    assert not writes_images(phi4.tokenizer, joins)
    assert not writes_images(phi4.tokenizer, writes_none)
    assert writes_images(phi4.tokenizer, CHAT_TEMPLATE)
    assert phi4.processor.chat_template == phi4.tokenizer.chat_template == CHAT_TEMPLATE


@pytest.mark.parametrize(("shape", "most", "num_tokens", "canvas"), SEEN)
def test_crops_and_tokens_are_those_that_the_processor_was_seen_to_make(
    shape: tuple[int, int], most: int, num_tokens: int, canvas: tuple[int, int]
) -> None:
    crops = Crops(crop_px=448, patch_px=14, max_crops=most)
    size = crops.target_size(ImageSize(width=shape[0], height=shape[1]))
    layout = crops.layout(size)
    assert (layout.rows * 448, layout.columns * 448) == canvas
    assert crops.num_tokens(size) == num_tokens
    masks = crops.masks(size, device=torch.device("cpu"))
    assert masks[0].all()
    assert int(masks[1:].sum()) == layout.seen_rows * layout.seen_columns


def test_a_layout_worked_by_hand() -> None:
    """745 x 448 pixels in two crops leave 151 white columns: 10 whole patches, and one that the film touches."""
    layout = Crops(crop_px=448, patch_px=14, max_crops=2).layout(ImageSize(width=745, height=448))
    assert (layout.columns, layout.rows, layout.seen_columns, layout.seen_rows) == (2, 1, 54, 32)
    assert (layout.token_columns, layout.token_rows) == (27, 16)


def test_an_image_that_would_be_a_line_is_refused() -> None:
    with pytest.raises(DataError, match=r"an image is 1000 x 20 pixels, which the model would see 448 x 8"):
        Crops(crop_px=448, patch_px=14, max_crops=1).target_size(ImageSize(width=1000, height=20))


def test_max_pixels_bounds_the_crops(folder: Path, samples: list[Sample]) -> None:
    wide = samples[1].images[0]
    assert load_adapter(folder, device="cpu").images.size(wide) == ImageSize(width=746, height=448)
    one_crop = load_adapter(folder, device="cpu", max_pixels=2 * 448**2 - 1)
    assert one_crop.images.size(wide) == ImageSize(width=448, height=268)
    unbounded = load_adapter(folder, device="cpu", max_pixels=10**8)
    assert unbounded.images.size(wide) == ImageSize(width=746, height=448)


@pytest.mark.skipif(not has_torchvision(), reason="the Hugging Face image processor needs torchvision")
def test_ids_and_pixels_are_those_of_the_processor(folder: Path, phi4: ModelAdapter, samples: list[Sample]) -> None:
    """Pixels up to one grey level of 255, which is what Pillow's and torchvision's resizing differ by."""
    assert isinstance(phi4.family, Phi4Multimodal)
    processor = AutoProcessor.from_pretrained(folder)
    for sample in samples:
        pictures = [Image.open(ref.path) for ref in sample.images]
        prompt = phi4.render(sample)
        expected = processor(text=[prompt.text], images=pictures or None, return_tensors="pt")
        assert expected["input_ids"][0].tolist() == list(prompt.token_ids)
        for number, ref in enumerate(sample.images):
            views = phi4.family.views(phi4.images.pixels(ref))
            masks = phi4.family.crops.masks(phi4.images.size(ref), device=torch.device("cpu"))
            pixels = expected["image_pixel_values"][number][: len(views)]
            assert (views[1:] - pixels[1:]).abs().max() <= 1.01 * 2 / 255
            # Bicubic weights of the small view add up to more than 1 in absolute value.
            assert (views[0] - pixels[0]).abs().max() <= 2 * 2 / 255
            assert torch.equal(masks, expected["image_attention_mask"][number][: len(views)].bool())


def long_rope(limit: int) -> Phi4MultimodalConfig:
    return Phi4MultimodalConfig(
        vocab_size=8,
        hidden_size=32,
        num_attention_heads=2,
        max_position_embeddings=64,
        original_max_position_embeddings=limit,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 100.0,
            "partial_rotary_factor": 0.5,
            "original_max_position_embeddings": limit,
            "short_factor": [1.0, 1.1, 1.2, 1.3],
            "long_factor": [2.0, 3.0, 4.0, 5.0],
        },
        pad_token_id=0,
    )


def test_each_packed_sequence_has_the_frequencies_of_its_own_length() -> None:
    """The Hugging Face module decides for a whole call by its largest position."""
    config = long_rope(6)
    ours = SequenceRotary(config, device=torch.device("cpu"))
    short, long = torch.arange(6), torch.arange(7)
    shared = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6])  # a prompt of 5 with completions of 4 and 2
    together = torch.cat([short, long, shared, torch.zeros(2, dtype=torch.long)])[None]
    cosine, sine = ours(torch.zeros(1, together.shape[1], 1), together)
    for start, alone in ((0, short), (6, long), (13, shared)):
        # Its own module for each, as it keeps the frequencies of its last call.
        theirs = Phi4MultimodalRotaryEmbedding(config)
        for found, expected in zip((cosine, sine), theirs(cosine, alone[None]), strict=True):
            torch.testing.assert_close(found[:, start : start + len(alone)], expected)
    mixed = Phi4MultimodalRotaryEmbedding(config)(cosine, together)[0]
    assert not torch.allclose(mixed[:, :6], cosine[:, :6])


def test_a_token_behind_a_cache_goes_by_its_position() -> None:
    config = long_rope(6)
    ours = SequenceRotary(config, device=torch.device("cpu"))
    cosine, _ = ours(torch.zeros(2, 1, 1), torch.tensor([[5], [6]]))
    for row, position in enumerate((5, 6)):
        expected, _ = Phi4MultimodalRotaryEmbedding(config)(cosine, torch.tensor([[position]]))
        torch.testing.assert_close(cosine[row : row + 1], expected)


def test_lengths_of_sequences_worked_by_hand() -> None:
    positions = torch.tensor([[0, 1, 2, 2, 0, 1], [0, 0, 0, 1, 2, 3]])
    assert sequence_lengths(positions).tolist() == [[3, 3, 3, 3, 2, 2], [1, 1, 4, 4, 4, 4]]


def test_a_completion_that_crosses_the_change_of_frequencies_is_refused(
    phi4: ModelAdapter, samples: list[Sample]
) -> None:
    prompt = phi4.render(samples[0])
    rotary = phi4.model.model.rotary_emb
    sampling = Sampling(n=1, temperature=0.0, max_tokens=6, seed=0)
    rotary.limit = len(prompt.token_ids) + 2
    with pytest.raises(ConfigError, match=rf"a completion grew past {rotary.limit} tokens.*LongRoPE"):
        list(NativeSampler(phi4, max_sequences=4).generate([prompt], sampling))
    rotary.limit = len(prompt.token_ids) - 1
    ((completion,),) = NativeSampler(phi4, max_sequences=4).generate([prompt], sampling)
    assert len(completion.token_ids) > 2


def test_a_window_masks_what_lies_further_back(folder: Path, phi4: ModelAdapter, samples: list[Sample]) -> None:
    """The released model's window is longer than any sequence; a shorter one is a mask, and forbids segments."""
    assert phi4.family.takes_segments
    plain = plain_model(folder, with_lora=True)
    prompts = [phi4.render(samples[0])]
    (micro_batch,) = plan(prompts, GROUPS[:1], row_tokens=100, micro_batch_tokens=100)
    unlimited = score_completions(phi4, micro_batch, temperature=1.0).logprobs
    for model in (plain, phi4.model):
        model.config.sliding_window = 4
    assert not phi4.family.takes_segments
    found = score_completions(phi4, micro_batch, temperature=1.0).logprobs
    expected = torch.cat([plain_logprobs(plain, phi4, samples[0], ids) for ids in GROUPS[0]])
    torch.testing.assert_close(found, expected[list(micro_batch.token_index)], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, unlimited)
