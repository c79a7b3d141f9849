"""MS-CXR: phrases of reports with the boxes that radiologists drew for them, on films of MIMIC-CXR."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split, split_of
from radrl.data.adapters.labelled import box_text
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.pixels import number_of_pixels, row_box
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_film, mimic_place
from radrl.data.adapters.tables import newest_table, read_table
from radrl.data.rows import Row
from radrl.types import AnswerKind, Box

_CORNER: Final = ("x", "y", "w", "h")
_NEEDS: Final = ("dicom_id", "category_name", "label_text", "path", *_CORNER, "image_width", "image_height")


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """One record a phrase: several rows may be boxes of one phrase."""
    if not choices.asks("grounding"):
        return
    films = film_folder(folder, choices, inner="files")
    table = newest_table(folder, "MS_CXR_Local_Alignment_v*.csv")
    numbers: dict[str, int] = {}
    with Lookup(read_table(table, needs=_NEEDS), by=("dicom_id", "label_text")) as phrases:
        for rows in phrases.groups():
            film_id = rows[0].text("dicom_id").strip()
            boxes = tuple(box for row in rows if (box := _box(row, drops)) is not None)
            numbers[film_id] = numbers.get(film_id, 0) + 1
            if boxes:
                yield _record(rows[0], boxes, films, number=numbers[film_id])


def _record(row: Row, boxes: tuple[Box, ...], films: Path, *, number: int) -> Record:
    place = mimic_place(row.text("path"), row=row, field="path")
    place = MimicPlace(patient_id=place.patient_id, study_id=place.study_id, film_id=row.text("dicom_id").strip())
    phrase = row.text("label_text").strip()
    stated = (row.optional_text("split") or "").strip()
    return Record(
        id=f"ms_cxr-{place.film_id}-{number}",
        split=as_split(stated, origin=row.origin) if stated else split_of(place.patient_id),
        patient_id=place.patient_id,
        study_id=place.study_id,
        kind="grounding",
        question=f'Where on this film is what this phrase describes: "{phrase}"? '
        "Give each place as [x0, y0, x1, y1] in fractions of the film.",
        images=(mimic_film(films, place),),
        answer_kind=AnswerKind.BOXES,
        answer=tuple(box_text(box) for box in boxes),
        boxes=boxes,
        columns={"phrase": phrase, "category": boxes[0].label},
        origin=row.origin,
    )


def _box(row: Row, drops: Drops) -> Box | None:
    box = row_box(
        row,
        _CORNER,
        label=row.text("category_name").strip().lower(),
        size=(number_of_pixels(row, "image_width"), number_of_pixels(row, "image_height")),
    )
    if box is None:
        drops.drop("box outside the film", origin=row.origin)
    return box


ADAPTER: Final = Adapter(
    name="ms_cxr",
    title="MS-CXR: phrases of reports and their boxes on films of MIMIC-CXR",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/ms-cxr/; films come with MIMIC-CXR-JPG.",
    needs=("MS_CXR_Local_Alignment_v*.csv",),
    read=read,
)
