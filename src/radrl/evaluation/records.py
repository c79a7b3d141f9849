"""One completion, judged: the row that samples.jsonl keeps, and what the metrics need beside it."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radrl.answers import agree, answer_text, canonical_answer, written_answer
from radrl.errors import DataError
from radrl.evaluation.calibration import span_confidence
from radrl.evaluation.metrics.consistency import Reasoning, read_reasoning
from radrl.evaluation.metrics.graph import GraphMatch, match_graphs
from radrl.evaluation.metrics.legacy import substring_match
from radrl.evaluation.responses import Response
from radrl.evaluation.tasks import Task, task_of
from radrl.evaluation.written import DEFAULT_READING, ReportReading, TextPair, text_pair
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.types import KnowledgeGraph
from radrl.jsonl import append_jsonl, read_jsonl
from radrl.rewards.graph_overlap import reasoning_graphs
from radrl.text import Span, Trace, first_sentence, parse_trace
from radrl.types import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRecord:
    """A row of samples.jsonl.

    Example: `EvalRecord(id="p0001-s1-q0", index=0, patient_id="p0001", kind="presence",
                         question="<image>Is there a fracture?", answer=("yes",), prediction=("no",),
                         generated_text="<think>...", correct=False, is_correct_legacy=False, parse_ok=True,
                         token_ids=(9, 31), token_logprobs=(-0.1, -0.02), confidence=0.91)`
    """

    id: str
    index: int
    """Which of the question's n completions, from 0."""
    patient_id: str
    kind: str
    question: str
    answer: tuple[str, ...]
    """Gold, canonical names, sorted; empty is `no finding`."""
    prediction: tuple[str, ...] | None
    """The completion's last answer, likewise; None when it could not be read."""
    generated_text: str
    correct: bool
    """Prediction and gold are the same set."""
    is_correct_legacy: bool
    """CheX-Phi4MM's rule: a gold string occurs somewhere in the text."""
    parse_ok: bool
    """Whether the answer could be read; one that could not counts as wrong."""
    token_ids: tuple[int, ...]
    token_logprobs: tuple[float, ...]
    """[R] nats, at the sampling temperature; at temperature 1 when greedy."""
    confidence: float | None
    """Exp of the mean log-probability over the answer's tokens; None when there is no answer."""
    token_texts: tuple[str, ...] | None = None
    """[R] text of each token, when `token_probs` asks for it."""
    images: tuple[str, ...] | None = None
    """Absolute paths of the films."""
    task: str | None = None
    groups: Mapping[str, str] | None = None
    """Grouping -> the question's group, for those in which it has one."""
    graph_f1: float | None = None
    """Of its reasoning; None for a sample without a reference graph."""
    closed_probs: Mapping[str, float] | None = None
    """Answer that the question admits -> its probability behind the completion's own reasoning; sums to 1."""

    def to_json(self) -> dict[str, object]:
        """As samples.jsonl holds it. `token_texts` comes with `token_probs`, both only when asked for; what comparisons
        go by stands behind them, where it is known."""
        row: dict[str, object] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _OPTIONAL or getattr(self, field.name) is not None
        }
        if self.token_texts is not None:
            probs = {"token_probs": [math.exp(logprob) for logprob in self.token_logprobs]}
            late = {name: row.pop(name) for name in _COMPARED if name in row}
            row |= probs | late
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, object]) -> "EvalRecord":
        """The record of a row that `to_json` wrote. Raises DataError naming what is missing."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in row]
        if missing:
            raise DataError(
                f"field {missing[0]!r} is missing from the row of sample {row.get('id')!r}. "
                "Read a samples.jsonl that `radrl evaluate` wrote."
            )
        values = {
            name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in fields
        }
        return cls(**values)  # pyright: ignore[reportArgumentType]


_COMPARED = ("images", "task", "groups", "graph_f1")
_OPTIONAL = ("token_texts", *_COMPARED, "closed_probs")
"""Fields that a row has only where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A completion with everything the metrics look at."""

    sample: Sample
    record: EvalRecord
    trace: Trace
    """The completion's tags, parsed."""
    answer_text: str | None
    """Its final answer as it is written; None when it gives none."""
    items: tuple[str, ...] | None
    """The answer's canonical items in the order in which they are written; None when unreadable."""
    is_truncated: bool
    """Whether the completion ran into the length limit, as far as its source tells."""
    graphs: tuple[KnowledgeGraph, KnowledgeGraph] | None
    """What its thoughts state, and what the reference does; None for a sample without a reference graph."""
    graph: GraphMatch | None
    """How the two compare; None likewise."""
    reasoning: Reasoning
    """How its thoughts, its steps and its answer fit together."""
    texts: TextPair | None
    """What metrics of free text compare; None where the answer is no free text."""
    reading: ReportReading
    """How reports were read, and are to be labelled."""

    @property
    def is_strict(self) -> bool:
        """Whether the trace is think and answer pairs and nothing else."""
        return self.trace.is_strict

    @property
    def task(self) -> Task:
        """What the question is a test of."""
        return task_of(self.sample)

    @property
    def prediction(self) -> frozenset[str] | None:
        """The answer as a set; None when unreadable."""
        return None if self.record.prediction is None else frozenset(self.record.prediction)

    @property
    def gold(self) -> frozenset[str]:
        """The gold answer as a set."""
        return frozenset(self.record.answer)

    def row(self, *, groups: Mapping[str, str]) -> EvalRecord:
        """The record with what comparisons of two evaluations go by: films, task, groups, score of the reasoning."""
        return dataclasses.replace(
            self.record,
            images=tuple(image.path for image in self.sample.images),
            task=self.task.value,
            groups=groups,
            graph_f1=None if self.graph is None else self.graph.f1,
        )

    @property
    def file(self) -> str:
        """Data file of the sample; empty when it does not come from one."""
        return self.sample.origin.rpartition(":")[0]


def judge(response: Response, *, token_probs: bool = False, reading: ReportReading = DEFAULT_READING) -> Judged:
    """Read a completion's answer and reasoning and compare them with its sample's."""
    sample, text = response.sample, response.text
    trace = parse_trace(text)
    gold = gold_answer(sample)
    answer = answer_text(sample, text=text, trace=trace)
    items = None if answer is None else written_answer(sample, answer)
    prediction = None if items is None else frozenset(items)
    graphs = reasoning_graphs(sample, text, trace, extractor="rules")
    record = EvalRecord(
        id=sample.id,
        index=response.index,
        patient_id=sample.patient_id,
        kind=sample.kind,
        question=sample.question,
        answer=tuple(sorted(gold)),
        prediction=None if prediction is None else tuple(sorted(prediction)),
        generated_text=text,
        correct=agree(prediction, gold, kind=sample.answer_kind),
        is_correct_legacy=substring_match(text, gold or {NO_FINDING}),
        parse_ok=prediction is not None,
        token_ids=response.token_ids,
        token_logprobs=response.token_logprobs,
        confidence=answer_confidence(response, trace, is_readable=prediction is not None),
        token_texts=response.token_texts if token_probs else None,
        closed_probs=response.closed_probs,
    )
    return Judged(
        sample=sample,
        record=record,
        trace=trace,
        answer_text=answer,
        items=items,
        is_truncated=response.stop == "length",
        graphs=graphs,
        graph=None if graphs is None else match_graphs(*graphs, when_empty=1.0),
        reasoning=read_reasoning(sample, text=text, trace=trace),
        texts=text_pair(sample, text=text, trace=trace, section=reading.section),
        reading=reading,
    )


def gold_answer(sample: Sample) -> frozenset[str]:
    """The sample's answer in the form that predictions are read in. Raises DataError when it cannot be read."""
    gold = canonical_answer(sample.answer, kind=sample.answer_kind, options=sample.options)
    if gold is None:
        raise DataError(
            f"the gold answer {sorted(sample.answer)} of sample {sample.id} (from {sample.origin or 'code'}) is not a "
            f"{sample.answer_kind.value} answer that can be read. Correct the row or its answer kind."
        )
    return gold


def agreement(judged: Sequence[Judged]) -> float:
    """Share of a question's completions that give its most frequent answer; unreadable ones agree with none."""
    answers = [one.record.prediction for one in judged]
    readable = [answer for answer in answers if answer is not None]
    return max((readable.count(answer) for answer in set(readable)), default=0) / len(answers)


def write_records(path: Path, records: Iterable[EvalRecord]) -> None:
    """Write a samples.jsonl, one row a record; a reader sees the old file or the new one, never half."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    append_jsonl(unfinished, [record.to_json() for record in records])
    unfinished.replace(path)


def read_records(path: Path) -> tuple[EvalRecord, ...]:
    """Records of a samples.jsonl, in order."""
    return tuple(EvalRecord.from_json(row) for row in read_jsonl(path))


def answer_span(text: str, trace: Trace, *, is_readable: bool = True) -> Span | None:
    """Where a completion gives its answer: the last answer block, or without any the first sentence if it was read."""
    return trace.answers[-1] if trace.answers else _first_sentence_span(text) if is_readable else None


def answer_confidence(response: Response, trace: Trace, *, is_readable: bool) -> float | None:
    """Exp of the mean log-probability of the tokens that write the answer; None where there are none."""
    span = answer_span(response.text, trace, is_readable=is_readable)
    if span is None:
        return None
    return span_confidence(token_texts=response.token_texts, token_logprobs=response.token_logprobs, span=span)


def _first_sentence_span(text: str) -> Span:
    sentence = first_sentence(text)
    start = text.index(sentence)
    return Span(start=start, end=start + len(sentence), text=sentence)
