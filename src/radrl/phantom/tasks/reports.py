"""Whole reports: of one film, or of two with comparison."""

from functools import partial
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.changes import changes_between
from radrl.phantom.questions import Question
from radrl.phantom.report import Report, report_of
from radrl.phantom.scene import Fact
from radrl.phantom.tasks.task import Desk, Found, Task
from radrl.phantom.trace import Step, joined
from radrl.phantom.wording import Statement, affirm, deny_fact, noun_phrase
from radrl.types import AnswerKind

_GONE: Final = ("{Finding} has resolved.", "{Finding} is no longer seen.")


def report(desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    """FINDINGS and IMPRESSION; a study with one before it is compared with it, and both films are shown.

    Normal studies come as often as the world has them.
    """
    del rng
    num_films = 2 if case.prior is not None else 1
    question = Question(
        kind="report",
        text=_context(desk, case)
        + desk.say(
            "Write the findings and the impression of this radiograph.",
            unseen="Report this film: first what it shows, then what it comes to.",
        ),
        answer_kind=AnswerKind.TEXT,
        num_films=num_films,
    )
    task = Task(question=question, find=partial(_find_report, desk))
    if task.find(case) is None:
        return None
    share = desk.world.normal_share
    return task if desk.lean.is_due("report", is_rare=not case.study.facts, share=share) else None


def compared(written: Report, *, gone: tuple[Fact, ...]) -> str:
    """The report's text, with what the earlier film showed and this one does not."""
    sentences = [_GONE[place % len(_GONE)].format(Finding=_start(noun_phrase(f))) for place, f in enumerate(gone)]
    findings = " ".join([written.findings, *sentences]).strip()
    return f"FINDINGS: {findings}\nIMPRESSION: {written.impression}"


def _find_report(desk: Desk, case: Case) -> Found | None:
    """Only of studies that can be told as a whole, and so without hedges, for nobody could know what they hide."""
    prior = case.prior
    if not case.is_whole or (prior is not None and not prior.is_whole):
        return None
    gone: tuple[Fact, ...] = ()
    if prior is not None:
        changes = changes_between(prior.study, case.study)
        gone = tuple(change.fact for change in changes if change.after is None and _is_named_once(change.fact, case))
    style = desk.world.style
    seen = [affirm(fact, style=style) for fact in case.study.facts]
    seen += [deny_fact(fact, style=style) for fact in gone]
    calm = Statement(text="nothing stands out" if desk.is_short else "Nothing stands out.")
    text = compared(report_of(desk.world, case.patient, case.study), gone=gone)
    step = Step(thought=joined(seen or [calm]), answer=text)
    return Found(answer=(text,), steps=(step,), final=text, boxes=case.boxes_of(*case.study.facts))


def _is_named_once(fact: Fact, case: Case) -> bool:
    """Whether nothing on the film bears the words of what has gone."""
    return not any(noun_phrase(other) == noun_phrase(fact) for other in case.study.facts)


def _context(desk: Desk, case: Case) -> str:
    """Indication and comparison, which no film tells."""
    known = report_of(desk.world, case.patient, case.study)
    said = f"Indication: {known.indication}" if "pneumonia" in desk.world.findings else ""
    if case.prior is not None:
        days = case.study.offset_days - case.prior.study.offset_days
        said += f" Comparison: the second image, taken {days} days before."
    return f"{said.strip()} " if said else ""


def _start(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]
