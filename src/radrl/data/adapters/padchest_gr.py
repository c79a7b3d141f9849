"""PadChest-GR: grounded reports on films of PadChest, sentence by sentence, by two readers.

grounded_reports_20240819.json, master_table.csv (patients and splits), and the films below Padchest_GR_files.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, cast

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split
from radrl.data.adapters.contrasts import Contrasts
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.padchest import SPACE, findings_among, states
from radrl.data.adapters.pixels import pixel_box
from radrl.data.adapters.readers import Reading, Rule, agreed_boxes
from radrl.data.adapters.tables import read_items, read_table
from radrl.data.rows import Row
from radrl.types import Box

REPORTS: Final = "grounded_reports_20240819.json"
TABLE: Final = "master_table.csv"
_READERS: Final = ("boxes", "extra_boxes")
"""Fields with the boxes of the first and the second reader."""
_UNIT: Final = (1.0, 1.0)
"""Boxes are in fractions of the film already."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Presence, all findings at once, the report in English, and where each finding is."""
    films = FilmFolders(choices.images or folder)
    contrasts = Contrasts(_all_findings(folder), space=label_space(SPACE))
    known = read_table(folder / TABLE, needs=("StudyID", "PatientID", "ImageID", "split"))
    with closing(Lookup(known, by=("StudyID",))) as studies:
        for row in read_items(folder / REPORTS):
            study = studies.get(row.text("StudyID"))
            if study is None:
                drops.drop("study is not in master_table.csv", origin=row.origin, detail=row.text("StudyID"))
            else:
                yield from records(_study(row, study, films, contrasts, choices, drops), choices, drops)


def _study(
    row: Row, known: Row, films: FilmFolders, contrasts: Contrasts, choices: Choices, drops: Drops
) -> LabelledStudy:
    sentences = _sentences(row)
    film, study_id = row.text("ImageID").strip(), row.text("StudyID").strip()
    present = findings_among(label for sentence in sentences for label in _labels(sentence))
    return LabelledStudy(
        id=f"padchest_gr-{Path(film).stem}",
        study_id=study_id,
        split=as_split(known.text("split"), origin=known.origin),
        patient_id=f"padchest-{known.text('PatientID').strip()}",
        images=(films.find(film),),
        labels=states(present, contrasts, by=film),
        is_exhaustive=True,
        boxes=tuple(box for sentence in sentences for box in _boxes(sentence, rule=choices.readers, drops=drops)),
        sections={"findings": " ".join(_sentence(sentence) for sentence in sentences)},
        columns={"progression": _progressions(sentences)},
        origin=row.origin,
    )


def _all_findings(folder: Path) -> Iterator[str]:
    for row in read_items(folder / REPORTS):
        yield from findings_among(label for sentence in _sentences(row) for label in _labels(sentence))


def _sentences(row: Row) -> list[Row]:
    items = row.objects("findings")
    for item in items:
        if not isinstance(item, dict):
            row.refuse("findings", item, "a list of objects, one a sentence")
    return [Row(fields=cast("dict[str, object]", item), file=row.file, line=row.line) for item in items]


def _labels(sentence: Row) -> tuple[str, ...]:
    """Labels of a sentence that says that something is there; the others have none, or no such field."""
    if sentence.fields.get("abnormal") is not True:
        return ()
    return tuple(label.strip() for label in sentence.texts("labels") if label.strip())


def _sentence(sentence: Row) -> str:
    text = sentence.text("sentence_en").strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _boxes(sentence: Row, *, rule: Rule, drops: Drops) -> Iterator[Box]:
    """Boxes under each label of the sentence, of one reader or of both."""
    for name in findings_among(_labels(sentence)):
        readings = [
            Reading(reader=field, labels={}, boxes=tuple(_read_boxes(sentence, field, label=name, drops=drops)))
            for field in _READERS
            if sentence.objects(field)
        ]
        yield from agreed_boxes(readings, rule=rule)


def _read_boxes(sentence: Row, field: str, *, label: str, drops: Drops) -> Iterator[Box]:
    for item in sentence.objects(field):
        corners = cast("list[object]", item) if isinstance(item, list) else []
        numbers = [float(corner) for corner in corners if isinstance(corner, (int, float))]
        if len(numbers) != 4:
            sentence.refuse(field, corners, "a list of boxes [x0, y0, x1, y1]")
        x0, y0, x1, y1 = numbers
        box = pixel_box((x0, y0, x1, y1), label=label, size=_UNIT)
        if box is None:
            drops.drop("box outside the film", origin=sentence.origin, detail=label)
        else:
            yield box


def _progressions(sentences: list[Row]) -> list[str]:
    stated = (sentence.optional_text("progression") for sentence in sentences)
    return list(dict.fromkeys(word for word in stated if word))


ADAPTER: Final = Adapter(
    name="padchest_gr",
    title="PadChest-GR: 4,555 reports in Spanish and English whose sentences are marked on the film",
    licence="BIMCV's research use agreement; no redistribution.",
    access="Ask for access at https://bimcv.cipf.es/bimcv-projects/padchest-gr/.",
    needs=(REPORTS, TABLE),
    read=read,
)
