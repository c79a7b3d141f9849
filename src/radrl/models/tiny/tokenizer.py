"""A small tokenizer that knows the words of a corpus."""

from collections.abc import Iterable, Mapping, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from radrl.types import IMAGE_MARK

TRACE_TOKENS = ("<think>", "</think>", "<answer>", "</answer>", "✅", "❌")
"""One token each, and part of the text: they are what a trace is made of."""


def train_tokenizer(
    corpus: Iterable[str],
    *,
    vocab_size: int,
    special_tokens: Sequence[str],
    chat_words: Sequence[str],
    eos_token: str,
    pad_token: str,
    named_tokens: Mapping[str, str],
) -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text can be written, and frequent words of the corpus are one token.

    Special tokens get the first ids, in order. `chat_words` are what the chat template adds to a question besides
    them. `named_tokens` are those that a processor asks the tokenizer for by name.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(TRACE_TOKENS),
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_pieces(corpus, chat_words=chat_words), trainer)
    add_trace_tokens(tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=eos_token,
        pad_token=pad_token,
        extra_special_tokens=dict(named_tokens),
        padding_side="left",
        model_max_length=4096,
    )


def training_pieces(corpus: Iterable[str], *, chat_words: Sequence[str]) -> Iterable[str]:
    """What a tokenizer is trained on."""
    return (piece for text in corpus for piece in (*chat_words, *_between_tokens(text)))


def add_trace_tokens(tokenizer: Tokenizer) -> None:
    """Make each mark of a trace a token behind all others."""
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in TRACE_TOKENS])


def _between_tokens(text: str) -> list[str]:
    """Text between trace tokens and image marks, so that no merge is spent on what is a token already."""
    for token in (*TRACE_TOKENS, IMAGE_MARK):
        text = text.replace(token, "\0")
    return [piece for piece in text.split("\0") if piece]
