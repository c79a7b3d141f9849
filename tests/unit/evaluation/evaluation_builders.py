"""Samples and completions for evaluation tests without a model."""

from collections.abc import Sequence
from dataclasses import replace

from radrl.evaluation.records import Judged, judge
from radrl.evaluation.responses import Response
from radrl.types import AnswerKind, Completion, ImageRef, Prompt, Sample


def presence(number: int, *, gold: str, patient: str = "", finding: str = "left pleural effusion") -> Sample:
    patient = patient or f"p{number}"
    return Sample(
        id=f"q{number}",
        patient_id=patient,
        kind="presence",
        question=f"<image>Is there a {finding}?",
        images=(ImageRef(path=f"/films/{patient}.png", sha256=f"film of {patient}"),),
        answer=frozenset({gold}),
        answer_kind=AnswerKind.YES_NO,
        reference=f"<think>look</think><answer>{finding} ✅</answer><think>summary</think><answer>{gold}</answer>",
        options=(finding,),
        origin="test.jsonl:1",
    )


def listing(number: int, *, gold: Sequence[str], patient: str = "") -> Sample:
    answer = ", ".join(gold) or "no finding"
    return replace(
        presence(number, gold="yes", patient=patient),
        kind="list",
        question="<image>List the abnormalities.",
        answer=frozenset(gold),
        answer_kind=AnswerKind.SET,
        reference=f"<think>look</think><answer>{answer}</answer>",
        options=(),
    )


def answering(answer: str, *, thought: str = "look") -> str:
    return f"<think>{thought}</think><answer>{answer}</answer>"


def complete(sample: Sample, text: str, *, index: int = 0, logprob: float = -0.5, stop: str = "eos") -> Completion:
    """A completion of one token a character and an end of sequence."""
    return Completion(
        prompt=render(sample),
        index=index,
        text=text,
        token_ids=(*(ord(character) for character in text), 0),
        token_texts=(*text, ""),
        logprobs=(logprob,) * (len(text) + 1),
        stop="eos" if stop == "eos" else "length",
        policy_version=0,
        temperature=0.0,
    )


def judged(sample: Sample, text: str, *, index: int = 0) -> Judged:
    return judge(Response.of(complete(sample, text, index=index)))


def render(sample: Sample) -> Prompt:
    return Prompt(sample=sample, text=sample.question, token_ids=(1, 2, 3), num_image_tokens=1)
