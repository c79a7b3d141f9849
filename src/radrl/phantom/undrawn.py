"""Questions about studies that nobody draws: for what looks at words alone, in a fraction of the time."""

from radrl.phantom.export import ask_patients
from radrl.phantom.items import Item
from radrl.phantom.picturing import Picture, Pictured, toggle, toggled_fact
from radrl.phantom.sampling import draw_patient
from radrl.phantom.scene import Patient, Study
from radrl.phantom.world import MAX_PATIENTS, PhantomWorld


def ask_undrawn(world: PhantomWorld, *, split: str, num_questions: int) -> list[Item]:
    """That many questions with their answers and references; twins come on top, each behind the row it belongs to.

    Every certain finding counts as visible, since no film is there to look at, and there are no boxes. So the
    questions are not those of an export of the same world. Raises as `ask_patients`.
    """
    patients = (_imagine(world, index, split=split) for index in range(MAX_PATIENTS))
    asked = ask_patients(world, patients, split=split, num_questions=num_questions)
    return [item for one in asked for item in one.items]


def _imagine(world: PhantomWorld, index: int, *, split: str) -> tuple[Pictured, ...]:
    patient = draw_patient(world, index, split=split)
    return tuple(_imagine_study(world, patient, study, split=split) for study in patient.studies)


def _imagine_study(world: PhantomWorld, patient: Patient, study: Study, *, split: str) -> Pictured:
    toggled = toggled_fact(world, patient, study, split=split) if world.twins else None
    if toggled is None:
        return Pictured(patient=patient, original=_undrawn(study))
    return Pictured(patient=patient, original=_undrawn(study), twin=_undrawn(toggle(study, toggled)), toggled=toggled)


def _undrawn(study: Study) -> Picture:
    return Picture(
        study=study,
        png=b"",
        boxes=tuple(() for _ in study.facts),
        visible=tuple(fact for fact in study.facts if fact.certainty == "present"),
    )
