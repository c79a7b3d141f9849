"""MIMIC-NLE: sentences of MIMIC-CXR's reports that say why a diagnosis is made or suspected."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split
from radrl.data.adapters.labelled import shuffled
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_study_films
from radrl.data.adapters.tables import found, read_json_lines
from radrl.data.rows import Row
from radrl.types import AnswerKind

DIAGNOSES: Final = (
    "atelectasis",
    "consolidation",
    "edema",
    "enlarged cardiomediastinum",
    "lung lesion",
    "lung opacity",
    "pleural effusion",
    "pleural other",
    "pneumonia",
    "pneumothorax",
)
"""In the order of the labels."""
_FILES: Final[Mapping[str, Split]] = {
    "mimic-nle-train.json": "train",
    "mimic-nle-dev.json": "val",
    "mimic-nle-test.json": "test",
}
_NEGATIVE: Final = 0
"""Columns of `img_labels` are negative, uncertain, positive."""
_MASK: Final = "___"
"""What de-identification leaves of a name or a date."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a diagnosis that a sentence explains, among diagnoses that the study does not have."""
    films = film_folder(folder, choices, inner="files")
    if not choices.asks("closed"):
        return
    for name, split in _FILES.items():
        file = next((path for path in (folder / name, folder / "mimic-nle" / name) if found(path) is not None), None)
        for row in () if file is None else read_json_lines(file):
            yield from _records(row, films, split, drops)


def _records(row: Row, films: Path, split: Split, drops: Drops) -> Iterator[Record]:
    explained = _flags(row, "diagnosis_label")
    absent = [name for name, state in zip(DIAGNOSES, _states(row), strict=True) if state == _NEGATIVE]
    place = MimicPlace(
        patient_id=row.text("patient_ID").strip().removeprefix("p"),
        study_id=row.text("report_ID").strip().removeprefix("s"),
    )
    images = mimic_study_films(films, place)
    if not images:
        return drops.drop("study has no film", origin=row.origin, detail=place.study_id)
    if not any(explained):
        return drops.drop("explains no diagnosis", origin=row.origin)
    if _MASK in row.text("nle"):
        return drops.drop("masked by de-identification", origin=row.origin)
    for name, is_explained in zip(DIAGNOSES, explained, strict=True):
        others = [other for other in absent if other != name]
        if is_explained and not others:
            drops.drop("no diagnosis is absent", origin=row.origin, detail=name)
        elif is_explained:
            yield _record(row, place, images, split, diagnosis=name, others=others)


def _record(
    row: Row, place: MimicPlace, images: tuple[Path, ...], split: Split, *, diagnosis: str, others: list[str]
) -> Record:
    sentence_id, explanation = row.text("sentence_ID"), row.text("nle").strip()
    record_id = f"mimic_nle-{sentence_id.replace('#', '-')}-{diagnosis.replace(' ', '_')}"
    options = shuffled((diagnosis, *others), by=record_id)
    evidence = [name for name, is_evidence in zip(DIAGNOSES, _flags(row, "evidence_label"), strict=True) if is_evidence]
    state = ("absent", "uncertain", "present")[_states(row)[DIAGNOSES.index(diagnosis)]]
    return Record(
        id=record_id,
        split=split,
        patient_id=place.patient_id,
        study_id=place.study_id,
        kind="closed",
        question=f"Which of these is seen or suspected, and why: {', '.join(options[:-1])} or {options[-1]}?",
        images=images,
        answer_kind=AnswerKind.CHOICE,
        answer=(diagnosis,),
        options=options,
        reference=f"<think>{explanation}</think><answer>{diagnosis}</answer>",
        columns={"sentence_id": sentence_id, "evidence": evidence, "certainty": state},
        origin=row.origin,
    )


def _flags(row: Row, field: str) -> tuple[bool, ...]:
    flags = row.objects(field)
    if len(flags) != len(DIAGNOSES) or not all(flag in (0, 1) for flag in flags):
        row.refuse(field, list(flags), f"a list of {len(DIAGNOSES)} zeros and ones")
    return tuple(bool(flag) for flag in flags)


def _states(row: Row) -> tuple[int, ...]:
    """Which of the three columns is set, a diagnosis at a time."""
    lines = [cast("list[object]", line) if isinstance(line, list) else [] for line in row.objects("img_labels")]
    if len(lines) != len(DIAGNOSES) or not all(sorted(map(str, line)) == ["0", "0", "1"] for line in lines):
        row.refuse("img_labels", row.fields.get("img_labels"), "ten lists of three with a single 1 each")
    return tuple(line.index(1) for line in lines)


ADAPTER: Final = Adapter(
    name="mimic_nle",
    title="MIMIC-NLE: explanations of ten diagnoses, from MIMIC-CXR's reports",
    licence="That of MIMIC-CXR, PhysioNet Credentialed Health Data License 1.5.0: the sentences are its reports'.",
    access="Built from MIMIC-CXR's reports by the script at https://github.com/maximek3/MIMIC-NLE.",
    needs=("mimic-nle-*.json|mimic-nle/mimic-nle-*.json",),
    read=read,
)
