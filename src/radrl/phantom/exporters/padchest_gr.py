"""PadChest-GR: reports sentence by sentence in two languages, with boxes of what is there, and a table of splits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import located, whole_films
from radrl.phantom.exporters.identifiers import patient_digits, study_digits
from radrl.phantom.exporters.padchest import image_id, label, sides
from radrl.phantom.exporters.pictures import write_deep_png
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.report import Line
from radrl.phantom.rows import Json, write_list
from radrl.phantom.scene import Fact
from radrl.phantom.wording import noun_phrase
from radrl.types import Box

REPORTS: Final = "grounded_reports_20240819.json"
_SPLITS: Final = {"train": "train", "val": "validation"}
"""Everything else is test."""
_COLUMNS: Final = ("StudyID", "PatientID", "ImageID", "split", "label", "label_group")
_SPANISH: Final = {"present": "Se observa", "uncertain": "Posible", "absent": "No se observa"}
_NAMES: Final = {
    "enlarged cardiomediastinum": "ensanchamiento mediastinico",
    "cardiomegaly": "cardiomegalia",
    "lung opacity": "opacidad pulmonar",
    "lung lesion": "lesion pulmonar",
    "edema": "edema pulmonar",
    "consolidation": "consolidacion",
    "pneumonia": "neumonia",
    "atelectasis": "atelectasia",
    "pneumothorax": "neumotorax",
    "pleural effusion": "derrame pleural",
    "pleural other": "engrosamiento pleural",
    "fracture": "fractura",
    "support devices": "dispositivos",
}


def write(out: Path, lot: Lot) -> Path:
    """`grounded_reports_20240819.json`, `master_table.csv` and the films in `PadChest_GR`."""
    films = whole_films(lot)
    for film in films:
        write_deep_png(out / "PadChest_GR" / image_id(film), film)
    path = out / REPORTS
    earlier: list[Json] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    split = _SPLITS.get(lot.split, "test")
    append_table(
        out / "master_table.csv",
        _COLUMNS,
        ((*_ids(film), split, name, name) for film in films for name in _labels(film)),
    )
    return write_list(path, [*earlier, *map(_report, films)])


def _report(film: Shown) -> Json:
    return {"StudyID": study_digits(film), "ImageID": image_id(film), "findings": list(_sentences(film))}


def _sentences(film: Shown) -> Iterator[Json]:
    """The sentences of FINDINGS that name a finding; what is denied has neither labels nor boxes."""
    left = len(film.report.findings)
    for line in film.report.lines:
        if left <= 0:
            return
        left -= len(line.text) + 1
        if not line.phrase:
            continue
        fact, boxes = _meant(film, line)
        said: Json = {
            "sentence_en": line.text,
            "sentence_es": f"{_SPANISH[line.certainty]} {_NAMES[fact.name]}.",
            "abnormal": line.certainty != "absent",
        }
        if line.certainty == "absent":
            yield said
        else:
            yield {
                **said,
                "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in boxes],
                "extra_boxes": [],
                "labels": [label(fact)],
                "locations": list(sides(fact)),
                "progression": fact.course if film.prior_id is not None else None,
            }


def _meant(film: Shown, line: Line) -> tuple[Fact, tuple[Box, ...]]:
    """The finding that a sentence names, with its boxes; of a denied one neither place nor shape."""
    if line.certainty == "absent":
        denied = (Fact(name=name, shape=()) for name in _NAMES)
        return next(fact for fact in denied if noun_phrase(fact) == line.phrase), ()
    return next(
        (fact, boxes)
        for fact, boxes in located(film)
        if fact.certainty == line.certainty and line.phrase.endswith(noun_phrase(fact))
    )


def _labels(film: Shown) -> tuple[str, ...]:
    named = dict.fromkeys(name for fact in film.study.facts if (name := label(fact)) is not None)
    return tuple(named) or ("Normal",)


def _ids(film: Shown) -> tuple[str, str, str]:
    return study_digits(film), patient_digits(film), image_id(film)
