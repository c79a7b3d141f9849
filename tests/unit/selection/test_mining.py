"""Row 80: hard-example mining by correctness, confidence and pass rates."""

import json
import math

import pytest
from selection_pool import evaluated, write_lines

from radrl.config.selection import MiningConfig
from radrl.errors import DataError
from radrl.selection.confidence import Tokens, confidences, entity_spans
from radrl.selection.mining import hard_questions, judge_questions
from radrl.selection.results import Answered, read_results
from radrl.text import parse_trace

TEXT = "<think>no effusion</think><answer>no</answer>"
TEXTS = ("<think>", "no", " eff", "usion", "</think>", "<answer>", "no", "</answer>")
PROBABILITIES = (1.0, 0.9, 0.8, 0.2, 1.0, 1.0, 0.5, 1.0)
TOKENS = Tokens(texts=TEXTS, logprobs=tuple(map(math.log, PROBABILITIES)))


def test_row_80_answer_confidence_is_over_the_tokens_of_the_last_answer():
    found = confidences(TEXT, TOKENS)
    assert found == pytest.approx({"answer_mean": 0.5, "answer_min": 0.5, "answer_geometric": 0.5})
    two = confidences(
        "<think>a</think><answer>left edema</answer>",
        Tokens(texts=("<think>a</think><answer>", "left", " edema", "</answer>"), logprobs=(0.0, -0.1, -0.9, 0.0)),
    )
    assert two["answer_mean"] == pytest.approx((math.exp(-0.1) + math.exp(-0.9)) / 2)
    assert two["answer_min"] == pytest.approx(math.exp(-0.9))
    assert two["answer_geometric"] == pytest.approx(math.exp(-0.5))


def test_row_80_entity_confidence_is_over_the_tokens_that_name_findings():
    spans = entity_spans(TEXT, parse_trace(TEXT))
    assert {TEXT[span.start : span.end] for span in spans} == {"effusion"}
    found = confidences(TEXT, TOKENS, extractor="rules")
    assert found["entity_mean"] == pytest.approx((0.8 + 0.2) / 2)
    assert found["entity_min"] == pytest.approx(0.2)
    assert found["entity_geometric"] == pytest.approx(math.sqrt(0.8 * 0.2))


def test_a_text_without_entities_has_no_entity_confidence():
    text = "<think>so</think><answer>yes</answer>"
    tokens = Tokens(texts=(text,), logprobs=(-0.1,))
    assert set(confidences(text, tokens, extractor="rules")) == {"answer_mean", "answer_min", "answer_geometric"}


def test_the_first_sentence_is_the_answer_of_a_text_without_tags():
    tokens = Tokens(texts=("Yes", ".", " Fluid", " is", " seen", "."), logprobs=(-0.2, -5.0, -1.0, -1.0, -1.0, -1.0))
    assert confidences("Yes. Fluid is seen.", tokens)["answer_geometric"] == pytest.approx(math.exp(-0.2))


def answers(*rights, confidence=0.5):
    return [
        Answered(id="q", is_right=right, outcome=float(right), confidences={"answer_geometric": confidence})
        for right in rights
    ]


def test_row_80_failures_are_flagged_as_confident_and_the_unsure_right_or_wrong():
    standings = judge_questions(
        {
            "sure and wrong": answers(False, confidence=0.95),
            "unsure and wrong": answers(False, confidence=0.3),
            "unsure and right": answers(True, confidence=0.3),
            "sure and right": answers(True, confidence=0.95),
        },
        MiningConfig(),
    )
    assert {name: standing.pools for name, standing in standings.items()} == {
        "sure and wrong": ("wrong", "confident_wrong"),
        "unsure and wrong": ("wrong", "unsure"),
        "unsure and right": ("unsure",),
        "sure and right": (),
    }
    assert hard_questions(standings, MiningConfig()) == {"sure and wrong", "unsure and wrong"}
    assert hard_questions(standings, MiningConfig(pools=("unsure",))) == {"unsure and wrong", "unsure and right"}


def test_row_80_pass_rates_of_several_answers_make_a_band():
    asked = {"never": answers(*[False] * 4), "once": answers(True, *[False] * 3), "always": answers(*[True] * 4)}
    standings = judge_questions(asked, MiningConfig())
    assert [standings[name].pass_rate for name in ("never", "once", "always")] == [0.0, 0.25, 1.0]
    assert [standings[name].is_wrong for name in ("never", "once", "always")] == [True, True, False]
    assert hard_questions(standings, MiningConfig(pools=("in_band",))) == {"once"}
    narrow = MiningConfig(pools=("in_band",), band_low=0.3)
    assert hard_questions(judge_questions(asked, narrow), narrow) == frozenset()


def test_a_question_is_as_sure_as_those_of_its_answers_that_stand_for_it():
    mixed = [*answers(False, False, confidence=0.9), *answers(True, confidence=0.1)]
    standing = judge_questions({"q": mixed}, MiningConfig())["q"]
    assert standing.is_wrong
    assert standing.confidences == pytest.approx({"answer_geometric": 0.9})


def test_a_pool_by_a_confidence_that_no_answer_has_is_an_error():
    config = MiningConfig(pools=("confident_wrong",), confidence="entity_min")
    with pytest.raises(DataError, match=r"entity_min, which none of the results has; they have answer_geometric\. Eva"):
        judge_questions({"q": answers(False)}, config)


def test_results_of_an_evaluation_are_read_from_its_folder_with_every_index(tmp_path):
    write_lines(
        tmp_path / "samples.jsonl",
        [
            evaluated("q1", correct=False, confidence=0.8),
            evaluated("q1", correct=True, index=1, confidence=0.7),
            evaluated("q2", correct=True, generated_text=TEXT, token_texts=TEXTS, token_logprobs=TOKENS.logprobs),
        ],
    )
    found = read_results([str(tmp_path)], right_at=1.0, extractor="rules")
    assert [answer.is_right for answer in found["q1"]] == [False, True]
    assert found["q1"][0].confidences == {"answer_geometric": 0.8}
    assert found["q2"][0].confidences["entity_min"] == pytest.approx(0.2)


def completion(question, *, step, index, outcome):
    return {
        "step": step,
        "id": question,
        "index": index,
        "completion": TEXT,
        "raw_completion_tokens": list(TEXTS),
        "per_token_logps": list(TOKENS.logprobs),
        "outcome": outcome,
    }


def test_of_a_training_run_the_last_answers_to_a_question_count(tmp_path):
    file = write_lines(
        tmp_path / "completions.jsonl",
        [
            completion("q1", step=1, index=0, outcome=0.0),
            completion("q2", step=1, index=0, outcome=0.5),
            completion("q1", step=7, index=0, outcome=1.0),
            completion("q1", step=7, index=1, outcome=0.5),
        ],
    )
    found = read_results([file], right_at=0.75, extractor=None)
    assert [(answer.outcome, answer.is_right) for answer in found["q1"]] == [(1.0, True), (0.5, False)]
    assert judge_questions(found, MiningConfig())["q1"].pass_rate == 0.75
    assert found["q2"][0].confidences["answer_min"] == pytest.approx(0.5)


def test_an_evaluation_of_chex_phi4mm_is_read_with_its_token_probabilities(tmp_path):
    item = {"id": 7, "is_correct": False, "generated_text": TEXT}
    known = {"generated_tokens": list(TEXTS), "token_probabilities": list(PROBABILITIES)}
    (tmp_path / "a.json").write_text(json.dumps({"results": [{**item, **known}, {**item, "id": "b"}], "accuracy": 0.0}))
    found = read_results([str(tmp_path / "a.json")], right_at=1.0, extractor="rules")
    assert found["7"][0].confidences["entity_mean"] == pytest.approx(0.5)
    assert (found["b"][0].is_right, found["b"][0].confidences) == (False, {})
    (tmp_path / "b.json").write_text(json.dumps({"results": [{**item, **known, "token_probabilities": [0.5]}]}))
    with pytest.raises(DataError, match=r"b\.json:1: there are 8 tokens and 1 probabilities"):
        read_results([str(tmp_path / "b.json")], right_at=1.0, extractor=None)


def test_results_that_are_not_there_or_lack_a_field_name_file_and_line(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl \(from results\) is not a file"):
        read_results([str(tmp_path / "none.jsonl")], right_at=1.0, extractor=None)
    row = evaluated("q1", correct=True)
    del row["correct"]
    file = write_lines(tmp_path / "samples.jsonl", [row])
    with pytest.raises(DataError, match=r"samples\.jsonl:1: field 'correct' is missing from the row of sample 'q1'"):
        read_results([file], right_at=1.0, extractor=None)
