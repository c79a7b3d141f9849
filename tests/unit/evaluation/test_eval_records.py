import json
import math
from dataclasses import replace

import pytest
from evaluation_builders import answering, complete, judged, listing, presence

from radrl.errors import DataError
from radrl.evaluation.records import EvalRecord, agreement, judge, read_records, write_records
from radrl.evaluation.responses import Response
from radrl.types import AnswerKind, Triplet

ROW = [
    "id",
    "index",
    "patient_id",
    "kind",
    "question",
    "answer",
    "prediction",
    "generated_text",
    "correct",
    "is_correct_legacy",
    "parse_ok",
    "token_ids",
    "token_logprobs",
    "confidence",
]


def test_the_last_answer_block_is_the_answer():
    trace = answering("left pleural effusion ✅") + answering("yes")
    record = judged(presence(1, gold="yes"), trace).record
    assert (record.prediction, record.correct, record.parse_ok) == (("yes",), True, True)


def test_the_strict_rule_and_the_lenient_one_part_on_a_word_in_the_reasoning():
    record = judged(presence(1, gold="no"), answering("yes", thought="the heart is normal")).record
    assert (record.correct, record.is_correct_legacy) == (False, True)


def test_an_answer_that_cannot_be_read_is_wrong_and_says_so():
    record = judged(presence(1, gold="yes"), "<think>yes</think><answer>yes").record
    assert (record.prediction, record.correct, record.parse_ok, record.confidence) == (None, False, False, None)


def test_no_finding_is_the_empty_answer_and_counts_as_read():
    record = judged(listing(1, gold=[]), answering("no finding")).record
    assert (record.answer, record.prediction, record.correct, record.parse_ok) == ((), (), True, True)
    assert record.is_correct_legacy


def test_synonyms_and_order_make_no_difference():
    record = judged(listing(1, gold=["pleural effusion", "atelectasis"]), answering("Atelectases, effusion")).record
    assert record.correct
    assert record.prediction == ("atelectasis", "pleural effusion")


def test_confidence_is_that_of_the_final_answers_tokens():
    text = answering("left pleural effusion ✅") + answering("yes")
    completion = complete(presence(1, gold="yes"), text)
    start = text.rindex("yes")
    logprobs = [-5.0] * len(completion.logprobs)
    logprobs[start : start + 3] = [math.log(0.5)] * 3
    assert judge(Response.of(replace(completion, logprobs=tuple(logprobs)))).record.confidence == pytest.approx(0.5)


def test_answer_first_data_are_answered_by_the_first_sentence_and_its_tokens():
    sample = replace(presence(1, gold="yes"), reference="Yes. There is fluid.")
    completion = complete(sample, "Yes. The angle is blunt.")
    logprobs = (-0.1,) * 3 + (-9.0,) * (len(completion.logprobs) - 3)
    record = judge(Response.of(replace(completion, logprobs=logprobs))).record
    assert record.correct
    assert record.confidence == pytest.approx(math.exp(-0.1))


def test_a_row_has_the_agreed_fields_in_order():
    assert list(judged(presence(1, gold="yes"), answering("yes")).record.to_json()) == ROW


def test_row_79_token_probabilities_name_id_text_probability_and_logprob_of_every_token():
    """Spec row 79: per token id, text, probability and log-probability, aligned."""
    completion = complete(presence(1, gold="yes"), answering("yes"), logprob=math.log(0.25))
    row = judge(Response.of(completion), token_probs=True).record.to_json()
    assert list(row) == [*ROW, "token_texts", "token_probs"]
    tokens = list(zip(row["token_ids"], row["token_texts"], row["token_probs"], row["token_logprobs"], strict=True))
    assert tokens[0] == (ord("<"), "<", pytest.approx(0.25), pytest.approx(math.log(0.25)))
    assert tokens[-1][:2] == (0, "")
    assert "".join(row["token_texts"]) == row["generated_text"]


def test_records_come_back_from_a_file_as_they_were_written(tmp_path):
    completions = [complete(presence(i, gold="yes"), answering(answer)) for i, answer in enumerate(["yes", "?", "no"])]
    records = [judge(Response.of(completion), token_probs=True).record for completion in completions]
    write_records(tmp_path / "samples.jsonl", records)
    assert list(read_records(tmp_path / "samples.jsonl")) == records
    assert [path.name for path in tmp_path.iterdir()] == ["samples.jsonl"]


def test_a_row_that_lacks_a_field_is_an_error_that_names_it():
    row = judged(presence(1, gold="yes"), answering("yes")).record.to_json()
    del row["confidence"]
    with pytest.raises(DataError, match="'confidence' is missing from the row of sample 'q1'"):
        EvalRecord.from_json(json.loads(json.dumps(row)))


def test_a_gold_answer_that_cannot_be_read_is_a_fault_of_the_data():
    sample = replace(presence(1, gold="maybe"), answer_kind=AnswerKind.YES_NO)
    with pytest.raises(DataError, match=r"gold answer \['maybe'\] of sample q1 \(from test.jsonl:1\)"):
        judged(sample, answering("yes"))


def test_reasoning_is_compared_with_the_samples_own_triplets():
    effusion = Triplet(head="pleural effusion", relation="located_at", tail="left pleural space")
    sample = replace(presence(1, gold="yes"), triplets=(effusion,))
    right = judged(sample, answering("yes", thought="left pleural effusion")).graph
    flipped = judged(sample, answering("yes", thought="no left pleural effusion")).graph
    assert (right.f1, flipped.f1) == (1, 0)


def test_a_sample_without_any_gold_graph_has_no_graph_score():
    assert judged(presence(1, gold="yes"), answering("yes", thought="left pleural effusion")).graph is None


def test_agreement_is_the_share_of_the_most_frequent_readable_answer():
    sample = presence(1, gold="yes")
    said = [judged(sample, answering(answer)) for answer in ["yes", "no", "yes", "perhaps"]]
    assert agreement(said) == 0.5
    assert agreement(said[3:]) == 0
