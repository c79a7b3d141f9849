"""Answers in free words, as question sets give them: which kind each is, and what is kept of it."""

from radrl.answers import normalise, read_number
from radrl.types import AnswerKind

_NOTHING = frozenset({"none", "nothing"})
"""Words for an empty list."""


def kind_of_answer(text: str, *, is_list: bool = False) -> AnswerKind:
    """How an answer is to be read, by its look: `yes` or `no`, a number, names (`is_list`), or words.

    >>> kind_of_answer("2")
    <AnswerKind.NUMBER: 'number'>
    """
    if normalise(text) in ("yes", "no"):
        return AnswerKind.YES_NO
    if text.strip()[:1].isdigit() and read_number(text) is not None:
        return AnswerKind.NUMBER
    return AnswerKind.SET if is_list else AnswerKind.TEXT


def answer_items(text: str, kind: AnswerKind) -> tuple[str, ...]:
    """The answer's items: names between commas, else the whole text; nothing where it says that there is none.

    >>> answer_items("Cardiomegaly, Effusion", AnswerKind.SET)
    ('Cardiomegaly', 'Effusion')
    """
    text = text.strip()
    if kind is not AnswerKind.SET:
        return (text,)
    items = (item.strip() for item in text.split(","))
    return tuple(item for item in items if item and normalise(item) not in _NOTHING)
