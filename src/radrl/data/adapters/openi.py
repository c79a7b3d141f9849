"""OpenI, the chest films of Indiana University, as the NLM ships it: one XML file a report.

The files lie in ecgen-radiology, the films in one folder, as PNG or DICOM, or beside them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, split_of
from radrl.data.adapters.film_folders import FilmFolders
from radrl.data.adapters.labelled import LabelledStudy, Section, records, without_masked
from radrl.errors import DataError

MASK: Final = "XXXX"
"""What de-identification left of names, dates, ages and, now and then, of an ordinary word."""
LICENCE: Final = "CC BY-NC-ND 4.0, as every report says: not for sale, and no changed copies may be passed on."
SECTIONS: Final[Mapping[str, Section]] = {
    "COMPARISON": "comparison",
    "INDICATION": "indication",
    "FINDINGS": "findings",
    "IMPRESSION": "impression",
}
_GLOBS: Final = ("ecgen-radiology/*.xml", "*.xml")
_SUFFIXES: Final = (".png", ".jpg", ".dcm")


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """The report on all films of a study. Sentences with `XXXX` are left out of every section."""
    films = FilmFolders(choices.images or folder)
    for path in _reports(folder):
        report = _parsed(path)
        images = tuple(films.find(*(f"{name}{suffix}" for suffix in _SUFFIXES)) for name in _film_names(report))
        if not images:
            drops.drop("no film", origin=str(path))
            continue
        study = report_study(
            _uid(report, path),
            images=images,
            sections={SECTIONS[label]: text for label, text in _sections(report)},
            mesh=[heading.text.strip() for heading in report.iter("major") if heading.text],
            origin=str(path),
        )
        yield from records(study, choices, drops)


def report_study(
    uid: str, *, images: tuple[Path, ...], sections: Mapping[Section, str], mesh: list[str], origin: str
) -> LabelledStudy:
    """A study of OpenI; every report is of a patient of its own, so `uid` names both.

    The curators' MeSH headings are kept, not asked about: they leave out what a report hedges.
    """
    return LabelledStudy(
        id=f"openi-{uid}",
        study_id=uid,
        split=split_of(f"openi-{uid}"),
        patient_id=f"openi-{uid}",
        images=images,
        sections={name: without_masked(text, mask=MASK) for name, text in sections.items()},
        columns={"mesh": mesh, "has_masked_text": any(MASK in text for text in sections.values())},
        origin=origin,
    )


def _reports(folder: Path) -> list[Path]:
    """Files of the published folder, else of the given one, in the order of their numbers."""
    for glob in _GLOBS:
        files = sorted(folder.glob(glob), key=_number)
        if files:
            return files
    return []


def _parsed(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{path} is not XML that can be read ({error}). Fetch the file again.") from error


def _uid(report: ElementTree.Element, path: Path) -> str:
    """`CXR17` as `17`, the number that the copy on Kaggle has too."""
    named = report.find(".//uId")
    uid = "" if named is None else named.get("id", "")
    if not uid.startswith("CXR"):
        raise DataError(f"{path}: uId is {uid!r}, not one like CXR17. Give the reports as published.")
    return uid.removeprefix("CXR")


def _sections(report: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for part in report.iter("AbstractText"):
        label = part.get("Label", "").strip().upper()
        if label in SECTIONS:
            yield label, "".join(part.itertext()).strip()


def _film_names(report: ElementTree.Element) -> list[str]:
    return [name for image in report.iter("parentImage") if (name := image.get("id", "").strip())]


def _number(path: Path) -> tuple[int, str]:
    return (int(path.stem), path.stem) if path.stem.isdigit() else (0, path.stem)


ADAPTER: Final = Adapter(
    name="openi",
    title="OpenI (Indiana University): 3,955 reports in XML on 7,470 films",
    licence=LICENCE,
    access="Download NLMCXR_reports.tgz and NLMCXR_png.tgz from https://openi.nlm.nih.gov/faq.",
    needs=("ecgen-radiology/*.xml|*.xml",),
    read=read,
)
