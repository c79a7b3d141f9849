"""Medical-Diff-VQA: a table of questions, a table of studies, the findings of each study, and MIMIC-CXR-JPG's tree."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

from radrl.phantom.exporters.identifiers import film_number, mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_cxr_jpg import study_date
from radrl.phantom.exporters.mimic_tree import VIEW_CODES, part_of, write_tree
from radrl.phantom.exporters.stated import CHEXPERT, stated_values
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.questions import NO_FINDING
from radrl.phantom.rows import Json, write_list
from radrl.phantom.scene import FINDINGS, SEVERITIES, UNGRADED, Fact

_QUESTIONS: Final = ("study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split")
_STUDIES: Final = ("subject_id", "study_id", *CHEXPERT, "dicom_id", "view", "split", "study_date", "study_order")
_TYPES: Final = {
    "presence": "presence",
    "open": "abnormality",
    "list": "abnormality",
    "location": "location",
    "severity": "level",
    "view": "view",
}
"""Question kind -> its type. Kinds of this data set's own say theirs in their columns; others have none."""


def write(out: Path, lot: Lot) -> Path:
    """`mimic_pair_questions.csv`, `mimic_all.csv`, `all_diseases.json`, and the tree of films.

    Questions that the data set has no type for (reports, boxes, options of a finding) are not written.
    """
    items = [item for item in lot.items if type_of(item) is not None and item.image_ids]
    shown = {study_id for item in items for study_id in item.image_ids}
    films = {film.study_id: film for film in lot.films if film.study_id in shown}
    write_tree(out, films.values())
    split = "val" if lot.split == "val" else part_of(lot.split)
    append_table(out / "mimic_all.csv", _STUDIES, (_study(film, split=split) for film in films.values()))
    _add_diseases(out / "all_diseases.json", films.values())
    rows = (_question(item, films, split=split) for item in items)
    return append_table(out / "mimic_pair_questions.csv", _QUESTIONS, rows)


def type_of(item: Item) -> str | None:
    """The data set's type of the question; None where it has no such."""
    own = item.question.columns.get("question_type")
    return _TYPES.get(item.question.kind) if own is None else str(own)


def _question(item: Item, films: dict[str, Shown], *, split: str) -> tuple[object, ...]:
    main, *others = (films[study_id] for study_id in item.image_ids)
    reference = study_digits(others[0]) if others else None
    answer = ", ".join(item.answer) or NO_FINDING
    asked = (type_of(item), item.question.text, answer)
    return (study_digits(main), patient_digits(main), reference, *asked, split)


def _study(film: Shown, *, split: str) -> tuple[object, ...]:
    values = stated_values(film)
    return (
        patient_digits(film),
        study_digits(film),
        *(values[label] for label in CHEXPERT),
        mimic_film_id(film),
        VIEW_CODES[film.study.technique.view],
        split,
        study_date(film),
        film_number(film),
    )


def _add_diseases(path: Path, films: Iterable[Shown]) -> None:
    known = cast("list[Json]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    write_list(path, [*known, *map(_diseases, films)])


def _diseases(film: Shown) -> Json:
    denied = {t.head for t in film.report.triplets if t.certainty == "absent" and t.head in FINDINGS}
    facts = [fact for fact in film.study.facts if fact.certainty == "present"]
    return {
        "study_id": study_digits(film),
        "subject_id": patient_digits(film),
        "entity": {fact.name: _entity(fact) for fact in facts},
        "no_entity": sorted(denied),
    }


def _entity(fact: Fact) -> Json:
    places = [f"{fact.side} {fact.zone} lung" if fact.zone else fact.side] if fact.side else []
    return {
        "entity_name": fact.name,
        "location": places or None,
        "type": [fact.subtype] if fact.subtype else None,
        "level": None if fact.name in UNGRADED else [SEVERITIES[fact.severity - 1]],
        "post_location": None,
        "location2": None,
        "type2": None,
        "level2": None,
        "post_location2": None,
    }
