"""Small models of the real classes, from nothing: for the demo, for tests, and to try a recipe on a laptop."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import (
    BaseVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
)

from radrl.compat import has_torchvision, open_processors_without_torchvision
from radrl.errors import ConfigError
from radrl.models.adapter import IMAGE_MARK
from radrl.models.load import save_processor

HEAD_SIZE = 32
MERGE = 2
"""Patches merged to a token, along each side."""
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_TOKENS = {
    "vision_bos_token": "<|vision_start|>",
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_eos_token": "<|vision_end|>",
}
TRACE_TOKENS = ("<think>", "</think>", "<answer>", "</answer>", "✅", "❌")
"""One token each, and part of the text: they are what a trace is made of."""
CHAT_WORDS = ("user", "assistant")
"""What the chat template adds to a question, besides special tokens."""

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] -%}
{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def build_tiny(
    out: Path,
    *,
    corpus: Iterable[str],
    family: str = "qwen2_5_vl",
    hidden_size: int = 128,
    num_layers: int = 2,
    vision_hidden_size: int = 64,
    vision_layers: int = 2,
    image_px: int = 64,
    patch_px: int = 16,
    vocab_size: int = 700,
    seed: int = 0,
) -> Path:
    """Write an untrained model of the family, with a tokenizer trained on the corpus, and return its folder.

    A square image is seen at `image_px` squared and becomes (image_px / (2 patch_px))^2 tokens, 4 at the defaults;
    others have about as many pixels. The same arguments give the same files. Raises ConfigError for sizes that do not
    fit each other.
    """
    _check(family, hidden_size=hidden_size, vision_hidden_size=vision_hidden_size, image_px=image_px, patch_px=patch_px)
    open_processors_without_torchvision()
    tokenizer = _train_tokenizer(corpus, vocab_size=vocab_size)
    config = _config(
        tokenizer,
        hidden_size=hidden_size,
        num_layers=num_layers,
        vision_hidden_size=vision_hidden_size,
        vision_layers=vision_layers,
        patch_px=patch_px,
    )
    model = Qwen2_5_VLForConditionalGeneration(config).float()
    initialise(model, hidden_size=hidden_size, seed=seed)
    image_processor = Qwen2VLImageProcessorPil(
        min_pixels=image_px**2, max_pixels=image_px**2, patch_size=patch_px, merge_size=MERGE, temporal_patch_size=2
    )
    processor = Qwen2_5_VLProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        video_processor=_video_processor(patch_px=patch_px),
        chat_template=CHAT_TEMPLATE,
    )
    model.save_pretrained(out)
    save_processor(processor, out)
    return out


def initialise(model: torch.nn.Module, *, hidden_size: int, seed: int) -> None:
    """Draw matrices from N(0, 1 / hidden_size), convolutions at a quarter of that deviation; biases and norms stay.

    Hugging Face's fixed deviation of 0.02 suits widths in the thousands. At a width of 128 signals then shrink from
    layer to layer: in a pilot such a model reached 0.7 of a task in the steps in which this rule took it to 0.99.
    """
    generator = torch.Generator().manual_seed(seed)
    deviation = hidden_size**-0.5
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0.0, deviation if parameter.ndim == 2 else deviation / 4, generator=generator)


def _check(family: str, *, hidden_size: int, vision_hidden_size: int, image_px: int, patch_px: int) -> None:
    if family != "qwen2_5_vl":
        raise ConfigError(f"there is no tiny model of family {family!r}. Use --family qwen2_5_vl.")
    for name, size, unit in (
        ("hidden_size", hidden_size, 2 * HEAD_SIZE),
        ("vision_hidden_size", vision_hidden_size, HEAD_SIZE),
        ("image_px", image_px, MERGE * patch_px),
    ):
        if size % unit:
            raise ConfigError(
                f"{name} is {size}, which is not a multiple of {unit}. Use {max(size // unit, 1) * unit}."
            )


def _train_tokenizer(corpus: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text can be written, and frequent words of the corpus are one token."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, START, END, *VISION_TOKENS.values()]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(TRACE_TOKENS),
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    pieces = (piece for text in corpus for piece in (*CHAT_WORDS, *_between_tokens(text)))
    tokenizer.train_from_iterator(pieces, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in TRACE_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=VISION_TOKENS | {"chat_start_token": START},
        padding_side="left",
        model_max_length=4096,
    )


def _between_tokens(text: str) -> list[str]:
    """Text between trace tokens and image marks, so that no merge is spent on what is a token already."""
    for token in (*TRACE_TOKENS, IMAGE_MARK):
        text = text.replace(token, "\0")
    return [piece for piece in text.split("\0") if piece]


def _video_processor(*, patch_px: int) -> BaseVideoProcessor | None:
    """Make what the processor of this family asks for wherever it can be made, which is where torchvision is."""
    if not has_torchvision():
        return None
    from transformers import Qwen2VLVideoProcessor

    return Qwen2VLVideoProcessor(patch_size=patch_px, merge_size=MERGE, temporal_patch_size=2)


def _config(
    tokenizer: PreTrainedTokenizerFast,
    *,
    hidden_size: int,
    num_layers: int,
    vision_hidden_size: int,
    vision_layers: int,
    patch_px: int,
) -> Qwen2_5_VLConfig:
    ids = {name: tokenizer.get_vocab()[token] for name, token in VISION_TOKENS.items()}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden_size,
        "intermediate_size": 3 * hidden_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": hidden_size // HEAD_SIZE,
        "num_key_value_heads": hidden_size // HEAD_SIZE // 2,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [4, 6, 6]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": vision_layers,
        "hidden_size": vision_hidden_size,
        "intermediate_size": 3 * vision_hidden_size,
        "num_heads": vision_hidden_size // HEAD_SIZE,
        "out_hidden_size": hidden_size,
        "patch_size": patch_px,
        "spatial_merge_size": MERGE,
        "fullatt_block_indexes": list(range(vision_layers)),
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["image_token"],
        video_token_id=ids["video_token"],
        vision_start_token_id=ids["vision_bos_token"],
        vision_end_token_id=ids["vision_eos_token"],
        tie_word_embeddings=True,
    )
