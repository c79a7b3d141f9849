"""One question with its answer, reference, graph and boxes: what every layout writes, each in its own form."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from radrl.phantom.balance import Ledger
from radrl.phantom.case import Case
from radrl.phantom.picturing import Picture, Pictured
from radrl.phantom.questions import Question
from radrl.phantom.sampling import generator
from radrl.phantom.scene import Patient, Study
from radrl.phantom.settling import can_answer, settle, text_of
from radrl.phantom.tasks.task import Task
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
    """Also the stem of the image's name. A twin's ends in `t`; a film that is coned down for one question has
    that question's id and a `c`."""
    question: Question
    answer: tuple[str, ...]
    """True answer, whatever the reference says; empty means no finding."""
    reference: str
    triplets: tuple[Triplet, ...]
    """Graph that a true trace states."""
    boxes: tuple[Box, ...]
    """Where the findings are that the answer rests on."""
    twin_id: str | None = None
    prior_id: str | None = None
    """The study before it, which questions about two films compare it with."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Studies whose films the question shows, in order: its own, then the prior one; none where it shows none."""
        shown = (self.study_id, *((self.prior_id,) if self.prior_id else ()))
        assert len(shown) >= self.question.num_films, f"{self.id} compares two films but has no prior study"
        return shown[: self.question.num_films]

    @property
    def is_twin(self) -> bool:
        """Whether this is the counterfactual one of a pair."""
        return self.study_id.endswith("t")


def ask_study(
    world: PhantomWorld, ledger: Ledger, pictured: Pictured, *, prior: Pictured | None = None, at_most: int
) -> Iterator[Item]:
    """The study's questions, each followed by the same one about the twin where it has an answer there.

    `prior` is the patient's study before it.
    """
    study, patient = pictured.original.study, pictured.patient
    before = case_of(patient, prior.original) if prior is not None else None
    case = replace(case_of(patient, pictured.original), prior=before, toggled=pictured.toggled)
    rng = generator(world, patient.number, study.index, purpose="question")
    asked: set[str] = set()
    for number in range(min(at_most, world.questions_per_study)):
        question = ledger.ask(case, rng)
        if question is None or text_of(question) in asked:
            return
        asked.add(text_of(question))
        study_id = study_id_of(patient, study.index)
        item = _item(world, question, case, item_id=f"{study_id}-q{number}", study_id=study_id)
        on_twin = replace(case_of(patient, pictured.twin), prior=before) if pictured.twin is not None else None
        if on_twin is None or not can_answer(question, on_twin):
            yield item
            continue
        twin = _item(world, question, on_twin, item_id=f"{study_id}t-q{number}", study_id=f"{study_id}t")
        yield replace(item, twin_id=twin.id)
        yield replace(twin, twin_id=item.id)


def case_of(patient: Patient, picture: Picture) -> Case:
    """What can be told of a film, by itself."""
    return Case(patient=patient, study=picture.study, visible=picture.visible, boxes=picture.boxes)


def study_id_of(patient: Patient, index: int) -> str:
    """`p19990000000-s0` of the patient's first study."""
    return f"{patient.id}-s{index}"


def _item(world: PhantomWorld, asked: Question | Task, case: Case, *, item_id: str, study_id: str) -> Item:
    settled = settle(world, asked, case)
    assert settled is not None, f"{text_of(asked)} was asked of {study_id}, which has no answer to it"
    return Item(
        id=item_id,
        patient_id=case.patient.id,
        study_id=f"{item_id}c" if settled.question.cone else study_id,
        question=settled.question,
        answer=settled.answer,
        reference=settled.trace.text if isinstance(asked, Task) else _reference(world, asked, case, true=settled.trace),
        triplets=settled.trace.triplets,
        boxes=settled.boxes,
        prior_id=study_id_of(case.patient, case.study.index - 1) if case.study.index > 0 else None,
    )


def _reference(world: PhantomWorld, question: Question, case: Case, *, true: ReferenceTrace) -> str:
    """The true trace, or that of an author who overlooks findings.

    Questions that take a finding for granted (its place, its severity) leave nothing to overlook.
    """
    if world.under_report == 0 or not question.subjects:
        return true.text
    seen = reported_part(world, case.patient, case.study)
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
