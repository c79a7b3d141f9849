"""ReXKG's own sentences and words: what its models were trained on, so what they must be given.

A sentence ends at a full stop, decimals stay whole, `/ , : . ! ? ( )` are words of their own, everything is lower case,
and sentences of fewer than two words are dropped.
Deviations from CheX-Phi4MM's `preprocess_sentences_all`: a line break is a space (deleted, as there, it joins the last
word of a line to the first of the next), and a sentence may hold any number of decimals (there "5.5 x 3.2 cm" is cut
after the 3).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[/,:.!?()]|[^\s/,:.!?()]+")
_MIN_WORDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word and where it stands.

    Example: `Word(text="effusion", start=3, end=11)`
    """

    text: str
    """Lower case."""
    start: int
    """Code points into the text."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of one text of a list.

    Example: `Sentence(text_index=0, doc_key="0_2", words=(Word(text="no", ...), Word(text="effusion", ...)))`
    """

    text_index: int
    doc_key: str
    """`{text}_{sentence}`. Dropped sentences are counted, so numbers may be missing."""
    words: tuple[Word, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words' texts."""
        return tuple(word.text for word in self.words)


def split_all(texts: Sequence[str]) -> list[Sentence]:
    """Sentences of all texts in order. A text without a usable one has none; the others keep their index."""
    return [sentence for index, text in enumerate(texts) for sentence in split(text, text_index=index)]


def split(text: str, *, text_index: int = 0) -> list[Sentence]:
    """Sentences of a text with at least two words.

    >>> [sentence.tokens for sentence in split("No effusion. Size 5.5 cm. Ok.")]
    [('no', 'effusion'), ('size', '5', '.', '5', 'cm')]
    """
    sentences: list[Sentence] = []
    words: list[Word] = []
    number = 0

    def close() -> None:
        if len(words) >= _MIN_WORDS:
            sentences.append(Sentence(text_index=text_index, doc_key=f"{text_index}_{number}", words=tuple(words)))
        words.clear()

    for match in _WORD.finditer(text):
        if match.group() == "." and not _is_decimal_point(text, match.start()):
            close()
            number += 1
        else:
            words.append(Word(text=match.group().lower(), start=match.start(), end=match.end()))
    close()
    return sentences


def _is_decimal_point(text: str, place: int) -> bool:
    return 0 < place < len(text) - 1 and text[place - 1].isdecimal() and text[place + 1].isdecimal()
