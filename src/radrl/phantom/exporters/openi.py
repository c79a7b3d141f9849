"""OpenI as the NLM ships it: one XML file a report, and the films in a folder of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import study_digits
from radrl.phantom.exporters.pictures import write_png
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.scene import SEVERITIES, Fact

_HEADINGS: Final = {
    "enlarged cardiomediastinum": "Mediastinum/enlarged",
    "cardiomegaly": "Cardiomegaly",
    "lung opacity": "Opacity/lung",
    "lung lesion": "Nodule",
    "edema": "Pulmonary Edema",
    "consolidation": "Consolidation",
    "atelectasis": "Pulmonary Atelectasis",
    "pneumothorax": "Pneumothorax",
    "pleural effusion": "Pleural Effusion",
    "pleural other": "Thickening/pleura",
    "fracture": "Fractures, Bone",
    "support devices": "Medical Device",
}


def write(out: Path, lot: Lot) -> Path:
    """`ecgen-radiology/{number}.xml` a film, and `NLMCXR_png/*.png`. The set has no splits: they lie together."""
    films = whole_films(lot)
    reports = out / "ecgen-radiology"
    reports.mkdir(parents=True, exist_ok=True)
    for film in films:
        write_png(out / "NLMCXR_png" / f"{film_name(film)}.png", film)
        tree = ElementTree.ElementTree(_report(film))
        ElementTree.indent(tree)
        tree.write(reports / f"{study_digits(film)}.xml", encoding="utf-8", xml_declaration=True)
    return reports


def film_name(film: Shown) -> str:
    """Without suffix."""
    return f"CXR{study_digits(film)}_IM-0001-4001"


def sections(film: Shown) -> Mapping[str, str]:
    """The report's parts. Age and dates are masked, as de-identification leaves them."""
    reason = "Fever and cough." if film.study.infection_cue else "Follow-up."
    return {
        "comparison": "Chest film, XXXX." if film.prior_id is not None else "None.",
        "indication": f"{reason} XXXX-year-old patient.",
        "findings": film.report.findings,
        "impression": film.report.impression,
    }


def headings(film: Shown) -> tuple[str, ...]:
    """MeSH headings of the certain findings with side and severity; `normal` where there are none."""
    certain = (fact for fact in film.study.facts if fact.certainty == "present")
    return tuple(_heading(fact) for fact in certain) or ("normal",)


def _report(film: Shown) -> ElementTree.Element:
    root = ElementTree.Element("eCitation")
    ElementTree.SubElement(root, "meta", type="rr")
    ElementTree.SubElement(root, "uId", id=f"CXR{study_digits(film)}")
    licence = {
        "licenseType": "open-access",
        "licenseURL": "http://creativecommons.org/licenses/by-nc-nd/4.0/",
        "ccLicense": "byncnd",
    }
    for tag, text in licence.items():
        ElementTree.SubElement(root, tag).text = text
    citation = ElementTree.SubElement(
        root, "MedlineCitation", Owner="Indiana University", Status="supplied by publisher"
    )
    abstract = ElementTree.SubElement(ElementTree.SubElement(citation, "Article"), "Abstract")
    for label, text in sections(film).items():
        ElementTree.SubElement(abstract, "AbstractText", Label=label.upper()).text = text
    mesh = ElementTree.SubElement(root, "MeSH")
    for heading in headings(film):
        ElementTree.SubElement(mesh, "major").text = heading
    image = ElementTree.SubElement(root, "parentImage", id=film_name(film))
    ElementTree.SubElement(image, "figureId").text = "F1"
    ElementTree.SubElement(image, "caption").text = f"Chest, {film.study.technique.view} view"
    panel = ElementTree.SubElement(image, "panel", type="single")
    ElementTree.SubElement(panel, "url").text = f"/hadoop/storage/radiology/extract/{film_name(film)}.jpg"
    return root


def _heading(fact: Fact) -> str:
    return "/".join(word for word in (_HEADINGS[fact.name], fact.side, SEVERITIES[fact.severity - 1]) if word)
