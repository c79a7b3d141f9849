"""One question with its answer, reference, graph and boxes: what every layout writes, each in its own form."""

from collections.abc import Iterator
from dataclasses import dataclass

from radrl.phantom.balance import Ledger
from radrl.phantom.picturing import Picture, Pictured
from radrl.phantom.questions import Question
from radrl.phantom.sampling import generator
from radrl.phantom.scene import Patient, Study
from radrl.phantom.trace import ReferenceTrace, write_trace
from radrl.phantom.world import PhantomWorld
from radrl.types import Box, Triplet


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A question about one image.

    Example: `Item(id="p19990000000-s0-q0", study_id="p19990000000-s0", patient_id="p19990000000",
    question=Question(...), answer=("yes",), reference="<think>...", triplets=(...), boxes=(...),
    twin_id="p19990000000-s0t-q0")`
    """

    id: str
    patient_id: str
    study_id: str
    """Also the stem of the image's name. A twin's ends in `t`."""
    question: Question
    answer: tuple[str, ...]
    """True answer, whatever the reference says; empty means no finding."""
    reference: str
    triplets: tuple[Triplet, ...]
    """Graph that a true trace states."""
    boxes: tuple[Box, ...]
    """Where the findings are that the answer rests on."""
    twin_id: str | None = None

    @property
    def is_twin(self) -> bool:
        """Whether this is the counterfactual one of a pair."""
        return self.study_id.endswith("t")


def ask_study(world: PhantomWorld, ledger: Ledger, pictured: Pictured, *, at_most: int) -> Iterator[Item]:
    """The study's questions, each followed by the same one about the twin where it has an answer there."""
    study, patient = pictured.original.study, pictured.patient
    rng = generator(world, patient.number, study.index, purpose="question")
    asked: set[str] = set()
    for number in range(min(at_most, world.questions_per_study)):
        question = ledger.ask(study, visible=pictured.original.visible, rng=rng, toggled=pictured.toggled)
        if question is None or question.text in asked:
            return
        asked.add(question.text)
        study_id = f"{patient.id}-s{study.index}"
        item_id, twin_id = f"{study_id}-q{number}", f"{study_id}t-q{number}"
        twin = pictured.twin if pictured.twin is not None and _can_answer(question, pictured.twin) else None
        yield _item(
            world, patient, pictured.original, question, item_id=item_id, study_id=study_id, twin_id=twin and twin_id
        )
        if twin is not None:
            yield _item(world, patient, twin, question, item_id=twin_id, study_id=f"{study_id}t", twin_id=item_id)


def _can_answer(question: Question, picture: Picture) -> bool:
    study = picture.study
    subjects = (*question.subjects, *((question.about,) if question.about else ()))
    rests_on = [fact for subject in subjects for fact in subject.facts(study)]
    return question.fits(study) and all(fact in picture.visible for fact in rests_on)


def _item(
    world: PhantomWorld,
    patient: Patient,
    picture: Picture,
    question: Question,
    *,
    item_id: str,
    study_id: str,
    twin_id: str | None,
) -> Item:
    study = picture.study
    true = write_trace(question, study, trace=world.trace, style=world.style)
    return Item(
        id=item_id,
        patient_id=patient.id,
        study_id=study_id,
        question=question,
        answer=question.answer(study),
        reference=_reference(world, patient, study, question, true=true),
        triplets=true.triplets,
        boxes=_boxes(question, picture),
        twin_id=twin_id,
    )


def _reference(world: PhantomWorld, patient: Patient, study: Study, question: Question, *, true: ReferenceTrace) -> str:
    """The true trace, or that of an author who overlooks findings.

    Questions that take a finding for granted (its place, its severity) leave nothing to overlook.
    """
    if world.under_report == 0 or not question.subjects:
        return true.text
    seen = reported_part(world, patient, study)
    return write_trace(question, seen, trace=world.trace, style=world.style).text


def reported_part(world: PhantomWorld, patient: Patient, study: Study) -> Study:
    """The study as an under-reporting author sees it: the same in every question about it."""
    rng = generator(world, patient.number, study.index, purpose="teacher")
    draws = rng.random(world.max_findings + 1).tolist()
    kept = tuple(fact for fact, draw in zip(study.facts, draws, strict=False) if draw >= world.under_report)
    return Study(
        index=study.index,
        offset_days=study.offset_days,
        technique=study.technique,
        facts=kept,
        infection_cue=study.infection_cue,
    )


def _boxes(question: Question, picture: Picture) -> tuple[Box, ...]:
    study = picture.study
    subjects = (*question.subjects, *((question.about,) if question.about else ()))
    meant = {fact for subject in subjects for fact in subject.facts(study)}
    pairs = zip(study.facts, picture.boxes, strict=True)
    return tuple(box for fact, boxes in pairs if fact in meant for box in boxes)
