"""What each token of a completion adds to its text."""

import codecs
from collections.abc import Collection, Sequence

from transformers import PreTrainedTokenizerBase

from radrl.errors import ConfigError


class TokenTexts:
    """Splits decoded text over its tokens, for tokenizers that work on bytes (GPT-2's alphabet: Qwen, Phi, ours)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, silent_ids: Collection[int]) -> None:
        """`silent_ids` are special tokens, which have no text."""
        decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
        if "ByteLevel" not in repr(decoder):
            raise ConfigError(
                f"the tokenizer of {tokenizer.name_or_path or 'this model'} is not byte-level ({decoder!r}), so its "
                "tokens cannot be split into text. Use a model with a byte-level tokenizer."
            )
        self._bytes = [_token_bytes(token) for token in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
        self._silent = frozenset(silent_ids)

    def split(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """[R] text of each token; joined they are the decoded completion.

        A character whose bytes are spread over tokens sits on the last of them. Bytes that are no UTF-8 become U+FFFD.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        texts = ["" if token in self._silent else decoder.decode(self._bytes[token]) for token in token_ids]
        unfinished = decoder.decode(b"", final=True)
        if unfinished:
            last = max(place for place, token in enumerate(token_ids) if token not in self._silent)
            texts[last] += unfinished
        return tuple(texts)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's map from printable characters to bytes: printable Latin-1 stands for itself, the rest from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + rank): byte for rank, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()


def _token_bytes(token: str | None) -> bytes:
    """Bytes of a vocabulary entry. Added tokens such as check marks are outside the alphabet, and are themselves."""
    if token is None:
        return b""
    if all(character in _BYTE_OF for character in token):
        return bytes(_BYTE_OF[character] for character in token)
    return token.encode()
