"""The chat format, tokenizer and image settings that Qwen's families share."""

from collections.abc import Iterable
from typing import Any

from transformers import BaseVideoProcessor, PreTrainedTokenizerFast, Qwen2VLImageProcessorPil

from radrl.compat import has_torchvision
from radrl.models.tiny.parts import MERGE, Sizes
from radrl.models.tiny.tokenizer import train_tokenizer

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_TOKENS = {
    "vision_bos_token": "<|vision_start|>",
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_eos_token": "<|vision_end|>",
}
CHAT_WORDS = ("user", "assistant")

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] -%}
{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def qwen_tokenizer(corpus: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer with ChatML's tokens and those around images."""
    return train_tokenizer(
        corpus,
        vocab_size=vocab_size,
        special_tokens=(PAD, START, END, *VISION_TOKENS.values()),
        chat_words=CHAT_WORDS,
        eos_token=END,
        pad_token=PAD,
        named_tokens=VISION_TOKENS | {"chat_start_token": START},
    )


def image_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What Qwen's configs call the tokens around images."""
    ids = {name: tokenizer.get_vocab()[token] for name, token in VISION_TOKENS.items()}
    return {
        "image_token_id": ids["image_token"],
        "video_token_id": ids["video_token"],
        "vision_start_token_id": ids["vision_bos_token"],
        "vision_end_token_id": ids["vision_eos_token"],
    }


def qwen_image_processor(sizes: Sizes) -> Qwen2VLImageProcessorPil:
    """Make the image settings: every image has about `image_px` squared pixels."""
    return Qwen2VLImageProcessorPil(
        min_pixels=sizes.image_px**2,
        max_pixels=sizes.image_px**2,
        patch_size=sizes.patch_px,
        merge_size=MERGE,
        temporal_patch_size=2,
    )


def qwen_video_processor(name: str, sizes: Sizes) -> BaseVideoProcessor | None:
    """Make what Qwen's processors ask for wherever it can be made, which is where torchvision is."""
    if not has_torchvision():
        return None
    import transformers

    return getattr(transformers, name)(patch_size=sizes.patch_px, merge_size=MERGE, temporal_patch_size=2)
