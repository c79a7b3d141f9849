"""Annotated sentences of phantom reports, after ReXKG's guideline: what its models are trained and measured on.

Exact, because they come from the grammar that wrote the report and from no extractor. Entities are as near to single
words as they can be: in "left pleural effusion" left is a concept that modifies pleural, and effusion is a disorder
located at pleural. "No" is no entity: polarity is in the type. ReXKG has no type for uncertain findings, so a hedged
one counts as present. Reports give no sizes and draw no conclusions, so remarks that do, true of the study, are added;
the world knows no procedures.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from radrl.graph.rexkg.labels import Edge, LabelledSentence, Span
from radrl.graph.rexkg.sentences import Sentence, split
from radrl.phantom.report import Line, Report, write_report
from radrl.phantom.sampling import DEVICES, draw_patient, generator
from radrl.phantom.scene import CHILDREN, SEVERITIES, SIDES, ZONES, Study
from radrl.phantom.wording import noun_phrase
from radrl.phantom.world import PhantomWorld

Kind = Literal["side", "zone", "degree", "course", "size", "anatomy", "disorder", "device"]

_WORDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys((*SIDES, "bilateral"), "side"),
    **dict.fromkeys(ZONES, "zone"),
    **dict.fromkeys((*SEVERITIES, "acute", "active"), "degree"),
    **dict.fromkeys(("zone", "lung", "pleural", "rib", "clavicle", "cardiomediastinum", "cardiopulmonary"), "anatomy"),
    **dict.fromkeys(
        (
            "enlarged", "cardiomegaly", "opacity", "lesion", "edema", "consolidation", "pneumonia", "atelectasis",
            "pneumothorax", "effusion", "thickening", "fracture", "process", "abnormality", "disease",
        ),
        "disorder",
    ),
    **dict.fromkeys((*DEVICES, "support devices"), "device"),
}  # fmt: skip
"""Every word of every phrase that a report can hold."""
_COURSES: Final = (
    "new", "progressed", "worse", "increased", "improved", "better", "decreased", "unchanged", "stable",
)  # fmt: skip
_PART = re.compile(rf"\d+\.\d+ cm|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b")
_COURSE = re.compile(rf"\b(?:{'|'.join(_COURSES)})\b")
_SUGGESTS: Final = ("suggestive of", "suspicious for", "compatible with", "concerning for", "likely due to")
_CM_PER_SEVERITY: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """An entity of a phrase, by its code points in the text."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remark:
    """A sentence with a size, or in which one finding suggests another."""

    text: str
    phrases: tuple[str, ...]


def annotated_reports(num_reports: int, *, split_name: str, world: PhantomWorld) -> list[LabelledSentence]:
    """Annotated sentences of the first reports of a split, in order.

    Example: `annotated_reports(300, split_name="train", world=PhantomWorld(seed=1))`
    """
    sentences: list[LabelledSentence] = []
    for study_id, study, rng in _studies(num_reports, split_name=split_name, world=world):
        report = write_report(study, classes=world.findings, rng=rng)
        sentences += annotate_report(report, doc_key=study_id)
        for number, remark in enumerate(_remarks(study, rng)):
            sentences += _annotate_remark(remark, doc_key=f"{study_id}r{number}")
    return sentences


def annotate_report(report: Report, *, doc_key: str) -> list[LabelledSentence]:
    """Annotated sentences of a report's text, as `sentences.split` cuts it; keys are `{doc_key}_{sentence}`."""
    parts: dict[_Part, str] = {}
    links: list[tuple[_Part, _Part, str]] = []
    place = 0
    for line in report.lines:
        place = report.text.index(line.text, place)
        found = _parts_of_line(line, start=place)
        parts |= dict.fromkeys(found, "notpresent" if line.certainty == "absent" else "present")
        links += _links(found)
        place += len(line.text)
    return _sentences(report.text, parts, links, doc_key=doc_key)


def _annotate_remark(remark: _Remark, *, doc_key: str) -> list[LabelledSentence]:
    phrases = [_parts(phrase, start=remark.text.lower().index(phrase)) for phrase in remark.phrases]
    links = [link for parts in phrases for link in _links(parts)]
    if len(phrases) > 1:
        links.append((_finding(phrases[0]), _finding(phrases[1]), "suggestive_of"))
    parts = {part: "present" for found in phrases for part in found}
    return _sentences(remark.text, parts, links, doc_key=doc_key)


def _studies(
    num_reports: int, *, split_name: str, world: PhantomWorld
) -> Iterator[tuple[str, Study, np.random.Generator]]:
    """Id, study and the generator that words its report, as in an exported world."""
    index = done = 0
    while done < num_reports:
        patient = draw_patient(world, index, split=split_name)
        for study in patient.studies[: num_reports - done]:
            rng = generator(world, patient.number, study.index, purpose="text")
            yield f"{patient.id}-s{study.index}", study, rng
            done += 1
        index += 1


def _remarks(study: Study, rng: np.random.Generator) -> Iterator[_Remark]:
    for fact in study.facts:
        if fact.name == "lung lesion":
            size = f"{fact.severity * _CM_PER_SEVERITY + fact.shape[0]:.1f} cm"
            phrase = f"{size} {noun_phrase(fact)}"
            yield _Remark(text=f"A {phrase} is seen.", phrases=(phrase,))
        elif fact.name in CHILDREN["lung opacity"]:
            yield _suggestion(noun_phrase(fact.as_parent("lung opacity")), fact.name, rng)
    for fact in study.matching("pneumonia"):
        yield _suggestion(noun_phrase(fact), "pneumonia", rng)


def _suggestion(phrase: str, disease: str, rng: np.random.Generator) -> _Remark:
    cue = _SUGGESTS[int(rng.integers(len(_SUGGESTS)))]
    return _Remark(text=f"{phrase[0].upper()}{phrase[1:]} {cue} {disease}.", phrases=(phrase, disease))


def _parts_of_line(line: Line, *, start: int) -> list[_Part]:
    if line.phrase:
        return _parts(line.phrase, start=start + line.text.lower().index(line.phrase))
    words = _COURSE.finditer(line.text.lower())
    return [_Part(start=start + word.start(), end=start + word.end(), kind="course") for word in words]


def _parts(phrase: str, *, start: int) -> list[_Part]:
    """Entities of a phrase that begins at `start`."""
    return [
        _Part(start=start + word.start(), end=start + word.end(), kind=_WORDS.get(word.group(), "size"))
        for word in _PART.finditer(phrase)
    ]


def _finding(parts: Sequence[_Part]) -> _Part:
    return next(part for part in parts if part.kind in ("disorder", "device"))


def _links(parts: Sequence[_Part]) -> list[tuple[_Part, _Part, str]]:
    """Relations within a phrase: places and what places them; the finding and what says how it is."""
    if all(part.kind == "course" for part in parts):
        return []
    finding = _finding(parts)
    places = [part for part in parts if part.kind == "anatomy"]
    links: list[tuple[_Part, _Part, str]] = [(finding, place, "located_at") for place in places]
    for part in parts:
        if part.kind in ("side", "zone"):
            links.append((part, places[0] if places else finding, "modify"))
        elif part.kind in ("degree", "size"):
            links.append((part, finding, "modify"))
    return links


def _sentences(
    text: str, parts: Mapping[_Part, str], links: Sequence[tuple[_Part, _Part, str]], *, doc_key: str
) -> list[LabelledSentence]:
    labelled: list[LabelledSentence] = []
    for sentence in split(text):
        spans = {part: span for part, polarity in parts.items() if (span := _span(part, polarity, sentence))}
        edges = [Edge(head=spans[head], tail=spans[tail], label=label) for head, tail, label in links if head in spans]
        key = f"{doc_key}_{sentence.doc_key.partition('_')[2]}"
        labelled.append(
            LabelledSentence(doc_key=key, words=sentence.tokens, spans=tuple(spans.values()), edges=tuple(edges))
        )
    return labelled


def _span(part: _Part, polarity: str, sentence: Sentence) -> Span | None:
    """The part's words in the sentence; None when it is in another one."""
    inside = [n for n, word in enumerate(sentence.words) if part.start <= word.start and word.end <= part.end]
    return Span(start=inside[0], end=inside[-1], label=_label(part.kind, polarity)) if inside else None


def _label(kind: Kind, polarity: str) -> str:
    match kind:
        case "disorder":
            return f"disorder_{polarity}"
        case "device":
            return f"devices_{polarity}"
        case "anatomy" | "size":
            return kind
        case _:
            return "concept"
