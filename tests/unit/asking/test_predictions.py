"""Texts that were made elsewhere, in the forms that they come in."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from asking_builders import Scripted, question, settings

from radrl.asking.predictions import PredictionsRespondent, read_predictions
from radrl.asking.session import open_asking
from radrl.errors import ConfigError, DataError

QUESTIONS = [question(number, gold=gold) for number, gold in enumerate(["yes", "no", "yes"])]
TEXTS = ["<answer>yes</answer>", "<answer>no</answer>", "no idea"]


def lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def respond(path: Path, tmp_path: Path, **changes):
    config = settings(tmp_path, backend="predictions", predictions=str(path), **changes)
    return list(PredictionsRespondent(config).respond(QUESTIONS, range(len(QUESTIONS))))


@pytest.mark.parametrize("field", ["prediction", "text", "response", "generated_text", "completion"])
def test_lines_are_matched_by_id_whatever_their_order(tmp_path, field):
    rows = [{"id": f"q{number}", field: text} for number, text in enumerate(TEXTS)]
    found = respond(lines(tmp_path / "given.jsonl", rows[::-1]), tmp_path)
    assert [(response.sample.id, response.text) for response in found] == list(
        zip(["q0", "q1", "q2"], TEXTS, strict=True)
    )


def test_a_table_may_have_empty_cells_and_line_ends_in_its_texts(tmp_path):
    (tmp_path / "given.csv").write_text('id,text\nq0,"yes,\nsurely"\nq1,\nq2,no\n', encoding="utf-8")
    assert [response.text for response in respond(tmp_path / "given.csv", tmp_path)] == ["yes,\nsurely", "", "no"]


def test_chex_phi4mm_results_come_with_their_token_probabilities_rows_79_and_84(tmp_path):
    """The seed decodes tokens one by one and leaves special ones empty; a probability may be rounded to 0."""
    rows = [
        {"id": f"q{number}", "question": "?", "generated_text": text, "is_correct": True}
        | {"generated_tokens": [text[:3], text[3:], ""], "token_probabilities": [0.5, 0.0, 1.0]}
        for number, text in enumerate(TEXTS)
    ]
    (tmp_path / "results.json").write_text(json.dumps({"results": rows, "accuracy": 1.0}), encoding="utf-8")
    (tmp_path / "list.json").write_text(json.dumps(rows), encoding="utf-8")
    found = respond(tmp_path / "results.json", tmp_path)
    assert found == respond(tmp_path / "list.json", tmp_path)
    assert found[0].token_texts == (TEXTS[0][:3], TEXTS[0][3:], "")
    assert found[0].token_logprobs == (math.log(0.5), math.log(sys.float_info.min), 0.0)


def test_cx_mind_evaluation_files_say_it_in_the_last_turn(tmp_path):
    rows = [
        {
            "id": f"q{number}",
            "images": [],
            "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}],
        }
        for number, text in enumerate(TEXTS)
    ]
    assert [response.text for response in respond(lines(tmp_path / "a.jsonl", rows), tmp_path)] == TEXTS


def test_of_a_training_run_the_last_step_that_asked_counts(tmp_path):
    rows = [
        {"step": step, "id": f"q{number}", "index": 0, "completion": f"{text} at {step}", "stop": "length"}
        | {"raw_completion_tokens": [text, f" at {step}"], "per_token_logps": [-1.0, -2.0], "completion_ids": [4, 5]}
        for step in (2, 9)
        for number, text in enumerate(TEXTS)
    ]
    found = respond(lines(tmp_path / "completions.jsonl", rows), tmp_path)
    assert [response.text for response in found] == [f"{text} at 9" for text in TEXTS]
    assert (found[0].token_ids, found[0].token_logprobs, found[0].stop) == ((4, 5), (-1.0, -2.0), "length")


def test_lists_that_are_nested_one_deeper_are_read_too(tmp_path):
    row = {"id": "q0", "completion": "yes", "raw_completion_tokens": [["ye", "s"]], "per_token_logps": [[-1.0, -2.0]]}
    (read,) = read_predictions(lines(tmp_path / "completions.jsonl", [row]))
    assert (read.token_texts, read.token_logprobs) == (("ye", "s"), (-1.0, -2.0))


def test_recorded_responses_are_those_of_the_questions_as_they_are(tmp_path):
    with open_asking(settings(tmp_path), QUESTIONS, progress=False, open_with=lambda _: Scripted()) as ask:
        asked = {name: ask(QUESTIONS, name) for name in ("main", "shuffled")}
    assert respond(tmp_path / "responses.jsonl", tmp_path / "again") == asked["main"]


def test_without_ids_the_order_counts_and_that_is_said(tmp_path, caplog):
    found = respond(lines(tmp_path / "texts.jsonl", [{"text": text} for text in TEXTS]), tmp_path)
    assert [response.text for response in found] == TEXTS
    assert "have no ids and are matched to the questions by their order" in caplog.text
    with pytest.raises(DataError, match="has 2 texts, where 3 would be"):
        respond(lines(tmp_path / "texts.jsonl", [{"text": "yes"}] * 2), tmp_path)


def test_missing_and_surplus_ids_are_named(tmp_path):
    given = lines(tmp_path / "given.jsonl", [{"id": "q0", "text": "yes"}, {"id": "q2", "text": "no"}])
    with pytest.raises(DataError, match=r"1 of 3 questions: q1.*predictions_missing=wrong"):
        respond(given, tmp_path)
    given = lines(tmp_path / "given.jsonl", [{"id": f"q{number}", "text": "yes"} for number in range(5)])
    with pytest.raises(DataError, match="texts for 2 ids that no question has: q3, q4"):
        respond(given, tmp_path)
    assert len(respond(given, tmp_path, max_samples=3)) == 3


def test_a_missing_prediction_may_count_as_unreadable(tmp_path):
    given = lines(tmp_path / "given.jsonl", [{"id": "q0", "text": TEXTS[0]}, {"id": "q2", "text": TEXTS[0]}])
    found = respond(given, tmp_path, predictions_missing="wrong")
    assert [response.failure for response in found] == [None, "the file has no prediction", None]
    assert found[1].text == ""


def test_several_completions_a_question_are_those_that_n_says(tmp_path):
    rows = [{"id": f"q{number}", "text": f"{index}"} for number in range(3) for index in range(2)]
    given = lines(tmp_path / "given.jsonl", rows)
    found = respond(given, tmp_path, n=2)
    assert [(response.sample.id, response.index, response.text) for response in found][:2] == [
        ("q0", 0, "0"),
        ("q0", 1, "1"),
    ]
    with pytest.raises(DataError, match="has 2 texts for the question q0, and n is 1"):
        respond(given, tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "q0", "answer": "yes"}], "no row with a text"),
        ([{"id": "q0", "text": "yes"}, {"text": "no"}], "has no id, and others have one"),
        (
            [{"id": "q0", "text": "yes", "generated_tokens": ["yes"], "token_probabilities": [0.5, 0.5]}],
            "1 tokens and 2",
        ),
        ([{"id": "q0", "text": "yes", "generated_tokens": ["yes"], "token_probabilities": [1.5]}], "from 0 to 1"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        respond(lines(tmp_path / "given.jsonl", rows), tmp_path)


def test_tokens_that_do_not_spell_their_text_are_counted_and_left_out(tmp_path, caplog):
    row = {"id": "q0", "text": "yes", "generated_tokens": ["other"], "token_probabilities": [0.5]}
    (read,) = read_predictions(lines(tmp_path / "given.jsonl", [row]))
    assert (read.token_texts, read.token_logprobs) == ((), ())
    assert "the tokens of 1 of 1 texts" in caplog.text


def test_a_file_is_asked_for_by_name(tmp_path):
    with pytest.raises(ConfigError, match="Give predictions=FILE"):
        PredictionsRespondent(settings(tmp_path, backend="predictions"))
    with pytest.raises(DataError, match="does not exist"):
        respond(tmp_path / "nowhere.jsonl", tmp_path)


def test_predictions_are_judged_without_torch(tmp_path):
    rows = [
        {
            "id": f"q{number}",
            "kind": "presence",
            "prompt": "Is there fluid?",
            "answer": "<answer>yes</answer>",
            "images": [],
        }
        for number in range(3)
    ]
    lines(tmp_path / "data.jsonl", rows)
    lines(tmp_path / "given.jsonl", [{"id": f"q{number}", "text": text} for number, text in enumerate(TEXTS)])
    args = [f"data={tmp_path}/data.jsonl", "backend=predictions", f"predictions={tmp_path}/given.jsonl"]
    code = (
        "import sys; from radrl.evaluate import main; code = main(sys.argv[1:]);"
        "assert code == 0, code; assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *args, f"out={tmp_path}/out", "resamples=20"], check=True)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["overall"]["metrics"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert summary["overall"]["counts"]["parse_failures"] == 1
    assert summary["asked"]["backend"] == "predictions"
    assert summary["blind"]["shuffled_image"] is None
    assert "shuffled_image cannot be made: a file of predictions" in summary["blind"]["notes"][1]
