"""Films that come with labels, boxes or reports: what is asked about them, the same of every data set."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from radrl.data.adapters.api import Choices, Drops, Record, Split
from radrl.types import AnswerKind, Box

State = Literal["present", "absent", "uncertain"]
Section = Literal["indication", "comparison", "findings", "impression"]
View = Literal["PA", "AP", "lateral"]

NORMAL: Final = "no finding"
"""The label of a film that shows none; it is not asked about by itself."""
VIEWS: Final[tuple[View, ...]] = ("PA", "AP", "lateral")

_STATED: Final[Mapping[str, Sequence[Section]]] = {
    "findings": ("findings",),
    "impression": ("impression",),
    "both": ("findings", "impression"),
}
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledStudy:
    """A film, or several that are read together, with what the data set says of them.

    Example: `LabelledStudy(id="p19990001-s59990001-0a1b", study_id="s59990001", split="train", patient_id="p19990001",
    images=(Path("/films/0a1b.jpg"),), labels={"edema": "present", "pneumonia": "absent"}, view="AP",
    origin="mimic-cxr-2.0.0-metadata.csv.gz:17")`
    """

    id: str
    """Ids of the questions begin with it."""
    study_id: str | None = None
    split: Split
    patient_id: str
    images: tuple[Path, ...]
    """Absolute."""
    labels: Mapping[str, State] = field(default_factory=dict[str, State])
    """By reading name: lower case, blanks between words (`pleural effusion`), as `label_spaces` has it. A label that
    the data set leaves open is not in it."""
    is_exhaustive: bool = False
    """Whether `labels` settles every finding of the label space, so that all that are there can be asked for."""
    boxes: tuple[Box, ...] = ()
    """In fractions; labels by reading name."""
    sections: Mapping[Section, str] = field(default_factory=dict[Section, str])
    """Parts of the report, as the model may write them: without marks of de-identification, see `without_masked`."""
    view: View | None = None
    columns: Mapping[str, object] = field(default_factory=dict[str, object])
    origin: str


def records(study: LabelledStudy, choices: Choices, drops: Drops) -> Iterator[Record]:
    """What can be asked: presence of each label, view, all findings, report, place of each finding with boxes."""
    labels = _decided(study, choices, drops)
    if choices.asks("presence"):
        yield from _presence(study, labels)
    if choices.asks("view") and study.view is not None:
        yield _view(study, study.view)
    if choices.asks("open") and study.is_exhaustive and len(labels) == len(study.labels):
        yield _open(study, labels)
    if choices.asks("report") and study.sections:
        yield from _report(study, choices, drops)
    if choices.asks("grounding"):
        yield from _grounding(study)


def without_masked(text: str, *, mask: str) -> str:
    """The sentences that hold no mark of de-identification (`___`, `XXXX`), which must not be learnt or scored.

    >>> without_masked("Compared with ___, no change. The heart is large.", mask="___")
    'The heart is large.'
    """
    sentences = _SENTENCE_END.split(" ".join(text.split()))
    return " ".join(sentence for sentence in sentences if mask not in sentence)


def box_text(box: Box) -> str:
    """A box as an answer gives it, in fractions of the film to four digits."""
    return f"[{box.x0:.4f}, {box.y0:.4f}, {box.x1:.4f}, {box.y1:.4f}]"


def shuffled(items: Sequence[str], *, by: str) -> tuple[str, ...]:
    """The items in an order that the text `by` alone fixes, so that no place in a list of options is the likely one."""
    return tuple(sorted(items, key=lambda item: hashlib.sha256(f"{by}:{item}".encode()).digest()))


def _decided(study: LabelledStudy, choices: Choices, drops: Drops) -> dict[str, bool]:
    """Labels that are there or not, uncertain ones as the user decided."""
    meaning: dict[State, bool | None] = {
        "present": True,
        "absent": False,
        "uncertain": {"drop": None, "positive": True, "negative": False}[choices.uncertain],
    }
    decided: dict[str, bool] = {}
    for name, state in study.labels.items():
        is_there = meaning[state]
        if is_there is not None:
            decided[name] = is_there
        elif choices.asks("presence") or choices.asks("open"):
            drops.drop("uncertain label", origin=study.origin, detail=name)
    return decided


def _presence(study: LabelledStudy, labels: Mapping[str, bool]) -> Iterator[Record]:
    for name, is_there in labels.items():
        if name != NORMAL:
            yield _record(
                study,
                kind="presence",
                topic=name,
                question=f"Is there evidence of {name} on this film?",
                answer_kind=AnswerKind.YES_NO,
                answer=("yes" if is_there else "no",),
                options=(name,),
                boxes=tuple(box for box in study.boxes if box.label == name),
            )


def _view(study: LabelledStudy, view: View) -> Record:
    options = shuffled(VIEWS, by=study.id)
    return _record(
        study,
        kind="view",
        question=f"Which view is this: {options[0]}, {options[1]} or {options[2]}?",
        answer_kind=AnswerKind.CHOICE,
        answer=(view,),
        options=options,
    )


def _open(study: LabelledStudy, labels: Mapping[str, bool]) -> Record:
    present = tuple(name for name, is_there in labels.items() if is_there and name != NORMAL)
    return _record(
        study,
        kind="open",
        question="Which findings does this film show?",
        answer_kind=AnswerKind.SET,
        answer=present,
        options=tuple(name for name in labels if name != NORMAL),
        boxes=study.boxes,
    )


def _report(study: LabelledStudy, choices: Choices, drops: Drops) -> Iterator[Record]:
    wanted = _STATED[choices.section]
    missing = [section for section in wanted if not study.sections.get(section, "").strip()]
    if missing:
        drops.drop(f"no {missing[0]} in the report", origin=study.origin)
        return
    texts = [study.sections[section].strip() for section in wanted]
    heads = [f"{section.capitalize()}: " if len(wanted) > 1 else "" for section in wanted]
    indication = study.sections.get("indication", "").strip()
    task = f"Write the {' and the '.join(wanted)} of the report on this film."
    yield _record(
        study,
        kind="report",
        question=f"Indication: {indication}\n{task}" if indication else task,
        answer_kind=AnswerKind.TEXT,
        answer=("\n".join(head + text for head, text in zip(heads, texts, strict=True)),),
    )


def _grounding(study: LabelledStudy) -> Iterator[Record]:
    for name in dict.fromkeys(box.label for box in study.boxes):
        boxes = tuple(box for box in study.boxes if box.label == name)
        yield _record(
            study,
            kind="grounding",
            topic=name,
            question=f"Where on this film is {name}? Give each place as [x0, y0, x1, y1] in fractions of the film.",
            answer_kind=AnswerKind.BOXES,
            answer=tuple(box_text(box) for box in boxes),
            boxes=boxes,
        )


def _record(
    study: LabelledStudy,
    *,
    kind: str,
    topic: str = "",
    question: str,
    answer_kind: AnswerKind,
    answer: tuple[str, ...],
    options: tuple[str, ...] = (),
    boxes: tuple[Box, ...] = (),
) -> Record:
    slug = "-".join(re.findall(r"[a-z0-9]+", topic.lower()))
    return Record(
        id="-".join(part for part in (study.id, kind, slug) if part),
        split=study.split,
        patient_id=study.patient_id,
        study_id=study.study_id,
        kind=kind,
        question=question,
        images=study.images,
        answer_kind=answer_kind,
        answer=answer,
        options=options,
        boxes=boxes,
        report=" ".join(study.sections.get(section, "") for section in _STATED["both"]).strip(),
        columns={**study.columns, **({"view": study.view} if study.view is not None else {})},
        origin=study.origin,
    )
