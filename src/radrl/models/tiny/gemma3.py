"""A tiny Gemma 3, with a tokenizer of Gemma's kind: BPE on characters that falls back to bytes."""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    PreTrainedTokenizerFast,
)

from radrl.models.tiny.parts import HEAD_SIZE, Sizes, TinyModel, decoder_sizes
from radrl.models.tiny.tokenizer import TRACE_TOKENS, add_trace_tokens, training_pieces

PAD, END, START, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
TURN, TURN_END = "<start_of_turn>", "<end_of_turn>"
IMAGE_TOKENS = {
    "boi_token": "<start_of_image>",
    "image_token": "<image_soft_token>",
    "eoi_token": "<end_of_image>",
}
CHAT_WORDS = ("user", "model")
NEWLINES = ("\n", "\n\n", "\n\n\n", "\n\n\n\n", "\n\n\n\n\n")
"""Gemma has a token for every run of newlines, so those of the template and those around an image become one."""
SLIDING_WINDOW = 24
"""Tokens. Short, so that it matters in prompts of a test's length."""

CHAT_TEMPLATE = """\
{{ bos_token }}
{%- for message in messages -%}
<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] -%}
{% if part['type'] == 'image' %}<start_of_image>{% else %}{{ part['text'] }}{% endif %}
{%- endfor %}{% endif %}<end_of_turn>
{% endfor -%}
{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""


def make(corpus: Iterable[str], sizes: Sizes) -> TinyModel:
    """Make the parts, with a tokenizer trained on the corpus.

    All layers but the last attend within a window, as five of six do in the released models.
    """
    tokenizer = _train_tokenizer(corpus, vocab_size=sizes.vocab_size)
    text = decoder_sizes(sizes, vocab_size=len(tokenizer)) | {
        "head_dim": HEAD_SIZE,
        "query_pre_attn_scalar": HEAD_SIZE,
        "sliding_window": SLIDING_WINDOW,
        "layer_types": ["sliding_attention"] * (sizes.num_layers - 1) + ["full_attention"],
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": sizes.vision_hidden_size,
        "intermediate_size": 3 * sizes.vision_hidden_size,
        "num_hidden_layers": sizes.vision_layers,
        "num_attention_heads": sizes.vision_hidden_size // HEAD_SIZE,
        "image_size": sizes.image_px,
        "patch_size": sizes.patch_px,
        "vision_use_head": False,
    }
    ids = tokenizer.get_vocab()
    settings: dict[str, Any] = {
        "mm_tokens_per_image": sizes.tokens_per_image,
        "boi_token_index": ids[IMAGE_TOKENS["boi_token"]],
        "eoi_token_index": ids[IMAGE_TOKENS["eoi_token"]],
        "image_token_index": ids[IMAGE_TOKENS["image_token"]],
        "eos_token_id": [ids[END], ids[TURN_END]],
    }
    config = Gemma3Config(text_config=text, vision_config=vision, **settings)
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": sizes.image_px, "width": sizes.image_px}),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
        image_seq_length=sizes.tokens_per_image,
    )
    return TinyModel(model=Gemma3ForConditionalGeneration(config), processor=processor)


def _train_tokenizer(corpus: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Learn merges from the corpus, and put a token for each byte beside them for what the corpus lacks."""
    special = [PAD, END, START, UNKNOWN, TURN, TURN_END, *IMAGE_TOKENS.values()]
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    learner = _spaces_as_underscores(Tokenizer(BPE()))
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(every_byte) - len(NEWLINES) - len(TRACE_TOKENS),
        special_tokens=special,
        show_progress=False,
    )
    learner.train_from_iterator(training_pieces(corpus, chat_words=CHAT_WORDS), trainer)
    learnt = json.loads(learner.to_str())["model"]
    tokens = [*sorted(learnt["vocab"], key=learnt["vocab"].__getitem__), *every_byte, *NEWLINES]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    merges = [*(tuple(pair) for pair in learnt["merges"]), *_newline_merges()]
    tokenizer = _spaces_as_underscores(
        Tokenizer(BPE(vocab=vocabulary, merges=merges, byte_fallback=True, fuse_unk=True, unk_token=UNKNOWN))
    )
    tokenizer.add_special_tokens(special)
    add_trace_tokens(tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        extra_special_tokens=IMAGE_TOKENS | {"turn_token": TURN, "turn_end_token": TURN_END},
        padding_side="left",
        model_max_length=4096,
    )


def _spaces_as_underscores(tokenizer: Tokenizer) -> Tokenizer:
    """Read and write a space as SentencePiece does, and split text behind each."""
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _newline_merges() -> list[tuple[str, str]]:
    """Pairs that make the longer runs, the longest parts first."""
    longest = len(NEWLINES)
    return [
        ("\n" * first, "\n" * (length - first))
        for length in range(2, longest + 1)
        for first in range(length - 1, 0, -1)
    ]
