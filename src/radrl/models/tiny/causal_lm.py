"""A tiny text-only model: Qwen2, for one of the many."""

from collections.abc import Iterable

from transformers import Qwen2Config, Qwen2ForCausalLM

from radrl.models.tiny.parts import Sizes, TinyModel, decoder_sizes
from radrl.models.tiny.qwen_chat import CHAT_TEMPLATE, qwen_tokenizer


def make(corpus: Iterable[str], sizes: Sizes) -> TinyModel:
    """Make the parts, with a tokenizer trained on the corpus."""
    tokenizer = qwen_tokenizer(corpus, vocab_size=sizes.vocab_size)
    tokenizer.chat_template = CHAT_TEMPLATE
    settings = decoder_sizes(sizes, vocab_size=len(tokenizer)) | {
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
    return TinyModel(model=Qwen2ForCausalLM(Qwen2Config(**settings)), processor=tokenizer)
