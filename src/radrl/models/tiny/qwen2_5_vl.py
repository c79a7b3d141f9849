"""A tiny Qwen2.5-VL."""

from collections.abc import Iterable

from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from radrl.models.tiny.parts import HEAD_SIZE, MERGE, Sizes, TinyModel, decoder_sizes
from radrl.models.tiny.qwen_chat import (
    CHAT_TEMPLATE,
    image_token_ids,
    qwen_image_processor,
    qwen_tokenizer,
    qwen_video_processor,
)


def make(corpus: Iterable[str], sizes: Sizes) -> TinyModel:
    """Make the parts, with a tokenizer trained on the corpus."""
    tokenizer = qwen_tokenizer(corpus, vocab_size=sizes.vocab_size)
    text = decoder_sizes(sizes, vocab_size=len(tokenizer)) | {
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [4, 6, 6]},
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
        "fullatt_block_indexes": list(range(sizes.vision_layers)),
    }
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **image_token_ids(tokenizer)
    )
    processor = Qwen2_5_VLProcessor(
        image_processor=qwen_image_processor(sizes),
        tokenizer=tokenizer,
        video_processor=qwen_video_processor("Qwen2VLVideoProcessor", sizes),
        chat_template=CHAT_TEMPLATE,
    )
    return TinyModel(model=Qwen2_5_VLForConditionalGeneration(config), processor=processor)
