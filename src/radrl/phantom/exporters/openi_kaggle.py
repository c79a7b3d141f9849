"""OpenI as it is copied on Kaggle: a table of reports, one of films, and the films."""

from pathlib import Path
from typing import Final

from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import study_digits
from radrl.phantom.exporters.openi import headings, sections
from radrl.phantom.exporters.pictures import write_png
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown

_REPORTS: Final = ("uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression")
_FILMS: Final = ("uid", "filename", "projection")


def write(out: Path, lot: Lot) -> Path:
    """`indiana_reports.csv`, `indiana_projections.csv` and `images/images_normalized/*.png`; no splits."""
    films = whole_films(lot)
    for film in films:
        write_png(out / "images" / "images_normalized" / _film(film), film)
    append_table(
        out / "indiana_projections.csv",
        _FILMS,
        ((study_digits(film), _film(film), "Frontal") for film in films),
    )
    return append_table(out / "indiana_reports.csv", _REPORTS, map(_report, films))


def _report(film: Shown) -> tuple[object, ...]:
    mesh, parts = headings(film), sections(film)
    problems = dict.fromkeys(heading.partition("/")[0] for heading in mesh)
    caption = f"Xray Chest {film.study.technique.view}"
    texts = (parts[column] for column in _REPORTS[4:])
    return (study_digits(film), ";".join(mesh), ";".join(problems), caption, *texts)


def _film(film: Shown) -> str:
    return f"{study_digits(film)}_IM-0001-4001.dcm.png"
