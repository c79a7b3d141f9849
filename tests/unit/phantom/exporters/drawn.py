"""What the tests of exporters share: small lots of films, and what has to be asked about one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from radrl.data.adapters.api import Adapter, Choices, Record
from radrl.data.adapters.labelled import LabelledStudy, records
from radrl.phantom.items import study_id_of
from radrl.phantom.lots import Lot, Shown, show
from radrl.phantom.picturing import picture_patient
from radrl.phantom.world import PhantomWorld
from radrl.types import Box

WORLD = PhantomWorld(seed=5, size_px=64, difficulty=0.05, uncertain_share=0.2, max_studies=2)

PADCHEST_NAMES = {
    "enlarged cardiomediastinum": "mediastinal enlargement",
    "cardiomegaly": "cardiomegaly",
    "lung opacity": "infiltrates",
    "lung lesion 1": "nodule",
    "lung lesion 2": "mass",
    "edema": "pulmonary edema",
    "consolidation": "consolidation",
    "pneumonia": "pneumonia",
    "atelectasis": "atelectasis",
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural effusion",
    "pleural other": "pleural thickening",
    "fracture rib": "rib fracture",
    "fracture clavicle": "clavicle fracture",
    "support devices endotracheal tube": "endotracheal tube",
    "support devices enteric tube": "nasogastric tube",
    "support devices central venous catheter": "central venous catheter",
    "support devices chest tube": "chest drain tube",
    "support devices pacemaker": "pacemaker",
}
"""The phantom's findings, by name and by what the name alone does not tell, as questions about PadChest read them."""


@dataclass(frozen=True, kw_only=True)
class Noted:
    """Reasons of drops, in order."""

    reasons: list[str] = field(default_factory=list)

    def drop(self, reason: str, *, origin: str, detail: str = "") -> None:
        self.reasons.append(reason)


@cache
def lot(split: str = "train", num_patients: int = 4) -> Lot:
    """Every film of a split's first patients, drawn once."""
    return lot_of(WORLD, split, num_patients)


def lot_of(world: PhantomWorld, split: str, num_patients: int) -> Lot:
    """The same of another world."""
    films = [
        show(world, drawn.patient, drawn.original, study_id=study_id_of(drawn.patient, drawn.original.study.index))
        for index in range(num_patients)
        for drawn in picture_patient(world, index, split=split)
    ]
    return Lot(split=split, items=(), films=tuple(films), world=world)


def converted(adapter: Adapter, folder: Path, choices: Choices | None = None) -> tuple[list[Record], Noted]:
    """Every record of a data set, and what was dropped."""
    drops = Noted()
    found = list(adapter.read(folder, choices or Choices(), drops))
    assert len({record.id for record in found}) == len(found)
    return found, drops


def asked(studies: Iterable[LabelledStudy], choices: Choices | None = None) -> list[Record]:
    """What has to be asked about these studies."""
    return [record for study in studies for record in records(study, choices or Choices(), Noted())]


def meaning(found: Iterable[Record]) -> set[tuple[object, ...]]:
    """Records without their ids, origins and columns, and without the order of what has none."""
    return {
        (
            record.images,
            record.kind,
            record.question.partition(":")[0] if record.kind == "view" else record.question,
            frozenset(record.answer),
            frozenset(record.options),
            record.patient_id,
            record.split,
        )
        for record in found
    }


def present(film: Shown, names: Mapping[str, str], *, certainties: Sequence[str] = ("present",)) -> set[str]:
    """Reading names of the film's findings, by name and, for devices and fractures, by subtype."""
    facts = [fact for fact in film.study.facts if fact.certainty in certainties]
    found = {names.get(f"{fact.name} {fact.subtype}".strip(), names.get(fact.name)) for fact in facts}
    if any(fact.certainty in certainties for fact in film.study.matching("pneumonia")):
        found.add(names.get("pneumonia"))
    found |= {
        names.get("lung lesion 1" if fact.severity == 1 else "lung lesion 2")
        for fact in facts
        if fact.name == "lung lesion"
    }
    return {name for name in found if name is not None}


def boxes(film: Shown, names: Mapping[str, str], *, certainties: Sequence[str] = ("present",)) -> tuple[Box, ...]:
    """Boxes of the film's findings under their reading names, as far as they are in `names`."""
    return tuple(
        Box(label=label, x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1)
        for fact, places in zip(film.study.facts, film.picture.boxes, strict=True)
        if fact.certainty in certainties
        if (label := _name(fact, names)) is not None
        for box in places
    )


def _name(fact, names):
    if fact.name == "lung lesion":
        return names.get("lung lesion", names.get("lung lesion 1" if fact.severity == 1 else "lung lesion 2"))
    return names.get(f"{fact.name} {fact.subtype}".strip(), names.get(fact.name))
