"""CheXpert Plus: CheXpert's films with their reports in sections.

df_chexpert_plus_240401.csv; labels in chexbert_labels/report_fixed.json, which holds JSON lines in spite of its suffix;
films in PNG/, or CheXpert's own JPG files.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, as_split
from radrl.data.adapters.chexpert import age_of_chexpert, film_of_chexpert, sex_of_chexpert, view_of_chexpert
from radrl.data.adapters.chexpert_labels import chexpert_labels, settles_all
from radrl.data.adapters.labelled import LabelledStudy, Section, State, records
from radrl.data.adapters.lookup import Lookup
from radrl.data.adapters.tables import found, read_json_lines, read_table
from radrl.data.rows import Row

_TABLE: Final = "df_chexpert_plus_*.csv"
_LABELS: Final = Path("chexbert_labels/report_fixed.json")
_SPACE: Final = "chexpert_14"
_SECTIONS: Final[Mapping[Section, tuple[str, ...]]] = {
    "indication": ("section_clinical_history", "section_history"),
    "comparison": ("section_comparison",),
    "findings": ("section_findings",),
    "impression": ("section_impression",),
}
"""Section -> the columns that may hold it, the first that does counts."""
_NEEDS: Final = (
    "path_to_image",
    "frontal_lateral",
    "ap_pa",
    "deid_patient_id",
    "age",
    "sex",
    "split",
    *(name for names in _SECTIONS.values() for name in names),
)


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Labels, view and report of each frontal film; of a lateral one the view alone."""
    root = (choices.images or folder).absolute()
    table = sorted([*folder.glob(_TABLE), *folder.glob(f"{_TABLE}.gz")])[-1]
    with ExitStack() as stack:
        labels = (
            stack.enter_context(Lookup(read_json_lines(folder / _LABELS), by=("path_to_image",)))
            if found(folder / _LABELS) is not None
            else None
        )
        for row in read_table(table, needs=_NEEDS):
            labelled = labels and labels.get(row.text("path_to_image").strip())
            yield from records(_study(row, labelled, root), choices, drops)


def _study(row: Row, labelled: Row | None, root: Path) -> LabelledStudy:
    path = PurePosixPath(row.text("path_to_image").strip())
    patient = row.text("deid_patient_id").strip()
    is_frontal = row.text("frontal_lateral").strip() == "Frontal"
    labels = chexpert_labels(labelled, space=_SPACE) if labelled is not None and is_frontal else dict[str, State]()
    return LabelledStudy(
        id="-".join(("chexpert_plus", *path.parts[-3:-1], path.stem)),
        study_id="-".join(path.parts[-3:-1]),
        split=as_split(row.text("split"), origin=row.origin),
        patient_id=patient,
        images=(_film(root, path),),
        labels=labels,
        is_exhaustive=is_frontal and settles_all(labels, space=_SPACE),
        sections=_sections(row) if is_frontal else dict[Section, str](),
        view=view_of_chexpert(row.text("ap_pa"), is_frontal=is_frontal),
        columns={"sex": sex_of_chexpert(row, "sex"), "age": age_of_chexpert(row, "age")},
        origin=row.origin,
    )


def _sections(row: Row) -> Mapping[Section, str]:
    texts: dict[Section, str] = {
        section: next((text for name in names if (text := row.text(name).strip())), "")
        for section, names in _SECTIONS.items()
    }
    return {section: " ".join(text.split()) for section, text in texts.items() if text}


def _film(root: Path, path: PurePosixPath) -> Path:
    """The PNG, which is named as CheXpert's JPG but for the suffix, or the JPG itself."""
    png = root / "PNG" / path.with_suffix(".png")
    places = [png, root / path.with_suffix(".png"), film_of_chexpert(root, str(path))]
    return next((place for place in places if place.is_file()), png)


ADAPTER: Final = Adapter(
    name="chexpert_plus",
    title="CheXpert Plus: 223,462 pairs of a film and its report in sections",
    licence="Stanford University Dataset Research Use Agreement: research only, no redistribution.",
    access="Register at https://stanfordaimi.azurewebsites.net/datasets/5158c524-d3ab-4e02-96e9-6ee9efc110a1.",
    needs=(_TABLE,),
    read=read,
)
