"""Lots with questions, for the data sets that hold questions and not labels."""

from functools import cache

from radrl.phantom.export import ask_patients
from radrl.phantom.items import study_id_of
from radrl.phantom.lots import Lot, show
from radrl.phantom.picturing import picture_patient
from radrl.phantom.world import PhantomWorld

ANY_KIND = ("presence", "open", "list", "view", "location", "severity", "difference", "report")
"""Kinds that either data set has a form for, and one that neither has."""
MIMIC_KINDS = ("anatomy", "presence", "abnormality", "attribute", "plane", "gender", "size")
DIFF_KINDS = ("abnormality", "presence", "location", "level", "view", "type")


@cache
def questioned(split: str = "train", num_questions: int = 30, kinds: tuple[str, ...] = ANY_KIND) -> Lot:
    """Questions with every film of the patients that they are about."""
    world = PhantomWorld(seed=3, size_px=48, difficulty=0.05, style="short", kinds=dict.fromkeys(kinds, 1.0))
    drawn = [picture_patient(world, index, split=split) for index in range(num_questions)]
    asked = ask_patients(world, drawn, split=split, num_questions=num_questions)
    items = tuple(item for study in asked for item in study.items)
    patients = {item.patient_id for item in items}
    films = tuple(
        show(world, pictured.patient, pictured.original, study_id=study_id_of(pictured.patient, place))
        for patient in drawn
        for place, pictured in enumerate(patient)
        if pictured.patient.id in patients
    )
    return Lot(split=split, items=items, films=films, world=world)
