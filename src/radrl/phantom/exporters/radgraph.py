"""RadGraph 1.0: dictionaries of reports with their graphs, test reports by two annotators, and MIMIC-CXR-JPG's tree."""

import json
from pathlib import Path
from typing import Any, Final, cast

from radrl.graph.exports import to_radgraph
from radrl.graph.extract import extract
from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import write_tree
from radrl.phantom.lots import Lot, Shown

_FILES: Final = {"train": "train", "val": "dev"}


def write(out: Path, lot: Lot) -> Path:
    """`{train,dev,test}.json` and the tree of films. The lexicon's extractor stands in for the annotators."""
    films = whole_films(lot)
    write_tree(out, films)
    part = _FILES.get(lot.split, "test")
    path = out / f"{part}.json"
    known = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    records = {document_name(film): _record(film, part=part) for film in films}
    path.write_text(json.dumps({**known, **records}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def document_name(film: Shown) -> str:
    """`p19/p19990000042/s19990000042000.txt`."""
    digits = patient_digits(film)
    return f"p{digits[:2]}/p{digits}/s{study_digits(film)}.txt"


def _record(film: Shown, *, part: str) -> dict[str, Any]:
    text = film.report.text
    record = to_radgraph(extract(text), text)
    named = {"text": record["text"], "data_source": "MIMIC-CXR", "data_split": part}
    if part != "test":
        return {**named, "entities": record["entities"]}
    annotation = {"text": record["text"], "entities": record["entities"]}
    return {**named, "labeler_1": annotation, "labeler_2": annotation}
