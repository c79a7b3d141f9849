"""What a Hugging Face model and processor make of a sample themselves: the reference of the tests of every family."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import BatchFeature

from radrl.models.adapter import ModelAdapter
from radrl.types import IMAGE_MARK, Sample

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "gemma3", "causal_lm")
SEEING = tuple(family for family in FAMILIES if family != "causal_lm")
QUESTIONS = ("What is there?", "<image>Is there a left pleural effusion?", "First <image>, then <image>: what is new?")
"""About no, one and two images."""


def samples_for(adapter: ModelAdapter, ask: Callable[..., Sample]) -> list[Sample]:
    """The questions above, without the images where the model reads text only."""
    if adapter.family.vision_tower is None:
        return [ask(question.replace(IMAGE_MARK, "")) for question in QUESTIONS]
    return [ask(question, num_images=number) for number, question in enumerate(QUESTIONS)]


def processed(adapter: ModelAdapter, sample: Sample) -> BatchFeature:
    """What the processor makes of the sample's text and images."""
    text = [adapter.render(sample).text]
    options: dict[str, Any] = {"add_special_tokens": False, "return_tensors": "pt"}
    if not sample.images:
        return adapter.processor(text=text, **options)
    return adapter.processor(
        text=text, images=[[Image.open(ref.path).convert("RGB") for ref in sample.images]], **options
    )


def plain_logprobs(adapter: ModelAdapter, sample: Sample, completion: tuple[int, ...], *, temperature: float) -> Tensor:
    """Log-probabilities from `model(**inputs).logits` of one prompt with one completion."""
    inputs = processed(adapter, sample)
    answer = torch.tensor([completion])
    num_prompt = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    for kinds in ("mm_token_type_ids", "token_type_ids"):
        if kinds in inputs:
            inputs[kinds] = torch.cat([inputs[kinds], torch.zeros_like(answer)], dim=1)
    logits = adapter.model(**inputs.to(adapter.device)).logits[0, num_prompt - 1 : -1].float() / temperature
    logits = logits.index_fill(-1, adapter.banned, float("-inf"))
    return torch.log_softmax(logits, dim=-1).gather(-1, answer[0, :, None].to(adapter.device))[:, 0]
