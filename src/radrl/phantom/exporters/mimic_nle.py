"""MIMIC-NLE: sentences that explain a diagnosis, one JSON object a line, and the films in MIMIC-CXR-JPG's tree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.jsonl import append_jsonl
from radrl.phantom.exporters.findings import whole_films
from radrl.phantom.exporters.identifiers import patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import write_tree
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json
from radrl.phantom.scene import Fact
from radrl.phantom.wording import noun_phrase

DIAGNOSES: Final = (
    "atelectasis", "consolidation", "edema", "enlarged cardiomediastinum", "lung lesion", "lung opacity",
    "pleural effusion", "pleural other", "pneumonia", "pneumothorax",
)  # fmt: skip
"""The ten of the data set, in the order of its lists."""
_EXPLAINED: Final = ("atelectasis", "consolidation", "edema", "lung lesion")
"""Diagnoses for which an opacity of the lung is the evidence."""
_EVIDENCE: Final = "lung opacity"
_FILES: Final = {"train": "train", "val": "dev"}
_NEGATIVE, _UNCERTAIN, _POSITIVE = [1, 0, 0], [0, 1, 0], [0, 0, 1]


def write(out: Path, lot: Lot) -> Path:
    """`mimic-nle/mimic-nle-{train,dev,test}.json`, which hold JSON lines, and the tree of films."""
    films = whole_films(lot)
    write_tree(out, films)
    path = out / "mimic-nle" / f"mimic-nle-{_FILES.get(lot.split, 'test')}.json"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    append_jsonl(path, [row for film in films for row in _rows(film)])
    return path


def _rows(film: Shown) -> Iterator[Json]:
    explained = [fact for fact in film.study.facts if fact.name in _EXPLAINED]
    for number, fact in enumerate(explained):
        yield {
            "sentence_ID": f"s{study_digits(film)}#{number}",
            "nle": explanation(fact),
            "patient_ID": f"p{patient_digits(film)}",
            "report_ID": f"s{study_digits(film)}",
            "diagnosis_label": [int(name == fact.name) for name in DIAGNOSES],
            "evidence_label": [int(name == _EVIDENCE) for name in DIAGNOSES],
            "img_labels": [_state(film, name) for name in DIAGNOSES],
        }


def explanation(fact: Fact) -> str:
    """The opacity, and what it speaks for."""
    seen = noun_phrase(fact.as_parent(_EVIDENCE))
    speaks_for = "compatible with" if fact.certainty == "present" else "suspicious for"
    return f"{seen[0].upper()}{seen[1:]} {speaks_for} {fact.name}."


def _state(film: Shown, name: str) -> list[int]:
    facts = film.study.matching(name)
    if any(fact.certainty == "present" for fact in facts):
        return _POSITIVE
    return _UNCERTAIN if facts else _NEGATIVE
