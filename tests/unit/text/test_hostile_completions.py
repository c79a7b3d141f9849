"""Spec row 23: no completion, however malformed, holds up the parser or a reward that reads it."""

import pytest
from growth import growth

from radrl.rewards.api import Attempt, bind
from radrl.text import parse_trace
from radrl.types import AnswerKind, Sample

REWARDS = (
    "format", "answer_exact", "answer_f1", "step_correctness", "think_similarity", "candidate_recall",
    "legacy_cx_mind_closed_format", "legacy_cx_mind_closed_acc", "legacy_cx_mind_closed_process",
    "legacy_cx_mind_closed_reason", "legacy_cx_mind_open_format", "legacy_cx_mind_open_f1",
    "legacy_cx_mind_open_process", "legacy_cx_mind_open_reason",
)  # fmt: skip
PAIR = "<think>no edema</think><answer>edema ❌</answer>"
SAMPLE = Sample(
    id="open", patient_id="p", kind="open", question="?", answer_kind=AnswerKind.SET, answer=frozenset({"fracture"}),
    reference="<think>list</think><answer>Candidates: [edema, fracture]</answer>" + PAIR
    + "<think>a line through a rib</think><answer>fracture ✅</answer><think>so</think><answer>fracture</answer>",
)  # fmt: skip


def score_all(text: str) -> list[float | None]:
    attempt = Attempt(
        sample=SAMPLE, text=text, trace=parse_trace(text), num_tokens=1, max_tokens=1, is_cut=True
    )  # fmt: skip
    return [bind(name, kwargs={}).score(attempt).value for name in REWARDS]


HOSTILE = {
    "pairs and a stray character": lambda n: PAIR * (n // len(PAIR)) + "x",
    "different pairs": lambda n: "".join(f"<think>{i}</think><answer>x{i} ✅</answer>" for i in range(n // 37)),
    "tag soup": lambda n: "<think></answer><answer></think> B ✅ <" * (n // 38),
    "unclosed thoughts": lambda n: "<think>a " * (n // 9),
    "unclosed answers": lambda n: "<answer>a " * (n // 10),
    "bridges without an end": lambda n: "<think></think> <answer>" * (n // 24),
    "blanks beside brackets": lambda n: "<think>" + " " * n + ">",
    "one long thought": lambda n: PAIR.replace("no edema", "no edema " * (n // 9)) + PAIR.replace("❌", "✅") * 2,
    "one long answer": lambda n: PAIR + PAIR.replace("edema ❌", "a, " * (n // 3)),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_row_23_four_times_a_hostile_completion_costs_at_most_five_times_as_much(make):
    assert growth(score_all, make=make, size=10_000, bound=5) <= 5


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_row_23_a_hostile_megabyte_is_read_by_every_reward(make):
    earned = score_all(make(1_000_000))
    assert all(value is None or 0 <= value <= 1 for value in earned)
