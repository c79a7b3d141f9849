"""Rows of samples.jsonl and folders of evaluations for tests of comparisons, without a model."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from radrl.evaluation.records import EvalRecord, write_records


def row(number: int, *, right: bool, patient: str = "", kind: str = "presence", index: int = 0) -> EvalRecord:
    """An answer to a question whose gold answer is yes."""
    return EvalRecord(
        id=f"q{number}",
        index=index,
        patient_id=patient or f"p{number}",
        kind=kind,
        question="<image>Is there a pleural effusion?",
        answer=("yes",),
        prediction=("yes",) if right else ("no",),
        generated_text=f"<think>{'An' if right else 'No'} effusion.</think><answer>{'yes' if right else 'no'}</answer>",
        correct=right,
        is_correct_legacy=right,
        parse_ok=True,
        token_ids=(5, 6),
        token_logprobs=(-0.1, -0.1),
        confidence=0.9,
    )


def rows(rights: Sequence[int]) -> list[EvalRecord]:
    """One question a patient, right where 1 stands."""
    return [row(number, right=bool(right)) for number, right in enumerate(rights)]


def grouped(record: EvalRecord, **groups: str) -> EvalRecord:
    return replace(record, task="closed", groups=groups)


def write_evaluation(folder: Path, records: Sequence[EvalRecord], **summary: object) -> Path:
    folder.mkdir(parents=True)
    write_records(folder / "samples.jsonl", records)
    (folder / "summary.json").write_text(json.dumps({"model": "m", "data": ["test.jsonl"], **summary}))
    return folder
