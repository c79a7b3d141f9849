"""CheXpert Plus: one table with the sections of the reports, labels as JSON lines, and films as PNG."""

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from radrl.phantom.exporters.chexpert import SEXES, film_place, part_of
from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import age_years, film_number, patient_digits
from radrl.phantom.exporters.pictures import write_png
from radrl.phantom.exporters.stated import stated_values
from radrl.phantom.exporters.tables import append_lines, append_table
from radrl.phantom.lots import Lot, Shown

_COLUMNS: Final = (
    "path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id", "patient_report_date_order",
    "report", "section_narrative", "section_clinical_history", "section_history", "section_comparison",
    "section_technique", "section_procedure_comments", "section_findings", "section_impression",
    "section_end_of_impression", "section_summary", "section_accession_number", "age", "sex", "race", "ethnicity",
    "interpreter_needed", "insurance_type", "recent_bmi", "deceased", "split",
)  # fmt: skip
_LABELLED: Final = ("findings", "impression", "report")
"""Texts that the labeller has read, each in a file of its own; ours reads the whole report for each."""


def write(out: Path, lot: Lot) -> Path:
    """`df_chexpert_plus_240401.csv`, `chexbert_labels/{findings,impression,report}_fixed.json` and `PNG/`.

    There is no test part: what is beyond training is validation.
    """
    part = "train" if part_of(lot.split) == "train" else "valid"
    films = whole_films(lot)
    for film in films:
        write_png(out / "PNG" / PurePosixPath(film_place(film, part=part)).with_suffix(".png"), film)
    (out / "chexbert_labels").mkdir(parents=True, exist_ok=True)
    for text in _LABELLED:
        append_lines(out / "chexbert_labels" / f"{text}_fixed.json", _label_lines(films, part=part))
    return append_table(out / "df_chexpert_plus_240401.csv", _COLUMNS, (_row(film, part=part) for film in films))


def _label_lines(films: Iterable[Shown], *, part: str) -> Iterable[str]:
    """JSON lines, whatever the suffix says."""
    return (json.dumps({"path_to_image": film_place(film, part=part), **stated_values(film)}) for film in films)


def _row(film: Shown, *, part: str) -> tuple[object, ...]:
    place = PurePosixPath(film_place(film, part=part))
    known: dict[str, object] = {
        "path_to_image": place,
        "path_to_dcm": place.with_suffix(".dcm"),
        "frontal_lateral": "Frontal",
        "ap_pa": film.study.technique.view,
        "deid_patient_id": f"patient{patient_digits(film)}",
        "patient_report_date_order": film_number(film) + 1,
        "report": film.report.text,
        "section_clinical_history": "Fever and cough." if film.study.infection_cue else "Follow-up.",
        "section_comparison": None if film.prior_id is None else "The study before.",
        "section_findings": film.report.findings,
        "section_impression": film.report.impression,
        "age": age_years(film),
        "sex": SEXES[film.patient.anatomy.sex],
        "deceased": "No",
        "split": part,
    }
    return tuple(known.get(column) for column in _COLUMNS)
