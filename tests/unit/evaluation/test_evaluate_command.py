"""`python -m radrl.evaluate` over files, with a model of the real classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radrl.evaluate import main
from radrl.models.tiny import build_tiny

TRACE = (
    "<think>look at the base</think><answer>left pleural effusion {mark}</answer>"
    "<think>summary</think><answer>{answer}</answer>"
)


def row(number: int, answer: str) -> dict[str, object]:
    return {
        "id": f"q{number}",
        "patient_id": f"p{number}",
        "kind": "presence",
        "prompt": "<image>Is there a left pleural effusion?",
        "answer": TRACE.format(mark="✅" if answer == "yes" else "❌", answer=answer),
        "images": [f"film{number}.png"],
        "options": ["left pleural effusion"],
        "answer_set": [answer],
        "answer_kind": "yes_no",
    }


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(fields) + "\n" for fields in rows))
    return path


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    generator = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(generator.integers(0, 255, size=(64, 64), dtype=np.uint8)).save(folder / f"film{number}.png")
    rows = [row(number, answer) for number, answer in enumerate(["yes", "no", "no", "yes"])]
    write_rows(folder / "one.jsonl", rows[:3])
    write_rows(folder / "two.jsonl", rows[3:])
    corpus = [f"{fields['prompt']} {fields['answer']}" for fields in rows]
    build_tiny(folder / "model", corpus=corpus, hidden_size=64, num_layers=1, vision_hidden_size=32, vision_layers=1)
    return folder


def command(workplace: Path, out: str, **changes: object) -> list[str]:
    values = {
        "model": workplace / "model",
        "data": f"[{workplace}/one.jsonl,{workplace}/two.jsonl]",
        "train_data": f"{workplace}/one.jsonl",
        "out": workplace / out,
        "max_response_length": 12,
        "resamples": 50,
        "device": "cpu",
        **changes,
    }
    return [f"{key}={value}" for key, value in values.items()]


def test_row_84_the_command_evaluates_two_files_with_token_probabilities(workplace):
    """Spec row 84, over real files and a real model."""
    assert main(command(workplace, "greedy", token_probs="true")) == 0
    summary = json.loads((workplace / "greedy" / "summary.json").read_text())
    rows = [json.loads(line) for line in (workplace / "greedy" / "samples.jsonl").read_text().splitlines()]
    assert [fields["id"] for fields in rows] == ["q0", "q1", "q2", "q3"]
    assert [block["counts"]["questions"] for block in summary["per_file"].values()] == [3, 1]
    assert summary["blind"]["majority"]["accuracy"]["value"] == 0.5
    assert summary["blind"]["shuffled_image"]["num_questions"] == 4
    for fields in rows:
        assert "".join(fields["token_texts"]) == fields["generated_text"]
        assert len(fields["token_ids"]) == len(fields["token_probs"]) == len(fields["token_logprobs"]) <= 12
        assert np.exp(fields["token_logprobs"]) == pytest.approx(fields["token_probs"])


def test_the_batch_size_changes_no_answer(workplace):
    texts = []
    for batch_size in (1, 3):
        changes = {"batch_size": batch_size, "n": 2, "temperature": 1.0, "blind": "false"}
        assert main(command(workplace, f"batch{batch_size}", **changes)) == 0
        rows = (workplace / f"batch{batch_size}" / "samples.jsonl").read_text().splitlines()
        texts.append([json.loads(line)["generated_text"] for line in rows])
    assert len(texts[0]) == 8
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"model": "/nowhere/model"}, "/nowhere/model"),
        ({"temperatur": "1"}, "Did you mean temperature?"),
    ],
)
def test_bad_input_ends_with_code_2_and_one_sentence(workplace, capsys, changes, message):
    assert main(command(workplace, "bad", **changes)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
