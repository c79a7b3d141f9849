"""Chest ImaGenome, silver part: scene graphs in a zip file, tables of the splits, films in MIMIC-CXR-JPG's tree.

Regions are the places where this world's findings lie, with the findings' own boxes: the phantom draws no others.
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.phantom.changes import Trend, changes_between
from radrl.phantom.exporters.findings import kind_of_fracture, located, whole_films
from radrl.phantom.exporters.identifiers import mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import film_place, write_tree
from radrl.phantom.exporters.pictures import grey
from radrl.phantom.exporters.tables import append_table
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json
from radrl.phantom.scene import Fact
from radrl.types import Box

_FILES: Final = {"train": "train", "val": "valid"}
_HEADER: Final = ("subject_id", "study_id", "dicom_id", "path", "ViewPosition")
_PADDED_PX: Final = 224
"""Side of the padded copy in which the boxes are given besides."""
_NAMES: Final = {
    "enlarged cardiomediastinum": "mediastinal widening",
    "cardiomegaly": "enlarged cardiac silhouette",
    "lung opacity": "lung opacity",
    "lung lesion": "lung lesion",
    "edema": "pulmonary edema/hazy opacity",
    "consolidation": "consolidation",
    "atelectasis": "atelectasis",
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural effusion",
    "pleural other": "pleural/parenchymal scarring",
}
_MIDLINE: Final = {
    "enlarged cardiomediastinum": "upper mediastinum",
    "cardiomegaly": "cardiac silhouette",
    "edema": "lungs",
    "support devices": "mediastinum",
}
"""Where findings without a side lie."""
_SIDED: Final = {"pleural effusion": "costophrenic angle", "pneumothorax": "apical zone", "fracture": "chest wall"}
"""Where findings with a side, but no zone, lie; elsewhere it is the whole lung."""
_COURSES: Final[Mapping[Trend, str]] = {"improving": "improved", "stable": "no change", "worsening": "worsened"}


def write(out: Path, lot: Lot) -> Path:
    """`silver_dataset/scene_graph.zip`, `silver_dataset/splits/*.csv` and the tree of films."""
    films = whole_films(lot)
    write_tree(out, films)
    silver = out / "silver_dataset"
    (silver / "splits").mkdir(parents=True, exist_ok=True)
    by_id = {film.study_id: film for film in films}
    with zipfile.ZipFile(silver / "scene_graph.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        for film in films:
            name = zipfile.ZipInfo(f"scene_graph/{mimic_film_id(film)}_SceneGraph.json")
            archive.writestr(name, json.dumps(_graph(film, by_id.get(film.prior_id or ""))))
    append_table(silver / "splits" / "images_to_avoid.csv", ("dicom_id", "study_id"), ())
    rows = (_split_row(film) for film in films)
    return append_table(silver / "splits" / f"{_FILES.get(lot.split, 'test')}.csv", _HEADER, rows)


def region_of(fact: Fact) -> str:
    """Region of the body in which a finding lies: `left lower lung zone`."""
    if fact.side is None:
        return _MIDLINE.get(fact.name, "lungs")
    return f"{fact.side} {f'{fact.zone} lung zone' if fact.zone else _SIDED.get(fact.name, 'lung')}"


def attribute_of(fact: Fact) -> str:
    """The finding's name in the data set."""
    if fact.name == "support devices":
        return fact.subtype
    return kind_of_fracture(fact) if fact.name == "fracture" else _NAMES[fact.name]


def _split_row(film: Shown) -> tuple[object, ...]:
    ids = (patient_digits(film), study_digits(film), mimic_film_id(film))
    return (*ids, film_place(film), film.study.technique.view)


def _graph(film: Shown, earlier: Shown | None) -> Json:
    return {
        "image_id": mimic_film_id(film),
        "viewpoint": film.study.technique.view,
        "patient_id": int(patient_digits(film)),
        "study_id": int(study_digits(film)),
        "objects": list(_objects(film)),
        "attributes": list(_attributes(film)),
        "relationships": list(_relationships(film, earlier)),
    }


def _objects(film: Shown) -> Iterator[Json]:
    """A region with the smallest box around what lies in it."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    for fact, places in located(film):
        boxes[region_of(fact)] += places
    side = grey(film).width
    for region, places in boxes.items():
        if places:
            low = (min(box.x0 for box in places), min(box.y0 for box in places))
            high = (max(box.x1 for box in places), max(box.y1 for box in places))
            yield {
                "object_id": f"{mimic_film_id(film)}_{region}",
                "bbox_name": region,
                "name": region.title(),
                **_corners("", low, high, scale=_PADDED_PX),
                **_corners("original_", low, high, scale=side),
            }


def _corners(prefix: str, low: tuple[float, float], high: tuple[float, float], *, scale: int) -> Json:
    (x1, y1), (x2, y2) = [(round(x * scale), round(y * scale)) for x, y in (low, high)]
    named = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "width": x2 - x1, "height": y2 - y1}
    return {f"{prefix}{name}": value for name, value in named.items()}


def _attributes(film: Shown) -> Iterator[Json]:
    """What the report's facts state of each region, one finding a phrase; uncertain ones are left out."""
    statements: dict[str, list[str]] = defaultdict(list)
    for fact, _ in located(film):
        if fact.certainty == "present":
            statements[region_of(fact)].append(_statement(fact, is_there=True))
    for name in ("pneumothorax", "pleural effusion"):
        for side in ("left", "right"):
            if not film.study.matching(name, side=side):
                denied = Fact(name=name, side=side, shape=())
                statements[region_of(denied)].append(_statement(denied, is_there=False))
    for region, said in statements.items():
        yield {
            "bbox_name": region,
            "object_id": f"{mimic_film_id(film)}_{region}",
            "attributes": [[one] for one in said],
            "phrases": [one.rpartition("|")[2] for one in said],
            "phrase_IDs": [f"{study_digits(film)}|{place}" for place in range(len(said))],
            **{f"{cue}_cues": [[] for _ in said] for cue in ("comparison", "temporal", "severity", "texture")},
        }


def _statement(fact: Fact, *, is_there: bool) -> str:
    category = "tubesandlines" if fact.name == "support devices" else "anatomicalfinding"
    category = "device" if fact.subtype == "pacemaker" else category
    return f"{category}|{'yes' if is_there else 'no'}|{attribute_of(fact)}"


def _relationships(film: Shown, earlier: Shown | None) -> Iterator[Json]:
    """How each certain finding that both films show in one place has gone on."""
    changes = () if earlier is None else changes_between(earlier.study, film.study)
    for number, change in enumerate(changes):
        before, after = change.before, change.after
        if earlier is None or before is None or after is None or {before.certainty, after.certainty} != {"present"}:
            continue
        region = region_of(after)
        yield {
            "relationship_id": f"{mimic_film_id(film)}|{number}",
            "predicate": _COURSES[change.trend].replace(" ", "-"),
            "relationship_names": [f"comparison|yes|{_COURSES[change.trend]}"],
            "bbox_name": region,
            "subject_id": f"{mimic_film_id(film)}_{region}",
            "object_id": f"{mimic_film_id(earlier)}_{region}",
            "attributes": [_statement(after, is_there=True)],
            "phrase": attribute_of(after),
        }
