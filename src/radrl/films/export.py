"""The files of questions about real films. They name the images where they lie: no film is copied."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from radrl.errors import DataError
from radrl.films.draws import draw
from radrl.films.metadata import Film
from radrl.films.questions import FilmQuestion, ask
from radrl.phantom.rows import Json, triplet_row, write_jsonl
from radrl.types import IMAGE_MARK


def export_films(films: Sequence[Film], out: Path, *, shares: Mapping[str, int]) -> dict[str, Path]:
    """Write the questions of each split to `OUT/{split}.jsonl` as CX-Mind rows; a patient's films are all in one split.

    `shares` are relative numbers of patients. Raises DataError where a split is left without questions.
    """
    out.mkdir(parents=True, exist_ok=True)
    by_split: defaultdict[str, list[Film]] = defaultdict(list)
    for film in films:
        by_split[split_of(film.patient_id, shares=shares)].append(film)
    return {split: _write(out, split, by_split[split]) for split in shares}


def split_of(patient_id: str, *, shares: Mapping[str, int]) -> str:
    """The split that a patient falls in, by a draw that their id alone fixes.

    >>> split_of("nih-181", shares={"train": 2, "pool": 1, "test": 1})
    'train'
    """
    place = draw(patient_id) * sum(shares.values())
    names = list(shares)
    for name in names:
        place -= shares[name]
        if place < 0:
            return name
    return names[-1]


def film_row(question: FilmQuestion) -> Json:
    """A CX-Mind row, with absolute paths of the images."""
    return {
        "prompt": f"{IMAGE_MARK * len(question.films)}{question.text}",
        "answer": question.reference,
        "images": [str(film.path) for film in question.films],
        "id": question.id,
        "patient_id": question.patient_id,
        "kind": question.kind,
        "answer_kind": question.answer_kind.value,
        "options": list(question.options),
        "answer_set": list(question.answer),
        "triplets": [triplet_row(triplet) for triplet in question.triplets],
    }


def _write(out: Path, split: str, films: Sequence[Film]) -> Path:
    questions = ask(films)
    if not questions:
        raise DataError(
            f"no question can be asked of the {len(films)} films that fall in the split {split!r}, which goes by "
            "patient. Give a folder with films of more patients."
        )
    return write_jsonl(out / f"{split}.jsonl", (film_row(question) for question in questions))
