"""OpenI as it is copied on Kaggle: indiana_reports.csv, indiana_projections.csv and images/images_normalized."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.labelled import Section, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.openi import LICENCE, report_study
from radrl.data.adapters.tables import read_table
from radrl.data.rows import Row

_REPORTS: Final = "indiana_reports.csv"
_FILMS: Final = "indiana_projections.csv"
_SECTIONS: Final[Mapping[Section, str]] = {
    name: name for name in ("indication", "comparison", "findings", "impression")
}
_PLACES: Final = {"Frontal": 0, "Lateral": 1}
"""Projections in the order in which a study's films are shown."""


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """The report on all films of a study, frontal ones first, as the adapter `openi` gives it."""
    films = FilmFolders(choices.images or folder)
    reports = read_table(folder / _REPORTS, needs=("uid", "MeSH", *_SECTIONS.values()))
    with ExitStack() as stack:
        projections = read_table(folder / _FILMS, needs=("uid", "filename", "projection"))
        films_of = stack.enter_context(Lookup(projections, by=("uid",)))
        for row in reports:
            uid = row.text("uid").strip()
            shown = sorted(films_of.all(uid), key=_place)
            if not shown:
                drops.drop("no film", origin=row.origin)
                continue
            study = report_study(
                uid,
                images=tuple(films.find(film.text("filename").strip()) for film in shown),
                sections={section: row.text(column).strip() for section, column in _SECTIONS.items()},
                mesh=[heading for heading in map(str.strip, row.text("MeSH").split(";")) if heading],
                origin=row.origin,
            )
            yield from records(study, choices, drops)


def _place(row: Row) -> int:
    projection = row.text("projection").strip()
    if projection not in _PLACES:
        row.refuse("projection", projection, "Frontal or Lateral")
    return _PLACES[projection]


ADAPTER: Final = Adapter(
    name="openi_kaggle",
    title="OpenI (Indiana University) as copied on Kaggle: 3,851 reports on 7,466 films",
    licence=LICENCE,
    access="Download from https://www.kaggle.com/datasets/raddar/chest-xrays-indiana-university.",
    needs=(_REPORTS, _FILMS),
    read=read,
)
