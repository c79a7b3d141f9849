"""What each token adds to a text, for both kinds of tokenizer."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE, WordPiece
from transformers import PreTrainedTokenizerFast

from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.token_text import TokenTexts

SPACE = "\u2581"
FALLBACK = ("<unk>", f"{SPACE}the", "heart", "<0xE2>", "<0x82>", "<0xAC>", SPACE)


def fallback_tokenizer(*steps: object) -> PreTrainedTokenizerFast:
    """Seven tokens: two words, the three bytes of the euro sign, a space."""
    vocabulary = {token: number for number, token in enumerate(FALLBACK)}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), *steps])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@pytest.fixture(params=["qwen2_5_vl", "gemma3"])
def either(request: pytest.FixtureRequest, open_family: Callable[..., ModelAdapter]) -> ModelAdapter:
    """A model with a byte-level tokenizer, and one with byte fallback."""
    return open_family(request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(data=st.data())
def test_texts_of_tokens_join_to_the_decoded_text(either: ModelAdapter, data: st.DataObject) -> None:
    token_ids = data.draw(st.lists(st.integers(0, len(either.tokenizer) - 1), max_size=20))
    token_ids = [token for token in token_ids if token not in either.banned_ids]
    texts = either.token_texts.split(token_ids)
    assert len(texts) == len(token_ids)
    assert "".join(texts) == either.tokenizer.decode(token_ids, skip_special_tokens=True)


def test_a_character_split_over_tokens_sits_on_the_last(either: ModelAdapter) -> None:
    token_ids = either.tokenizer.encode("a€b", add_special_tokens=False)
    assert len(token_ids) == 5
    assert either.token_texts.split([*token_ids, either.eos_ids[0]]) == ("a", "", "", "€", "b", "")


def test_bytes_that_are_no_character_are_replaced(adapter: ModelAdapter) -> None:
    """A byte-level decoder writes one mark for what is unfinished; one with byte fallback a mark for each byte."""
    begun = adapter.tokenizer.encode("a€", add_special_tokens=False)[:2]
    assert adapter.token_texts.split([*begun, adapter.eos_ids[0]]) == ("a", "\ufffd", "")
    texts = TokenTexts(fallback_tokenizer(), silent_ids=[0])
    assert texts.split([2, 3, 4, 5, 3, 4, 1, 3, 0, 4, 5]) == (
        *("heart", "\ufffd", "\ufffd", "\ufffd", "\ufffd", "\ufffd", " the"),
        *("", "", "", "€"),
    )


@pytest.mark.parametrize("token_ids", [[1, 2], [6, 1], [2, 1], [6, 6, 3, 4, 5], [3, 4, 5, 1], []])
def test_a_decoder_that_strips_the_first_space_takes_it_from_the_first_token(token_ids: list[int]) -> None:
    """Llama 2's."""
    tokenizer = fallback_tokenizer(decoders.Fuse(), decoders.Strip(" ", 1, 0))
    texts = TokenTexts(tokenizer, silent_ids=[0]).split(token_ids)
    assert "".join(texts) == tokenizer.decode(token_ids)
    if token_ids[:1] == [1]:
        assert texts[0] == "the"


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    tokenizer = Tokenizer(WordPiece({"a": 0, "[UNK]": 1}))
    tokenizer.decoder = decoders.WordPiece()
    with pytest.raises(ConfigError, match=r"decodes by \['WordPiece'\], so its tokens cannot be split"):
        TokenTexts(PreTrainedTokenizerFast(tokenizer_object=tokenizer), silent_ids=())
