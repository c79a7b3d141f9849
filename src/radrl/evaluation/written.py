"""What the metrics of free text compare: an answer as it is written, and the reference's own."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from radrl.answers.reading import answer_text
from radrl.evaluation.tasks import Task, task_of
from radrl.text import Trace, parse_trace
from radrl.types import AnswerKind, Sample

Section = Literal["findings", "impression", "both"]
Uncertain = Literal["as_positive", "as_negative", "ignore"]

WRITTEN_TASKS: Final = frozenset({Task.REPORT, Task.OPEN, Task.DIFFERENCE})
"""Tasks whose answers may be free text."""

_HEADING: Final = re.compile(r"(?:\A|\n|(?<=[.!?]))\s*(?P<name>findings|impression|conclusion)\s*:", re.IGNORECASE)
_MOST_CACHED: Final = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReading:
    """How reports are read by the metrics; part of every summary.

    Example: `ReportReading(section="impression", uncertain="ignore")`
    """

    section: Section = "both"
    """The part that is compared, of predicted and gold report alike."""
    uncertain: Uncertain = "as_positive"
    """What a finding that a report calls possible counts as, in label metrics. `ignore` leaves out findings that the
    gold report is uncertain of; one that only the prediction hedges is then still claimed."""


DEFAULT_READING: Final = ReportReading()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPair:
    """Two texts to compare.

    Example: `TextPair(predicted="No effusion.", gold="There is no pleural effusion.")`
    """

    predicted: str
    """Empty where the completion gives no answer."""
    gold: str


def text_pair(sample: Sample, *, text: str, trace: Trace, section: Section) -> TextPair | None:
    """The final answer of a completion and of the sample's reference, in their own words.

    None where the answer is no free text, and where the gold report has headings without that of the section. A report
    in tags is its last answer block; one without, where the reference has none either, is the whole text.
    """
    task = task_of(sample)
    if sample.answer_kind is not AnswerKind.TEXT or task not in WRITTEN_TASKS:
        return None
    predicted, gold = _answer(sample, text, trace), _answer(sample, sample.reference, _parsed(sample.reference))
    if task is Task.REPORT:
        gold = in_section(gold, section)
        if gold is None:
            return None
        predicted = in_section(predicted, section) or ""
    return TextPair(predicted=predicted, gold=gold)


def in_section(report: str, section: Section) -> str | None:
    """The part of a report under a heading, which is left out; None where the report has headings but not this one.

    A report without headings is one section, whichever was asked for. `conclusion` is another word for impression.

    >>> in_section("FINDINGS: Clear lungs. IMPRESSION: Normal.", "impression")
    'Normal.'
    """
    headings = list(_HEADING.finditer(report))
    if section == "both" or not headings:
        return _HEADING.sub("\n\n", report).strip()
    wanted = ("impression", "conclusion") if section == "impression" else ("findings",)
    ends = [heading.start() for heading in headings[1:]] + [len(report)]
    parts = [
        report[heading.end() : end].strip()
        for heading, end in zip(headings, ends, strict=True)
        if heading["name"].lower() in wanted
    ]
    return "\n".join(parts) or None


def _answer(sample: Sample, text: str, trace: Trace) -> str:
    is_bare_report = (
        task_of(sample) is Task.REPORT
        and not trace.answers
        and "<think>" not in text
        and "<answer>" not in sample.reference
    )
    return text.strip() if is_bare_report else answer_text(sample, text=text, trace=trace) or ""


@lru_cache(maxsize=_MOST_CACHED)
def _parsed(reference: str) -> Trace:
    return parse_trace(reference)
