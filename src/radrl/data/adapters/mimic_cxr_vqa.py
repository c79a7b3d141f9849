"""MIMIC-CXR-VQA: questions on single films of MIMIC-CXR, made from Chest ImaGenome's scene graphs by templates.

train.json, valid.json and test.json, lists of objects; films lie in MIMIC-CXR-JPG's tree. The copies whose names begin
with an underscore hold no answers.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split
from radrl.data.adapters.places import film_folder, mimic_film, mimic_place
from radrl.data.adapters.tables import found, read_items
from radrl.data.rows import Row
from radrl.types import AnswerKind

_FILES: Final = ("train.json", "valid.json", "test.json")
_KEPT: Final = ("semantic_type", "content_type", "template", "template_program", "template_arguments")


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a question, under its content type. An empty list is an answer, a missing one is not."""
    films = film_folder(folder, choices, inner="files")
    for name in _FILES:
        if found(folder / name) is not None:
            for row in read_items(folder / name):
                if row.fields.get("answer") is None:
                    drops.drop("no answer", origin=row.origin)
                elif choices.asks(row.text("content_type")):
                    yield _record(row, films)


def _record(row: Row, films: Path) -> Record:
    place = mimic_place(row.text("image_path"), row=row, field="image_path")
    split = as_split(row.text("split"), origin=row.origin)
    return Record(
        id=f"mimic_cxr_vqa-{split}-{row.optional_text('idx') or row.line}",
        split=split,
        patient_id=row.optional_text("subject_id") or place.patient_id,
        study_id=row.optional_text("study_id") or place.study_id,
        kind=row.text("content_type"),
        question=row.text("question"),
        images=(mimic_film(films, place),),
        answer_kind=AnswerKind.YES_NO if row.text("semantic_type") == "verify" else AnswerKind.SET,
        answer=row.texts("answer"),
        columns={name: row.fields[name] for name in _KEPT if name in row.fields},
        origin=row.origin,
    )


ADAPTER: Final = Adapter(
    name="mimic_cxr_vqa",
    title="MIMIC-CXR-VQA: 377,391 questions on films of MIMIC-CXR, by 48 programs over scene graphs",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/mimic-ext-mimic-cxr-vqa/; films come with "
    "MIMIC-CXR-JPG (--images).",
    needs=("|".join(_FILES),),
    read=read,
)
