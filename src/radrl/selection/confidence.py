"""How sure a model was of what it wrote, by the probabilities of its tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import cast

from radrl.config.selection import Measure
from radrl.evaluation.calibration import tokens_of
from radrl.evaluation.records import answer_span
from radrl.graph.extract import extract
from radrl.text import Span, Trace, parse_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A completion by its tokens.

    Example: `Tokens(texts=("<answer>", "no", "</answer>"), logprobs=(0.0, -0.5, 0.0))`
    """

    texts: tuple[str, ...]
    """[R] concatenates to the completion."""
    logprobs: tuple[float, ...]
    """[R] nats."""


def confidences(text: str, tokens: Tokens, *, extractor: str | None = None) -> dict[Measure, float]:
    """Mean, least and geometric mean probability of the tokens of the last answer, and of those of named entities.

    Entities are what the extractor finds in thoughts and answers, or anywhere in a text without tags; without an
    extractor they are not looked for. A measure is left out where a completion has no such tokens.
    """
    trace = parse_trace(text)
    answer = answer_span(text, trace)
    spans_of = {"answer": [answer] if answer else []}
    if extractor is not None:
        spans_of["entity"] = entity_spans(text, trace, extractor=extractor)
    found: dict[Measure, float] = {}
    for of, spans in spans_of.items():
        places = sorted({token for span in spans for token in tokens_of(span, tokens.texts)})
        logprobs = [tokens.logprobs[token] for token in places]
        if logprobs:
            found |= {cast("Measure", f"{of}_{name}"): value for name, value in _summaries(logprobs).items()}
    return found


def entity_spans(text: str, trace: Trace, *, extractor: str = "rules") -> list[Span]:
    """Where a completion names a finding, a device, a place or a severity."""
    parts = [part for step in trace.steps for part in (step.think, step.answer)] or list(trace.answers)
    if not parts:
        parts = [Span(start=0, end=len(text), text=text)]
    return [
        Span(start=part.start + entity.start, end=part.start + entity.end, text=entity.text)
        for part in parts
        for entity in extract(part.text, extractor=extractor).entities
        if entity.start is not None and entity.end is not None
    ]


def _summaries(logprobs: Sequence[float]) -> dict[str, float]:
    return {
        "mean": fmean(math.exp(logprob) for logprob in logprobs),
        "min": math.exp(min(logprobs)),
        "geometric": math.exp(fmean(logprobs)),
    }
