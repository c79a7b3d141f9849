"""Questions, and a model that says what it is told, which workers in other processes can open too."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.config.evaluation import EvaluateConfig
from radrl.errors import ConfigError
from radrl.evaluation.responses import Response
from radrl.types import AnswerKind, ImageRef, Sample


def question(number: int, *, gold: str = "yes", source: str = "test.jsonl") -> Sample:
    return Sample(
        id=f"q{number}",
        patient_id=f"p{number}",
        kind="presence",
        question="<image>Is there a left pleural effusion?",
        images=(ImageRef(path=f"/films/p{number}.png", sha256=f"film of p{number}"),),
        answer=frozenset({gold}),
        answer_kind=AnswerKind.YES_NO,
        reference=f"<think>look</think><answer>{gold}</answer>",
        origin=f"{source}:{number + 1}",
        source=source,
    )


def settings(out: Path, **changes) -> EvaluateConfig:
    return EvaluateConfig(**{"model": "no-such-folder", "data": ("test.jsonl",), "out": str(out), **changes})


def said(sample: Sample, place: int, index: int, *, failure: str | None = None) -> Response:
    text = "" if failure else f"{sample.id} at {place}, time {index}"
    return Response(
        sample=sample,
        index=index,
        text=text,
        token_ids=(7, place),
        token_texts=(text, ""),
        token_logprobs=(-0.1 / (place + 1), -1 / 3),
        stop="eos",
        failure=failure,
    )


@dataclass
class Scripted:
    """Says of every question which one it is and where it stood, and notes what it was asked."""

    n: int = 1
    stops_after: int | None = None
    """Responses after which it breaks off, as a process that is killed would."""
    fails: frozenset[str] = frozenset()
    asked: list[list[str]] = field(default_factory=list)

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:
        self.asked.append([sample.id for sample in samples])
        num_said = 0
        for sample, place in zip(samples, places, strict=True):
            for index in range(self.n):
                if num_said == self.stops_after:
                    raise KeyboardInterrupt
                num_said += 1
                yield said(sample, place, index, failure="timeout" if sample.id in self.fails else None)


def open_scripted(config: EvaluateConfig) -> Scripted:
    return Scripted(n=config.n)


class Dying(Scripted):
    """Dies at the second question of its share, without a word."""

    def respond(self, samples, places):
        for number, response in enumerate(super().respond(samples, places)):
            if number == 1:
                os._exit(9)
            yield response


def open_dying(config: EvaluateConfig) -> Scripted:
    return Dying(n=config.n)


def open_refusing(config: EvaluateConfig) -> Scripted:
    raise ConfigError(f"cannot open {config.model}. Give another folder.")
