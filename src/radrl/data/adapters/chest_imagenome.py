"""Chest ImaGenome 1.0.0, silver part: findings by region of the body, with boxes, on frontal films of MIMIC-CXR."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.data.adapters.api import Adapter, Choices, Drops, Record, Split
from radrl.data.adapters.labelled import VIEWS, LabelledStudy, State, box_text, records, shuffled
from radrl.data.adapters.ms_cxr_t import COURSES
from radrl.data.adapters.pixels import pixel_box
from radrl.data.adapters.places import MimicPlace, film_folder, mimic_film, mimic_film_of_patient
from radrl.data.adapters.scene_graphs import SceneGraph, SceneGraphs
from radrl.data.adapters.tables import found, read_table
from radrl.data.images import image_size
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.types import AnswerKind, Box, ImageRef

_SPLITS: Final[Mapping[str, Split]] = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
_INSIDE: Final = 0.9
"""Share of a box that has to lie in another one to count as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Film:
    """A film of a split, with its scene graph."""

    row: Row
    """Of the split's table."""
    split: Split
    place: MimicPlace
    graph: SceneGraph


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Records film by film, in the order of the splits' tables; films that the publisher says to avoid are left out."""
    root = film_folder(folder, choices, inner="files")
    for film in _films(folder / "silver_dataset", drops):
        image = mimic_film(root, film.place)
        try:
            size = image_size(ImageRef(path=str(image), sha256=""))
        except DataError as error:
            drops.drop("film cannot be read", origin=film.row.origin, detail=str(error))
            continue
        regions = _regions(film, size, drops)
        study = _study(film, image, regions)
        yield from records(study, choices, drops)
        if choices.asks("presence"):
            yield from _in_regions(study, film.graph)
        if choices.asks("anatomy"):
            yield from _anatomy(study, regions)
        if choices.asks("progression"):
            yield from _progression(study, film.graph, root, drops)


def _films(silver: Path, drops: Drops) -> Iterator[_Film]:
    rows = read_table(silver / "splits" / "images_to_avoid.csv", needs=("dicom_id",))
    avoided = frozenset(row.text("dicom_id").strip() for row in rows)
    with SceneGraphs(silver) as graphs:
        for name, split in _SPLITS.items():
            table = silver / "splits" / name
            if found(table) is None:
                continue
            for row in read_table(table, needs=("dicom_id", "subject_id", "study_id")):
                film_id = row.text("dicom_id").strip()
                graph = None if film_id in avoided else graphs.get(film_id)
                if graph is None:
                    reason = "film to avoid" if film_id in avoided else "film without scene graph"
                    drops.drop(reason, origin=row.origin, detail=film_id)
                else:
                    yield _Film(row=row, split=split, place=_place(row), graph=graph)


def _study(film: _Film, image: Path, regions: Mapping[str, Box]) -> LabelledStudy:
    view = (film.row.optional_text("ViewPosition") or "").strip().upper()
    return LabelledStudy(
        id=f"chest_imagenome-{film.place.film_id}",
        study_id=film.place.study_id,
        split=film.split,
        patient_id=film.place.patient_id,
        images=(image,),
        labels=_labels(film.graph),
        boxes=_finding_boxes(film.graph, regions),
        view=next((known for known in VIEWS if known == view), None),
        origin=film.row.origin,
    )


def _regions(film: _Film, size: tuple[int, int], drops: Drops) -> dict[str, Box]:
    """Boxes of the regions by their names."""
    regions: dict[str, Box] = {}
    for region in film.graph.regions:
        box = pixel_box(region.corners, label=region.name, size=size)
        if box is None:
            drops.drop("region outside the film", origin=film.row.origin, detail=region.name)
        else:
            regions[region.name] = box
    return regions


def _place(row: Row) -> MimicPlace:
    return MimicPlace(
        patient_id=row.text("subject_id").strip(),
        study_id=row.text("study_id").strip(),
        film_id=row.text("dicom_id").strip(),
    )


def _labels(graph: SceneGraph) -> dict[str, State]:
    """A finding is present where any region has it, and absent where it is only ever denied."""
    present: dict[str, bool] = {}
    for (_, finding), is_there in graph.statements.items():
        present[finding] = present.get(finding, False) or is_there
    return {finding: "present" if is_there else "absent" for finding, is_there in present.items()}


def _finding_boxes(graph: SceneGraph, regions: Mapping[str, Box]) -> tuple[Box, ...]:
    """The regions that have a finding; of regions within regions (a zone of a lung) only the innermost."""
    of_finding: dict[str, list[Box]] = defaultdict(list)
    for (region, finding), is_there in graph.statements.items():
        if is_there and region in regions:
            box = regions[region]
            of_finding[finding].append(Box(label=finding, x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1))
    return tuple(box for boxes in of_finding.values() for box in _innermost(boxes))


def _innermost(boxes: Sequence[Box]) -> list[Box]:
    boxes = list(dict.fromkeys(boxes))
    return [box for box in boxes if not any(_holds(box, other) for other in boxes if other != box)]


def _holds(outer: Box, inner: Box) -> bool:
    width = min(outer.x1, inner.x1) - max(outer.x0, inner.x0)
    height = min(outer.y1, inner.y1) - max(outer.y0, inner.y0)
    common = max(width, 0.0) * max(height, 0.0)
    return common >= _INSIDE * _area(inner) and _area(outer) > _area(inner)


def _area(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _in_regions(study: LabelledStudy, graph: SceneGraph) -> Iterator[Record]:
    for (region, finding), is_there in graph.statements.items():
        yield _record(
            study,
            kind="presence",
            topic=f"{region} {finding}",
            question=f"Is there evidence of {finding} in the {region}?",
            answer_kind=AnswerKind.YES_NO,
            answer=("yes" if is_there else "no",),
            options=(finding,),
            columns={"region": region, "finding": finding},
        )


def _anatomy(study: LabelledStudy, regions: Mapping[str, Box]) -> Iterator[Record]:
    for name, box in regions.items():
        yield _record(
            study,
            kind="anatomy",
            topic=name,
            question=f"Where on this film is the {name}? Give its place as [x0, y0, x1, y1] in fractions of the film.",
            answer_kind=AnswerKind.BOXES,
            answer=(box_text(box),),
            boxes=(box,),
            columns={"region": name},
        )


def _progression(study: LabelledStudy, graph: SceneGraph, films: Path, drops: Drops) -> Iterator[Record]:
    """Findings whose course since the earlier film is stated, and only in one way."""
    courses: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in graph.comparisons:
        courses[one.earlier_id, one.region, one.finding].add(one.course)
    for (earlier_id, region, finding), stated in courses.items():
        place = mimic_film_of_patient(films, patient_id=study.patient_id, film_id=earlier_id)
        topic = f"{earlier_id} {region} {finding}"
        options = shuffled(COURSES, by=f"{study.id} {topic}")
        if place is None:
            drops.drop("no earlier film", origin=study.origin, detail=earlier_id)
        elif len(stated) > 1:
            drops.drop("contradictory courses", origin=study.origin, detail=f"{finding}, {region}")
        else:
            yield _record(
                study,
                kind="progression",
                topic=topic,
                question="The first film is the current one, the second the earlier one. "
                f"Is the {finding} in the {region} {options[0]}, {options[1]} or {options[2]}?",
                answer_kind=AnswerKind.CHOICE,
                answer=tuple(stated),
                options=options,
                earlier=mimic_film(films, place),
                columns={"region": region, "finding": finding},
            )


def _record(
    study: LabelledStudy,
    *,
    kind: str,
    topic: str,
    question: str,
    answer_kind: AnswerKind,
    answer: tuple[str, ...],
    options: tuple[str, ...] = (),
    boxes: tuple[Box, ...] = (),
    earlier: Path | None = None,
    columns: Mapping[str, object],
) -> Record:
    slug = "-".join(re.findall(r"[a-z0-9]+", topic.lower()))
    return Record(
        id=f"{study.id}-{kind}-{slug}",
        split=study.split,
        patient_id=study.patient_id,
        study_id=study.study_id,
        kind=kind,
        question=question,
        images=(*study.images, *((earlier,) if earlier is not None else ())),
        answer_kind=answer_kind,
        answer=answer,
        options=options,
        boxes=boxes,
        columns=columns,
        origin=study.origin,
    )


ADAPTER: Final = Adapter(
    name="chest_imagenome",
    title="Chest ImaGenome 1.0.0: findings by region of the body on frontal films of MIMIC-CXR",
    licence="PhysioNet Credentialed Health Data License 1.5.0.",
    access="Credentialed users of PhysioNet, https://physionet.org/content/chest-imagenome/; films come with "
    "MIMIC-CXR-JPG.",
    needs=(
        "silver_dataset/scene_graph.zip|silver_dataset/scene_graph",
        "silver_dataset/splits/train.csv|silver_dataset/splits/valid.csv|silver_dataset/splits/test.csv",
        "silver_dataset/splits/images_to_avoid.csv",
    ),
    read=read,
)
