"""Medical-Diff-VQA: questions on a film of MIMIC-CXR, and on what changed since an earlier one.

mimic_pair_questions.csv has the questions, mimic_all.csv the film of each study; films lie in MIMIC-CXR-JPG's tree.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.answers import Change, normalise, read_changes
from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_film
from radrl.data.adapters.tables import read_table
from radrl.data.rows import Row
from radrl.types import AnswerKind

_QUESTIONS: Final = "mimic_pair_questions.csv"
_STUDIES: Final = "mimic_all.csv"
_NEEDS: Final = ("study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split")
_LISTED: Final = frozenset({"abnormality", "location"})
"""Question types whose answers name several things with commas between."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a question, under its type. A question of difference shows the main film and then the reference."""
    films = film_folder(folder, choices, inner="files")
    needs = ("study_id", "subject_id", "dicom_id", "view")
    with Lookup(read_table(folder / _STUDIES, needs=needs), by=("study_id",)) as studies:
        for row in read_table(folder / _QUESTIONS, needs=_NEEDS):
            if choices.asks(row.text("question_type").strip()):
                yield from _records(row, studies, films, drops)


def _records(row: Row, studies: Lookup, films: Path, drops: Drops) -> Iterator[Record]:
    kind, answer = row.text("question_type").strip(), row.text("answer").strip()
    shown = [_id(row, "study_id"), *([_id(row, "ref_id")] if kind == "difference" else [])]
    found = [studies.get(study_id) for study_id in shown]
    missing = [study_id for study_id, study in zip(shown, found, strict=True) if study is None]
    views = [study.text("view").strip() for study in found if study is not None]
    changes = read_changes(answer) if kind == "difference" else frozenset[Change]()
    if missing:
        drops.drop("study has no film in mimic_all.csv", origin=row.origin, detail=missing[0])
    elif not answer:
        drops.drop("no answer", origin=row.origin)
    elif kind == "difference" and (not changes or any(change[0] == "unknown" for change in changes)):
        drops.drop("difference is not in the grammar", origin=row.origin, detail=answer)
    else:
        answer_kind = _answer_kind(kind, answer)
        yield Record(
            id=f"medical_diff_vqa-{row.line}",
            split=as_split(row.text("split"), origin=row.origin),
            patient_id=_id(row, "subject_id"),
            study_id=shown[0],
            kind=kind,
            question=row.text("question").strip(),
            images=tuple(_film(films, study) for study in found if study is not None),
            answer_kind=answer_kind,
            answer=_items(answer) if answer_kind is AnswerKind.SET else (answer,),
            columns={"view": views[0], **({"changes": _sets(changes)} if changes else {})},
            origin=row.origin,
        )


def _answer_kind(kind: str, answer: str) -> AnswerKind:
    """Yes and no stand under most types; a difference keeps its sentences, of which rewards read the changes."""
    if kind != "difference" and normalise(answer) in ("yes", "no"):
        return AnswerKind.YES_NO
    return AnswerKind.SET if kind in _LISTED else AnswerKind.TEXT


def _items(answer: str) -> tuple[str, ...]:
    return tuple(item for part in answer.split(",") if (item := part.strip()))


def _sets(changes: frozenset[Change]) -> dict[str, object]:
    """What changed as four sets: findings added, findings removed, `[finding, from, to]` of levels, and nothing."""
    return {
        "added": sorted(change[1] for change in changes if change[0] == "added"),
        "removed": sorted(change[1] for change in changes if change[0] == "removed"),
        "changed": sorted(list(change[1:]) for change in changes if change[0] == "changed"),
        "none": ("none",) in changes,
    }


def _film(films: Path, study: Row) -> Path:
    place = MimicPlace(
        patient_id=_id(study, "subject_id"),
        study_id=_id(study, "study_id"),
        film_id=study.text("dicom_id").strip(),
    )
    return mimic_film(films, place)


def _id(row: Row, field: str) -> str:
    """Digits; a table that was saved with missing ids has them as `50414267.0`."""
    return row.text(field).strip().removesuffix(".0")


ADAPTER: Final = Adapter(
    name="medical_diff_vqa",
    title="Medical-Diff-VQA: 700,703 questions on films of MIMIC-CXR, 164,324 of them on what changed between two",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/medical-diff-vqa/; films come with "
    "MIMIC-CXR-JPG (--images).",
    needs=(_QUESTIONS, _STUDIES),
    read=read,
)
