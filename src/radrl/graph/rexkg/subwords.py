"""Words to WordPiece ids, one word at a time, and the typed markers of the relation model."""

# torch and transformers are typed in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tokenizers import normalizers, pre_tokenizers
from transformers import BertTokenizer

from radrl.graph.rexkg.labels import ENTITY_LABELS

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MAX_REMEMBERED: Final = 100_000
_MAX_CHARACTERS: Final = 512
"""Of a word; what comes after would be cut off as sub-tokens anyway."""

MARKERS: Final[Mapping[str, str]] = {
    f"{place}={label}": f"<{place}={label}>".lower()
    for label in ENTITY_LABELS
    for place in ("SUBJ_START", "SUBJ_END", "OBJ_START", "OBJ_END")
}
"""Name of a marker -> its token. The names are those of PURE's `special_tokens.json`."""


class Subwords:
    """A BERT tokenizer used as PURE uses it: each word by itself, and no special token ever from a text.

    The seed builds marker tokens that its vocabulary lacks, so every one of them is [UNK] to its relation model. Here
    `add_markers` makes each a token of its own, and a text that spells one out gets [UNK] in its place.
    """

    def __init__(self, tokenizer: BertTokenizer, *, marker_tokens: Mapping[str, str] | None = None) -> None:
        """`marker_tokens` maps marker names to tokens, for weights trained with others than MARKERS."""
        self.tokenizer = tokenizer
        self.marker_tokens = dict(MARKERS if marker_tokens is None else marker_tokens)
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()
        self._pieces: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        """Size of the vocabulary, markers included."""
        return len(self._vocabulary)

    @property
    def cls_id(self) -> int:
        """First token of every input."""
        return self._vocabulary["[CLS]"]

    @property
    def sep_id(self) -> int:
        """Last token of every input."""
        return self._vocabulary["[SEP]"]

    @property
    def pad_id(self) -> int:
        """What fills up a batch."""
        return self._vocabulary["[PAD]"]

    @property
    def unknown_id(self) -> int:
        """What stands for pieces that the vocabulary lacks."""
        return self._vocabulary["[UNK]"]

    @property
    def missing_basics(self) -> list[str]:
        """What no BERT vocabulary lacks, and this one does."""
        return [token for token in _SPECIAL[:4] if token not in self._vocabulary]

    @property
    def missing_markers(self) -> list[str]:
        """Marker tokens that the vocabulary lacks."""
        return [token for token in self.marker_tokens.values() if token not in self._vocabulary]

    def add_markers(self) -> None:
        """Append the missing markers to the vocabulary, each as one token."""
        self.tokenizer.add_tokens(self.missing_markers, special_tokens=True)
        self._vocabulary = self.tokenizer.get_vocab()
        self._pieces.clear()

    def marker_id(self, place: str, label: str) -> int:
        """Id of the marker at a place (`SUBJ_START`, ...) for an entity type."""
        return self.token_id(self.marker_tokens[f"{place}={label}"])

    def token_id(self, token: str) -> int:
        """Id of a token that the vocabulary has."""
        return self._vocabulary[token]

    def pieces(self, word: str, *, at_most: int) -> tuple[int, ...]:
        """Ids of a word, one or more. Of a longer word only the first pieces are kept, as no real word is that long."""
        word = word[:_MAX_CHARACTERS]
        pieces = self._pieces.get(word)
        if pieces is None:
            pieces = self._tokenize(word)
            if len(self._pieces) < _MAX_REMEMBERED:
                self._pieces[word] = pieces
        return pieces[:at_most]

    def _tokenize(self, word: str) -> tuple[int, ...]:
        reserved = {*self.marker_tokens.values(), *_SPECIAL}
        pieces: list[str] = ["[UNK]"] if word in reserved else self.tokenizer.tokenize(word)
        # A text must not be able to write a marker or a separator.
        ids = [self.unknown_id if piece in reserved else self._vocabulary[piece] for piece in pieces]
        return tuple(ids) or (self.unknown_id,)


def make_tokenizer(sentences: Iterable[Sequence[str]], *, num_words: int) -> BertTokenizer:
    """WordPiece vocabulary of the commonest words of a corpus, in which any other ASCII word can be spelt.

    Not the tokenizers library's trainer: its vocabularies differ from call to call, so no training would repeat.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        piece
        for words in sentences
        for word in words
        for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(word))
    )
    commonest = sorted(counts, key=lambda word: (-counts[word], word))[:num_words]
    characters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    tokens = dict.fromkeys((*_SPECIAL, *characters, *(f"##{character}" for character in characters), *commonest))
    return BertTokenizer(vocab={token: number for number, token in enumerate(tokens)}, do_lower_case=True)
