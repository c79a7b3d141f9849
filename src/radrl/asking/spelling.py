"""Tokens as others list them, brought to spell exactly the text that they belong to."""

from collections.abc import Sequence


def spelt(texts: Sequence[str], text: str) -> tuple[str, ...] | None:
    """The tokens' texts without what is not in `text`: ends of sequences, or blanks that were stripped.

    None where the tokens do not spell it.

    >>> spelt([" ye", "s", "<|end|>"], "yes")
    ('ye', 's', '')
    """
    start = "".join(texts).find(text)
    if start < 0:
        return None
    end = start + len(text)
    kept: list[str] = []
    place = 0
    for each in texts:
        kept.append(each[max(0, start - place) : max(0, end - place)])
        place += len(each)
    return tuple(kept)
