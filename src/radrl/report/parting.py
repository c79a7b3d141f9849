"""Questions on which two models part ways: which of them are shown, and how."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from radrl.evaluation.compare import Pairs
from radrl.evaluation.records import EvalRecord
from radrl.graph.extract import extract
from radrl.report.graph_layout import lay_out
from radrl.report.graphs import highlight
from radrl.report.images import make_thumbnail
from radrl.text import parse_trace, think_text

MAX_CASES = 300
"""Questions on a page at most: with a film each about 6 MB."""

SORTS: Mapping[str, str] = {
    "lost": "right to wrong",
    "gained": "wrong to right",
    "different": "both wrong and different",
}
"""How two answers to a question differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """Two answers to a question that differ in what they say or in whether it is right."""

    sort: str
    """One of SORTS."""
    before: EvalRecord
    after: EvalRecord

    @property
    def surety(self) -> float:
        """How sure the models were of their wrong answers, summed: the more, the more there is to learn from."""
        return sum(one.confidence or 0.0 for one in (self.before, self.after) if not one.correct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A radiograph on the page, held once, however many questions show it."""

    key: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question as the page shows it."""

    parted: Parted
    question: str
    gold: str
    answers: tuple[str, str]
    """Before and after."""
    reasonings: tuple[Markup, Markup]
    """Before and after; what each states is marked by whether the other states it too."""
    films: tuple[tuple[str, str | None], ...]
    """File name and key of the picture; None where it could not be read."""


def choose_cases(pairs: Pairs, *, limit: int) -> tuple[tuple[Parted, ...], dict[str, int]]:
    """The most telling questions, at most `limit`, and how many there are of each sort.

    Each sort may fill a third, and what one leaves free goes to the others; within a sort those come first whose wrong
    answers the models were surest of. Of a question's completions the first that parts is shown.
    """
    sorts: dict[str, list[Parted]] = {sort: [] for sort in SORTS}
    seen: set[tuple[str, str]] = set()
    for before, after in zip(pairs.before, pairs.after, strict=True):
        sort = _sort_of(before, after)
        if sort is not None and (sort, after.id) not in seen:
            seen.add((sort, after.id))
            sorts[sort].append(Parted(sort=sort, before=before, after=after))
    for members in sorts.values():
        members.sort(key=lambda parted: (-parted.surety, parted.after.id))
    taken = _shares({sort: len(members) for sort, members in sorts.items()}, limit=limit)
    chosen = tuple(parted for sort, members in sorts.items() for parted in members[: taken[sort]])
    return chosen, {sort: len(members) for sort, members in sorts.items()}


def films_of(chosen: Sequence[Parted]) -> dict[str, Film | None]:
    """The films of the chosen questions by path; None for one that is gone or is no picture."""
    paths = dict.fromkeys(path for parted in chosen for path in parted.after.images or parted.before.images or ())
    pictures = {path: make_thumbnail(Path(path)) for path in paths}
    return {path: picture and Film(key=picture.key, uri=picture.uri) for path, picture in pictures.items()}


def show_case(parted: Parted, films: Mapping[str, Film | None]) -> Case:
    """A question with both answers and both reasonings."""
    before, after = parted.before, parted.after
    paths = after.images or before.images or ()
    return Case(
        parted=parted,
        question=after.question.replace("<image>", "").strip(),
        gold=_names(after.answer),
        answers=(_names(before.prediction), _names(after.prediction)),
        reasonings=_marked(before.generated_text, after.generated_text),
        films=tuple((Path(path).name, film.key if (film := films.get(path)) else None) for path in paths),
    )


def _sort_of(before: EvalRecord, after: EvalRecord) -> str | None:
    if before.correct != after.correct:
        return "gained" if after.correct else "lost"
    return "different" if not after.correct and before.prediction != after.prediction else None


def _shares(counts: Mapping[str, int], *, limit: int) -> dict[str, int]:
    """How many of each sort: as even as their counts allow, `limit` in all."""
    taken: defaultdict[str, int] = defaultdict(int)
    free = limit
    for rank, sort in enumerate(sorted(counts, key=lambda sort: counts[sort])):
        taken[sort] = min(counts[sort], free // (len(counts) - rank))
        free -= taken[sort]
    return taken


def _marked(before: str, after: str) -> tuple[Markup, Markup]:
    first, second = (think_text(parse_trace(text)) or text for text in (before, after))
    one, other = extract(first), extract(second)
    layout = lay_out(predicted=other, reference=one)
    return (
        highlight(first, one, side=layout.reference, own="missed"),
        highlight(second, other, side=layout.predicted, own="added"),
    )


def _names(answer: tuple[str, ...] | None) -> str:
    return "unreadable" if answer is None else ", ".join(answer) or "no finding"
