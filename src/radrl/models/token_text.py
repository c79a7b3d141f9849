"""What each token of a completion adds to its text."""

import codecs
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from transformers import PreTrainedTokenizerBase

from radrl.errors import ConfigError


class TokenTexts:
    """Splits decoded text over its tokens.

    For tokenizers that work on bytes (GPT-2's alphabet: Qwen, Phi-4, Llama 3) and for those that work on characters
    and fall back to bytes (SentencePiece: Gemma, Llama 2).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, silent_ids: Collection[int]) -> None:
        """`silent_ids` are special tokens, which have no text."""
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        steps = _decoder_steps(tokenizer)
        kinds = [step["type"] for step in steps]
        self._silent = frozenset(silent_ids)
        self._splitter: _Splitter
        if kinds == ["ByteLevel"]:
            self._splitter = _Bytes(tokens)
        elif "ByteFallback" in kinds and set(kinds) <= {"Replace", "ByteFallback", "Fuse", "Strip"}:
            self._splitter = _CharactersOrBytes(tokens, steps=steps)
        else:
            name = tokenizer.name_or_path or "this model"
            raise ConfigError(
                f"the tokenizer of {name} decodes by {kinds}, so its tokens cannot be split into text. Use a model "
                "with a byte-level tokenizer, or one with byte fallback."
            )

    def split(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """[R] text of each token; joined they are the decoded completion.

        A character whose bytes are spread over tokens sits on the last of them. Bytes that are no UTF-8 become U+FFFD.
        """
        spoken = [place for place, token in enumerate(token_ids) if token not in self._silent]
        texts = [""] * len(token_ids)
        for place, text in zip(spoken, self._splitter.split([token_ids[place] for place in spoken]), strict=True):
            texts[place] = text
        return tuple(texts)


class _Splitter(Protocol):
    def split(self, token_ids: Sequence[int]) -> list[str]:
        """Text of each token, none of them special."""
        ...


class _Bytes:
    """Every token is some bytes."""

    def __init__(self, tokens: Sequence[str | None]) -> None:
        self._bytes = [_token_bytes(token) for token in tokens]

    def split(self, token_ids: Sequence[int]) -> list[str]:
        return _decoded([self._bytes[token] for token in token_ids], errors="replace")


class _CharactersOrBytes:
    """Most tokens are text; what the vocabulary lacks is written byte by byte, by tokens such as `<0xE2>`."""

    def __init__(self, tokens: Sequence[str | None], *, steps: Sequence[Mapping[str, Any]]) -> None:
        written = {number: _fallback_byte(token) for number, token in enumerate(tokens)}
        self._byte = {number: byte for number, byte in written.items() if byte is not None}
        self._text = [token or "" for token in tokens]
        for step in steps:
            if step["type"] == "Replace":
                self._text = [text.replace(step["pattern"]["String"], step["content"]) for text in self._text]
        strip = next((step for step in steps if step["type"] == "Strip"), None)
        self._leading = strip["content"] * strip["start"] if strip else ""

    def split(self, token_ids: Sequence[int]) -> list[str]:
        texts: list[str] = []
        run: list[bytes] = []
        for token in token_ids:
            if token in self._byte:
                run.append(self._byte[token])
                continue
            texts += [*_run_of_bytes(run), self._text[token]]
            run = []
        texts += _run_of_bytes(run)
        first = next((place for place, text in enumerate(texts) if text), None)
        if first is not None:
            texts[first] = texts[first].removeprefix(self._leading)
        return texts


def _run_of_bytes(run: Sequence[bytes]) -> list[str]:
    """Text of byte tokens that follow each other: as the decoder does it, all of them or none are characters."""
    try:
        return _decoded(run, errors="strict")
    except UnicodeDecodeError:
        return ["\ufffd"] * len(run)


def _decoded(pieces: Sequence[bytes], *, errors: str) -> list[str]:
    """Decode piece by piece: a character sits on the piece that ends it, what is unfinished on the last."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors=errors)
    texts = [decoder.decode(piece) for piece in pieces]
    unfinished = decoder.decode(b"", final=True)
    if unfinished:
        texts[-1] += unfinished
    return texts


def _decoder_steps(tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """Steps of a fast tokenizer's decoder, as its file describes them."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    if decoder is None:
        return []
    described = json.loads(decoder.__getstate__())
    return described["decoders"] if described["type"] == "Sequence" else [described]


def _fallback_byte(token: str | None) -> bytes | None:
    """Byte that a token such as `<0xE2>` stands for; None of other tokens."""
    found = re.fullmatch("<0x([0-9A-F]{2})>", token or "")
    return bytes.fromhex(found[1]) if found else None


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
