"""A tiny Qwen3-VL."""

from collections.abc import Iterable

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from radrl.models.tiny.parts import HEAD_SIZE, MERGE, Sizes, TinyModel, decoder_sizes
from radrl.models.tiny.qwen_chat import (
    CHAT_TEMPLATE,
    image_token_ids,
    qwen_image_processor,
    qwen_tokenizer,
    qwen_video_processor,
)

MAX_DEEPSTACK = 3
"""Layers of the tower, from the first, whose features go into the decoder: three, as in the released models."""


def make(corpus: Iterable[str], sizes: Sizes) -> TinyModel:
    """Make the parts, with a tokenizer trained on the corpus."""
    tokenizer = qwen_tokenizer(corpus, vocab_size=sizes.vocab_size)
    text = decoder_sizes(sizes, vocab_size=len(tokenizer)) | {
        "head_dim": HEAD_SIZE,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [6, 5, 5],
            "mrope_interleaved": True,
        },
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": 3 * sizes.vision_hidden_size,
        "num_heads": sizes.vision_hidden_size // HEAD_SIZE,
        "out_hidden_size": sizes.hidden_size,
        "patch_size": sizes.patch_px,
        "spatial_merge_size": MERGE,
        "num_position_embeddings": (sizes.image_px // sizes.patch_px) ** 2,
        "deepstack_visual_indexes": list(range(min(MAX_DEEPSTACK, sizes.vision_layers, sizes.num_layers))),
    }
    config = Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **image_token_ids(tokenizer)
    )
    processor = Qwen3VLProcessor(
        image_processor=qwen_image_processor(sizes),
        tokenizer=tokenizer,
        video_processor=qwen_video_processor("Qwen3VLVideoProcessor", sizes),
        chat_template=CHAT_TEMPLATE,
    )
    return TinyModel(model=Qwen3VLForConditionalGeneration(config), processor=processor)
