"""Reports and free answers for tests of text metrics."""

from dataclasses import replace

import numpy as np
from evaluation_builders import answering, judged, presence

from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.records import Judged, judge
from radrl.evaluation.responses import Response
from radrl.evaluation.written import ReportReading
from radrl.types import AnswerKind, Sample

WORDS = (
    "no", "small", "large", "left", "right", "effusion", "edema", "pneumothorax", "heart", "lung", "is", "are", "clear",
    "normal", "base", "with", "of", "the",
)  # fmt: skip


def report(number: int, *, gold: str, kind: str = "report", reference: str | None = None) -> Sample:
    return replace(
        presence(number, gold="yes"),
        kind=kind,
        question="<image>Write the report.",
        answer=frozenset({gold}),
        answer_kind=AnswerKind.TEXT,
        reference=answering(gold) if reference is None else reference,
        options=(),
    )


def reported(number: int, said: str, *, gold: str, kind: str = "report") -> Judged:
    return judged(report(number, gold=gold, kind=kind), answering(said))


def read_as(sample: Sample, text: str, reading: ReportReading) -> Judged:
    return judge(Response(sample=sample, index=0, text=text), reading=reading)


def sentences(count: int, *, seed: int, shortest: int = 1, longest: int = 25) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(shortest, longest + 1))) for _ in range(count)]


def values(statistics, count: int) -> dict[str, float | None]:
    found = Bootstrap(resamples=2, seed=1).estimate(statistics, patients=[f"p{number}" for number in range(count)])
    return {name: estimate.value for name, estimate in found.items()}
