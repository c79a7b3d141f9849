"""Plain Hugging Face calls of Phi-4-multimodal, with image inputs made slowly and apart from what is tested."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForCausalLM

from radrl.models.adapter import ModelAdapter
from radrl.types import Sample

CROP, PATCH = 448, 14


def plain_model(folder: Path, *, with_lora: bool, dtype: torch.dtype = torch.float32) -> Any:
    """The class as transformers has it, with the adapter in PEFT's own layers; everything learns."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    if with_lora:
        model.load_adapter(str(folder / "vision-lora"), adapter_name="vision", is_trainable=True)
    return model.eval().requires_grad_(True)


def image_inputs(adapter: ModelAdapter, sample: Sample) -> dict[str, Tensor]:
    """Views, canvas sizes and patch masks of a sample's images, padded to the same number of views."""
    if not sample.images:
        return {}
    views: list[list[Tensor]] = []
    masks: list[list[Tensor]] = []
    sizes: list[list[int]] = []
    for ref in sample.images:
        size = adapter.images.size(ref)
        resized = Image.open(ref.path).convert("RGB").resize((size.width, size.height), Image.Resampling.BILINEAR)
        height, width = math.ceil(size.height / CROP) * CROP, math.ceil(size.width / CROP) * CROP
        canvas = Image.new("RGB", (width, height), (255, 255, 255))
        canvas.paste(resized, (0, 0))
        pixels = torch.tensor(np.array(canvas), dtype=torch.float32).permute(2, 0, 1) / 255 * 2 - 1
        whole = torch.nn.functional.interpolate(pixels[None], (CROP, CROP), mode="bicubic")[0]
        corners = [(top, left) for top in range(0, height, CROP) for left in range(0, width, CROP)]
        crops = [pixels[:, top : top + CROP, left : left + CROP] for top, left in corners]
        views.append([whole, *crops])
        seen = [
            [[top + row < size.height and left + column < size.width for column in steps()] for row in steps()]
            for top, left in corners
        ]
        masks.append([torch.ones(CROP // PATCH, CROP // PATCH), *(torch.tensor(each).float() for each in seen)])
        sizes.append([height, width])
    most = max(map(len, views))
    return {
        "image_pixel_values": torch.stack([padded(each, most, value=0.0) for each in views]),
        "image_attention_mask": torch.stack([padded(each, most, value=1.0) for each in masks]),
        "image_sizes": torch.tensor(sizes),
    }


def steps() -> Iterable[int]:
    """Where the patches of a crop begin."""
    return range(0, CROP, PATCH)


def padded(pieces: list[Tensor], length: int, *, value: float) -> Tensor:
    return torch.stack([*pieces, *([torch.full_like(pieces[0], value)] * (length - len(pieces)))])


def plain_logprobs(model: Any, adapter: ModelAdapter, sample: Sample, completion: tuple[int, ...]) -> Tensor:
    """Log-probabilities from `model(**inputs).logits` of one prompt with one completion, at temperature 1."""
    prompt = adapter.render(sample)
    token_ids = torch.tensor([[*prompt.token_ids, *completion]])
    inputs = {"input_ids": token_ids, "attention_mask": torch.ones_like(token_ids)} | image_inputs(adapter, sample)
    logits = model(**{name: tensor.to(model.device) for name, tensor in inputs.items()}).logits
    logits = logits[0, len(prompt.token_ids) - 1 : -1].float().index_fill(-1, adapter.banned, float("-inf"))
    answer = torch.tensor(completion, device=model.device)
    return torch.log_softmax(logits, dim=-1).gather(-1, answer[:, None])[:, 0]
