"""A tiny Phi-4-multimodal with its vision LoRA. Its crops are as large as the released model's: 448 pixels."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Phi4MultimodalConfig,
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalForCausalLM,
    Phi4MultimodalProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from radrl.models.families.phi4_images import Phi4ImageProcessorPil
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.families.phi4_processor import CHAT_TEMPLATE, END, NAMED_TOKENS
from radrl.models.lora import adapter_tensors, attach_lora
from radrl.models.phi4_checkpoint import VISION, VISION_FOLDER, save_vision_lora
from radrl.models.tiny.parts import HEAD_SIZE, Sizes, TinyModel, decoder_sizes
from radrl.models.tiny.tokenizer import train_tokenizer

PAD = "<|endoftext|>"
CROP_PX, PATCH_PX, MAX_CROPS = 448, 14, 2
LORA_RANK = 4
SHORT_CONTEXT = 1024
"""Tokens up to which LongRoPE has its short-range frequencies."""


def make(corpus: Iterable[str], sizes: Sizes) -> TinyModel:
    """Make the parts, with a tokenizer trained on the corpus.

    The image processor that other tools use knows crops of 448 pixels only, so `image_px` and `patch_px` have no
    meaning here, and an image is 545 tokens or more.
    """
    tokenizer = _tokenizer(corpus, vocab_size=sizes.vocab_size)
    ids = tokenizer.get_vocab()
    settings: dict[str, Any] = decoder_sizes(sizes, vocab_size=len(tokenizer)) | {
        "original_max_position_embeddings": SHORT_CONTEXT,
        "rope_parameters": _long_rope(),
        "bos_token_id": ids[PAD],
        "eos_token_id": [ids[PAD], ids[END]],
        "pad_token_id": ids[PAD],
        "tie_word_embeddings": True,
        "vision_config": _vision(sizes) | {"image_token_id": ids[NAMED_TOKENS["image_token"]]},
        "audio_config": _audio() | {"audio_token_id": ids[NAMED_TOKENS["audio_token"]]},
    }
    config = Phi4MultimodalConfig(**settings)
    processor = Phi4MultimodalProcessor(
        image_processor=Phi4ImageProcessorPil(dynamic_hd=MAX_CROPS),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )
    return TinyModel(model=Phi4MultimodalForCausalLM(config), processor=processor)


def write_vision_lora(model: PreTrainedModel, folder: Path, seed: int) -> None:
    """Write a vision LoRA beside the base that does something already: both of its factors are random."""
    attach_lora(
        model, targets=Phi4Multimodal.lora_targets, rank=LORA_RANK, alpha=2.0 * LORA_RANK, name=VISION, seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in adapter_tensors(model, VISION).items():
            if ".lora_B." in key:
                tensor.normal_(0.0, 0.05, generator=generator)
    save_vision_lora(model, folder / VISION_FOLDER)


def _tokenizer(corpus: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    return train_tokenizer(
        corpus,
        vocab_size=vocab_size,
        special_tokens=(PAD, END, *NAMED_TOKENS.values()),
        chat_words=(),
        eos_token=END,
        pad_token=PAD,
        named_tokens=NAMED_TOKENS,
    )


def _long_rope() -> dict[str, object]:
    """Frequencies over three quarters of a head, as in the released model."""
    pairs = HEAD_SIZE * 3 // 4 // 2
    return {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": SHORT_CONTEXT,
        "short_factor": [1.0] * pairs,
        "long_factor": [1.0 + 2.0 * pair for pair in range(pairs)],
    }


def _vision(sizes: Sizes) -> dict[str, int]:
    """One layer more than is used: features are taken before the last, as in the released model."""
    return {
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": 3 * sizes.vision_hidden_size,
        "num_hidden_layers": sizes.vision_layers + 1,
        "num_attention_heads": sizes.vision_hidden_size // HEAD_SIZE,
        "image_size": CROP_PX,
        "crop_size": CROP_PX,
        "patch_size": PATCH_PX,
    }


def _audio() -> dict[str, int]:
    """The smallest speech encoder: it has to be there, and nothing here uses it."""
    width = 32
    return {
        "hidden_size": width,
        "intermediate_size": width,
        "num_blocks": 1,
        "num_attention_heads": 2,
        "ext_pw_out_channel": width,
        "depthwise_separable_out_channel": width,
        "nemo_conv_channels": width,
    }
