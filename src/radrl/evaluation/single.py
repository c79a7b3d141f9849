"""One answer to one question, laid open: its steps, what it states, how likely each token was, what it comes to."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from radrl.answers import answer_text, predicted_answer, read_judgement
from radrl.evaluation.records import answer_confidence
from radrl.evaluation.responses import Response
from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.reasoning import reasoning_in
from radrl.text import Trace, parse_trace

UNLIKELY = 0.5
"""Probability below which a token is marked: the model was more likely to write something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of the text and how likely the model found it.

    Example: `Token(text=" left", start=12, probability=0.31)`
    """

    text: str
    start: int
    """Code points into the completion's text."""
    probability: float
    """At the sampling temperature; at 1 when greedy."""

    @property
    def is_unlikely(self) -> bool:
        """Whether it is one to doubt. The end of the sequence has no text to mark."""
        return bool(self.text.strip()) and self.probability < UNLIKELY


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredStep:
    """A thought and the answer it leads to.

    Example: `AnsweredStep(think="blunt angle", think_start=7, answer="left pleural effusion ✅", answer_start=34,
                           holds=True)`
    """

    think: str
    think_start: int
    """Code points into the completion's text."""
    answer: str
    answer_start: int
    holds: bool | None
    """What the step judges of its option; None where it judges none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleAnswer:
    """What a model answered, and everything there is to doubt it by."""

    text: str
    steps: tuple[AnsweredStep, ...]
    answer: str | None
    """The final answer as it is written; None where the text gives none."""
    names: tuple[str, ...] | None
    """The same in canonical form, `no finding` where it is empty; None when it cannot be read."""
    confidence: float | None
    """Exp of the mean log-probability of the answer's tokens. After a chain of thought mostly near 1."""
    votes: tuple[tuple[str, int], ...]
    """Every answer that was given -> how often, the most frequent first; unreadable ones are `unreadable`."""
    graph: KnowledgeGraph
    """What the reasoning states, read by the rules."""
    tokens: tuple[Token, ...]
    is_truncated: bool
    problems: tuple[str, ...]
    """Why the text is not think and answer pairs and nothing else."""

    @property
    def agreement(self) -> float:
        """Share of the answers that are this one; an unreadable one agrees with none."""
        return dict(self.votes)[spoken(self.names)] / sum(dict(self.votes).values()) if self.names else 0.0

    @property
    def unlikely(self) -> tuple[Token, ...]:
        """Tokens to doubt, the least likely first."""
        return tuple(sorted((token for token in self.tokens if token.is_unlikely), key=lambda token: token.probability))

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "answer": self.answer,
            "names": None if self.names is None else list(self.names),
            "confidence": self.confidence,
            "agreement": self.agreement,
            "votes": dict(self.votes),
            "truncated": self.is_truncated,
            "problems": list(self.problems),
            "steps": [{"think": step.think, "answer": step.answer, "holds": step.holds} for step in self.steps],
            "triplets": self.graph.to_json()["triplets"],
            "text": self.text,
            "tokens": [[token.text, token.probability] for token in self.tokens],
        }


def read_single(responses: Sequence[Response]) -> SingleAnswer:
    """Lay open the first completion with the most frequent readable answer; `responses` are to one question."""
    names = [_names(response) for response in responses]
    votes = Counter(map(spoken, names))
    readable = [place for place, found in enumerate(names) if found is not None]
    chosen = max(readable, key=lambda place: votes[spoken(names[place])], default=0)
    response, trace = responses[chosen], parse_trace(responses[chosen].text)
    return SingleAnswer(
        text=response.text,
        steps=tuple(_steps(trace)),
        answer=answer_text(response.sample, text=response.text, trace=trace),
        names=names[chosen],
        confidence=answer_confidence(response, trace, is_readable=names[chosen] is not None),
        votes=tuple(votes.most_common()),
        graph=extract(reasoning_in(response.text, trace=trace, reference=response.sample.reference)),
        tokens=tuple(_tokens(response)),
        is_truncated=response.stop == "length",
        problems=trace.problems,
    )


def spoken(names: Sequence[str] | None) -> str:
    """An answer in canonical form as one text."""
    return "unreadable" if names is None else ", ".join(names)


def _names(response: Response) -> tuple[str, ...] | None:
    found = predicted_answer(response.sample, text=response.text, trace=parse_trace(response.text))
    return None if found is None else tuple(sorted(found)) or (NO_FINDING,)


def _steps(trace: Trace) -> list[AnsweredStep]:
    """Every step; the last one's answer is the final one and judges no option."""
    judged = [read_judgement(step.answer.text) for step in trace.steps[:-1]]
    holds = [*(judgement and judgement.holds for judgement in judged), None]
    return [
        AnsweredStep(
            think=step.think.text,
            think_start=step.think.start,
            answer=step.answer.text,
            answer_start=step.answer.start,
            holds=found,
        )
        for step, found in zip(trace.steps, holds[: len(trace.steps)], strict=True)
    ]


def _tokens(response: Response) -> list[Token]:
    tokens: list[Token] = []
    start = 0
    for text, logprob in zip(response.token_texts, response.token_logprobs, strict=True):
        tokens.append(Token(text=text, start=start, probability=math.exp(logprob)))
        start += len(text)
    return tokens
