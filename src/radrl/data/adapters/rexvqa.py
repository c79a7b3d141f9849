"""ReXVQA: questions with options about the studies of ReXGradient-160K, each with the reason for its answer."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

from radrl.answers import option_table
from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.tables import found, read_items
from radrl.data.rows import Row
from radrl.types import AnswerKind

_SPLITS: Final[Mapping[str, Split]] = {"train": "train", "valid": "val", "test": "test"}
_OPTION: Final = re.compile(r"\s*\(?([A-Z])[.):]\s*(.*\S)\s*", re.DOTALL)
_AGE: Final = re.compile(r"(\d{3})([DWMY])")
_YEARS: Final[Mapping[str, float]] = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
"""DICOM's units of age, in years."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a question. Patients, ages and sexes come from ReXGradient's tables where they lie beside it."""
    films = (choices.images or folder).absolute()
    if not choices.asks("choice"):
        return
    for name, split in _SPLITS.items():
        questions = folder / "metadata" / f"{name}_vqa_data.json"
        studies = folder / "metadata" / f"{name}_metadata_view_position.json"
        if found(questions) is None:
            continue
        with ExitStack() as stack:
            known = None
            if found(studies) is not None:
                known = stack.enter_context(Lookup(read_items(studies, key="study"), by=("study",)))
            for row in read_items(questions, key="id"):
                record = _record(row, films, split, known, drops)
                if record is not None:
                    yield record


def _record(row: Row, films: Path, split: Split, known: Lookup | None, drops: Drops) -> Record | None:
    study_id = row.text("study_id")
    study = None if known is None else known.get(study_id)
    options = _options(row)
    right = [option for option in options if option[0] == (row.optional_text("correct_answer") or "").strip().upper()]
    if known is not None and study is None:
        return drops.drop("study is not in ReXGradient's table", origin=row.origin, detail=study_id)
    if not right:
        return drops.drop("answer is none of the options", origin=row.origin)
    if len(set(option_table(options).names)) < len(options):
        return drops.drop("two options mean the same", origin=row.origin, detail="; ".join(options))
    explanation = (row.optional_text("correct_answer_explanation") or "").strip()
    return Record(
        id=f"rexvqa-{split}-{row.text('id')}",
        split=split,
        patient_id=study_id if study is None else study.text("PatientID"),
        study_id=study_id,
        kind="choice",
        question="\n".join((row.text("question").strip(), *options)),
        images=tuple(films / _path(row, path) for path in row.texts("ImagePath")),
        answer_kind=AnswerKind.CHOICE,
        answer=(right[0],),
        options=options,
        reference=f"<think>{explanation}</think><answer>{right[0]}</answer>" if explanation else "",
        columns={**_columns(row), **_patient(study)},
        origin=row.origin,
    )


def _options(row: Row) -> tuple[str, ...]:
    """`A. edema` as `A) edema`."""
    found_options = [(_OPTION.fullmatch(option), option) for option in row.texts("options")]
    for match, option in found_options:
        if match is None:
            row.refuse("options", option, "an option behind its letter, 'A. ...'")
    return tuple(f"{match[1]}) {match[2]}" for match, _ in found_options if match is not None)


def _path(row: Row, path: str) -> PurePosixPath:
    """A film's path from the data set's folder: published ones start from `metadata`, `../deid_png/...`."""
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    parts = parts[1:] if parts[:1] == [".."] else parts
    if not parts or ".." in parts or PurePosixPath(*parts).is_absolute():
        row.refuse("ImagePath", path, "a path below the data set's folder, ../deid_png/...")
    return PurePosixPath(*parts)


def _columns(row: Row) -> dict[str, object]:
    return {
        "skill": row.optional_text("task_name"),
        "category": row.optional_text("category"),
        "subcategory": row.optional_text("subcategory"),
        "views": list(row.texts("ImageViewPosition")),
    }


def _patient(study: Row | None) -> dict[str, object]:
    if study is None:
        return {}
    age = (study.optional_text("PatientAge") or "").strip().upper()
    return {"sex": study.optional_text("PatientSex"), "age": _age_in_years(age, row=study)}


def _age_in_years(age: str, *, row: Row) -> float | None:
    """DICOM's age string in years.

    >>> _age_in_years("007Y", row=row)
    7.0
    """
    if not age:
        return None
    stated = _AGE.fullmatch(age)
    if stated is None:
        row.refuse("PatientAge", age, "an age as DICOM writes it, 007Y or 011M")
    return round(int(stated[1]) * _YEARS[stated[2]], 2)


ADAPTER: Final = Adapter(
    name="rexvqa",
    title="ReXVQA: questions with options and explanations about ReXGradient-160K",
    licence="Gated; for non-commercial research under the terms shown when access is asked for.",
    access="Ask for access at https://huggingface.co/datasets/rajpurkarlab/ReXVQA and, for the films, "
    "https://huggingface.co/datasets/rajpurkarlab/ReXGradient-160K.",
    needs=("metadata/*_vqa_data.json",),
    read=read,
)
