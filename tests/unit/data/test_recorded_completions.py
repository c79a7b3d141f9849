import json
from pathlib import Path

import pytest

from radrl.data.completions import read_sample, read_steps, scoring_fields
from radrl.data.sources import Row
from radrl.errors import DataError
from radrl.types import AnswerKind, Box, ImageRef, Sample, Triplet

FULL = Sample(
    id="q1",
    patient_id="p1",
    kind="closed",
    question="<image>Which finding?",
    images=(ImageRef(path="/films/1.png", sha256=""),),
    answer=frozenset({"edema"}),
    answer_kind=AnswerKind.CHOICE,
    reference="<think>a</think><answer>A) ✅</answer><think>s</think><answer>A</answer>",
    options=("A) edema", "B) fracture"),
    triplets=(Triplet(head="edema", relation="located_at", tail="left lung", certainty="uncertain"),),
    boxes=(Box(label="edema", x0=0.1, y0=0.2, x1=0.5, y1=0.75),),
    study_id="s1",
    twin_id="q2",
    columns={"image_size": [512, 512], "acquisition": "portable"},
    origin="completions.jsonl:3",
)


def row(sample: Sample, **changes) -> Row:
    """What a line says of a sample, and its scoring fields."""
    fields = {
        "id": sample.id,
        "kind": sample.kind,
        "patient_id": sample.patient_id,
        "prompt": sample.question,
        "images": [image.path for image in sample.images],
        "answer": sample.reference,
        **scoring_fields(sample),
        **changes,
    }
    return Row(fields=json.loads(json.dumps(fields)), file=Path("completions.jsonl"), line=3)


def bare(reference: str, *, kind: str) -> Sample:
    fields = {"id": "q", "patient_id": "p", "kind": kind, "prompt": "?", "images": [], "answer": reference}
    return read_sample(Row(fields=fields, file=Path("c.jsonl"), line=1))


def test_a_sample_comes_back_as_it_was_written():
    assert read_sample(row(FULL)) == FULL


def test_the_answer_no_finding_comes_back_as_the_empty_set():
    normal = Sample(
        id="q", patient_id="p", kind="list", question="?", answer=frozenset(), answer_kind=AnswerKind.SET,
        reference="no finding", origin="completions.jsonl:3",
    )  # fmt: skip
    assert read_sample(row(normal)) == normal


def trace(*answers: str) -> str:
    return "".join(f"<think>look</think><answer>{answer}</answer>" for answer in answers)


YES_NO, CHOICE, SET = AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.SET


@pytest.mark.parametrize(
    ("reference", "kind", "answer_kind", "answer", "options"),
    [
        (trace("left effusion ❌", "No"), "presence", YES_NO, {"no"}, ("left pleural effusion",)),
        (trace("edema ❌", "fracture ✅", "Fracture"), "closed", CHOICE, {"fracture"}, ("edema", "fracture")),
        (trace("A) edema ❌", "B) fracture ✅", "B"), "closed", CHOICE, {"fracture"}, ("A) edema", "B) fracture")),
        (trace("A) ❌", "B) ✅", "B"), "closed", CHOICE, {"B"}, ()),
        (trace("Differential Diagnoses: [Atelectasis]", "Atelectases ✅", "Atelectases"), "open", SET, {"atelectasis"},
         ("atelectasis",)),
        (trace("no finding"), "list", SET, set(), ()),
    ],
)  # fmt: skip
def test_what_a_line_does_not_say_comes_from_its_reference(reference, kind, answer_kind, answer, options):
    sample = bare(reference, kind=kind)
    assert (sample.answer_kind, sample.answer, sample.options) == (answer_kind, answer, options)
    assert (sample.triplets, sample.twin_id, sample.columns) == ((), None, {})


def record(**changes) -> dict:
    return {
        "step": 1, "stage": "closed", "id": "q", "index": 0, "kind": "presence", "patient_id": "p", "prompt": "?",
        "images": [], "answer": "yes", "completion": "no", "completion_ids": [4, 5], "stop": "length",
    } | changes  # fmt: skip


def write(path: Path, *records) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def test_lines_come_step_by_step_and_stage_by_stage(tmp_path):
    file = write(
        tmp_path / "c.jsonl",
        *(record(), record(index=1), record(step=2), record(step=3), record(step=3, stage="open", max_tokens=9)),
    )
    steps = [[(line.step, line.stage, line.completion.index) for line in step] for step in read_steps(file)]
    assert steps == [
        [(1, "closed", 0), (1, "closed", 1)],
        [(2, "closed", 0)],
        [(3, "closed", 0)],
        [(3, "open", 0)],
    ]
    *_, (last,) = read_steps(file)
    assert (last.max_tokens, last.completion.stop, last.completion.token_ids) == (9, "length", (4, 5))


def test_a_prompt_drawn_twice_in_a_step_is_two_groups_where_the_lines_say_so(tmp_path):
    file = write(tmp_path / "c.jsonl", *(record(group=number // 2, index=number) for number in range(4)))
    (step,) = read_steps(file)
    assert [line.group for line in step] == [step[0].group] * 2 + [step[2].group] * 2
    assert step[0].group != step[2].group


def test_a_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps(record()) + "\n{broken\n")
    with pytest.raises(DataError, match=r"line 2 of .*c\.jsonl is not JSON"):
        list(read_steps(tmp_path / "c.jsonl"))


def test_a_reference_whose_answer_cannot_be_read_is_named():
    with pytest.raises(
        DataError, match=r"c\.jsonl:1: field 'answer': its last answer 'perhaps' cannot be read as yes_no"
    ):
        bare("perhaps", kind="presence")
