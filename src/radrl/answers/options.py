"""Letters and names of a question's options."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from radrl.answers.labels import canonical_label, clean

LETTERS = "ABCDEFG"
"""Letters an option may have; an option without one has that of its position."""

_LETTER = re.compile(r"(?<![^\W_])[A-G](?![^\W_])")
_ARTICLE = re.compile(r"(?<![^\W_])A\s+(?!(?:is|was|holds|fits|because|since|as)\b)[a-z]")
_LETTERED = re.compile(r"\(?([A-Ga-g])(?:[).:]+\s*(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTable:
    """The options of a question by letter and by canonical name.

    Example: the options `("A) left effusion", "cardiomegaly")` have the letters A and B.
    """

    letters: tuple[str, ...]
    """Written ones, else by position; empty beyond G."""
    names: tuple[str, ...]
    """Canonical; empty where an option is a mere letter."""

    def find(self, *, letter: str | None, name: str) -> int | None:
        """Position of the option meant, or None. Letter and name must agree where both are given."""
        by_name = self.names.index(name) if name and name in self.names else None
        if letter is None:
            return by_name
        by_letter = self.letters.index(letter) if letter in self.letters else None
        return by_letter if not name or by_name == by_letter else None


@lru_cache(maxsize=4096)
def option_table(options: tuple[str, ...]) -> OptionTable:
    """Letters and canonical names of a question's options."""
    split = [split_letter(clean(option)) for option in options]
    return OptionTable(
        letters=tuple(letter or LETTERS[i : i + 1] for i, (letter, _) in enumerate(split)),
        names=tuple(canonical_label(name) for _, name in split),
    )


def read_choice(text: str, options: Sequence[str]) -> str | None:
    """Name of the option chosen (its letter where it has no name), or None.

    By its name, its letter, or prose with exactly one stand-alone capital A to G. Without `options` it is the letter.
    """
    table = option_table(tuple(options))
    letter, name = split_letter(text)
    chosen = table.find(letter=letter, name=canonical_label(name))
    if chosen is None and letter is None:
        letter = _only_letter(text)
        chosen = table.find(letter=letter, name="") if letter else None
    if not options:
        return letter
    return None if chosen is None else table.names[chosen] or table.letters[chosen]


def split_letter(text: str) -> tuple[str | None, str]:
    """`C) edema` is ("C", "edema"), `(D)` is ("D", ""), `edema` is (None, "edema")."""
    text = text.strip()
    bare = text.strip("().: ")
    if len(bare) == 1 and bare.upper() in LETTERS:
        return bare.upper(), ""
    lettered = _LETTERED.fullmatch(text)
    return (lettered.group(1).upper(), lettered.group(2) or "") if lettered else (None, text)


def _only_letter(text: str) -> str | None:
    """The one letter of a text; an A that may be the article names nothing, and makes a second letter ambiguous."""
    letters = _LETTER.findall(text)
    if len(set(letters)) != 1 or len(letters) == len(_ARTICLE.findall(text)):
        return None
    return letters[0]
