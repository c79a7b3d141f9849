"""Spec row 84: the modes of both seeds' evaluators, over files on a disk and a model of the real classes."""

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radrl.asking.local import SampledRespondent
from radrl.evaluate import main
from radrl.models.tiny import build_tiny

ANSWERS = ["yes", "no", "no", "yes", "no"]
TRACE = "<think>look</think><answer>left pleural effusion {mark}</answer><think>so</think><answer>{answer}</answer>"


def trace(answer: str) -> str:
    return TRACE.format(mark="✅" if answer == "yes" else "❌", answer=answer)


def chex_item(number: int, answer: str, *, question_type: str) -> dict:
    return {
        "idx": f"{question_type}-{number}", "subject_id": number, "question": "Is there a left pleural effusion?",
        "answer": [answer], "explanation": trace(answer), "image_ids": [f"film{number}"],
        "question_type": question_type,
    }  # fmt: skip


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """CheX-Phi4MM's three lists, CX-Mind's two folders of lines, five films and a model."""
    folder = tmp_path_factory.mktemp("modes")
    generator = np.random.default_rng(0)
    (folder / "films").mkdir()
    for number in range(len(ANSWERS)):
        pixels = generator.integers(0, 255, size=(64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "films" / f"film{number}.png")
    for kind in ("basic", "compare", "region"):
        items = [chex_item(number, answer, question_type=kind) for number, answer in enumerate(ANSWERS)]
        (folder / f"test_{kind}_vqa.json").write_text(json.dumps(items), encoding="utf-8")
    for task in ("disease_qa_m", "disease_open"):
        rows = [
            {
                "id": f"{task}_{number}", "images": [f"films/film{number}.png"],
                "messages": [
                    {"role": "user", "content": "<image>Is there a left pleural effusion?"},
                    {"role": "assistant", "content": trace(answer)},
                ],
            }
            for number, answer in enumerate(ANSWERS)
        ]  # fmt: skip
        (folder / f"{task}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    corpus = [f"Is there a left pleural effusion? {trace(answer)}" for answer in ANSWERS]
    build_tiny(folder / "model", corpus=corpus, hidden_size=64, num_layers=1, vision_hidden_size=32, vision_layers=1)
    return folder


def evaluate(workplace: Path, out: str, **changes: object) -> int:
    keys = {
        "model": workplace / "model", "out": workplace / out, "max_response_length": 10, "batch_size": 2,
        "resamples": 20, "device": "cpu", **changes,
    }  # fmt: skip
    return main([f"{key}={value}" for key, value in keys.items()])


def summary_of(workplace: Path, out: str) -> dict:
    return json.loads((workplace / out / "summary.json").read_text(encoding="utf-8"))


def rows_of(workplace: Path, out: str) -> list[dict]:
    lines = (workplace / out / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def lists(workplace: Path, *kinds: str) -> str:
    return "[" + ",".join(f"{workplace}/test_{kind}_vqa.json" for kind in kinds) + "]"


CHEX = {"rows.layout": "chex_phi4mm", "blind": "false"}


def test_row_84_chex_phi4mm_sweep_over_basic_compare_and_region(workplace):
    data = lists(workplace, "basic", "compare", "region")
    assert evaluate(workplace, "sweep", data=data, img_root=workplace / "films", max_samples=3, **CHEX) == 0
    summary = summary_of(workplace, "sweep")
    assert [block["counts"]["questions"] for block in summary["per_file"].values()] == [3, 3, 3]
    assert {kind: block["counts"]["questions"] for kind, block in summary["per_kind"].items()} == {
        "basic": 3, "compare": 3, "region": 3,
    }  # fmt: skip
    assert summary["overall"]["counts"]["questions"] == 9
    assert "legacy_substring_accuracy" in summary["overall"]["metrics"]


def test_row_84_chex_phi4mm_one_annotation_file(workplace):
    file = workplace / "test_compare_vqa.json"
    assert evaluate(workplace, "one", annotation_file=file, img_root=workplace / "films", blind="false") == 0
    assert list(summary_of(workplace, "one")["per_file"]) == [str(file)]
    assert [row["id"] for row in rows_of(workplace, "one")] == [f"compare-{number}" for number in range(5)]


def test_rows_79_and_84_chex_phi4mm_token_probabilities_also_of_texts_that_were_made_before(workplace):
    keys = {"data": lists(workplace, "basic"), "img_root": workplace / "films", "token_probs": "true", **CHEX}
    assert evaluate(workplace, "probs", **keys) == 0
    rows = rows_of(workplace, "probs")
    for row in rows:
        assert "".join(row["token_texts"]) == row["generated_text"]
        assert row["token_probs"] == [math.exp(logprob) for logprob in row["token_logprobs"]]
        assert len(row["token_ids"]) == len(row["token_probs"]) <= 10
    again = {**keys, "backend": "predictions", "predictions": workplace / "probs", "model": "the same"}
    assert evaluate(workplace, "probs_again", **again) == 0
    assert rows_of(workplace, "probs_again") == rows


def test_row_84_cx_minds_closed_and_open_lines_are_read_to_their_end(workplace):
    """The seed reads 50 lines of a file and appends to its results when it is run again."""
    data = f"[{workplace}/disease_qa_m.jsonl,{workplace}/disease_open.jsonl]"
    for _ in range(2):
        assert evaluate(workplace, "cx_mind", data=data, train_data=f"{workplace}/disease_open.jsonl") == 0
    assert len(rows_of(workplace, "cx_mind")) == 10
    summary = summary_of(workplace, "cx_mind")
    assert [block["counts"]["questions"] for block in summary["per_file"].values()] == [5, 5]
    assert summary["blind"]["shuffled_image"]["num_questions"] == 10
    assert {"legacy_exact_output", "legacy_word_jaccard"} <= set(summary["overall"]["metrics"])


def test_a_killed_evaluation_goes_on_to_the_same_bytes_without_the_model_at_last_row_84(workplace, monkeypatch, caplog):
    keys = {"data": lists(workplace, "basic"), "img_root": workplace / "films", **CHEX, "blind": "true"}
    keys |= {"n": 2, "temperature": 1.0, "token_probs": "true"}
    assert evaluate(workplace, "whole", **keys) == 0
    whole = SampledRespondent.respond

    def killed(self, samples, places):
        for number, response in enumerate(whole(self, samples, places)):
            if number == 5:
                raise KeyboardInterrupt
            yield response

    monkeypatch.setattr(SampledRespondent, "respond", killed)
    assert evaluate(workplace, "killed", **keys) == 130
    monkeypatch.setattr(SampledRespondent, "respond", whole)
    assert not (workplace / "killed" / "summary.json").exists()
    assert evaluate(workplace, "killed", **keys) == 0
    for file in ("samples.jsonl", "summary.json", "responses.jsonl"):
        assert (workplace / "killed" / file).read_bytes() == (workplace / "whole" / file).read_bytes()

    monkeypatch.setattr("radrl.asking.local.load_adapter", None)
    with caplog.at_level(logging.INFO):
        assert evaluate(workplace, "killed", **keys, resamples=30) == 0
    assert "all 5 questions were answered before" in caplog.text
    assert summary_of(workplace, "killed")["intervals"]["resamples"] == 30


def test_other_sampling_in_the_same_folder_is_refused_with_the_key(workplace, capsys):
    keys = {"data": lists(workplace, "region"), "img_root": workplace / "films", **CHEX}
    assert evaluate(workplace, "changed", **keys) == 0
    assert evaluate(workplace, "changed", **keys, temperature=0.5) == 2
    assert "was begun with other values of temperature (0.0, now 0.5)" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_write_what_one_does_row_84(workplace):
    keys = {"data": lists(workplace, "basic"), "img_root": workplace / "films", **CHEX, "blind": "true"}
    keys |= {"n": 2, "temperature": 1.0, "batch_size": 1}
    assert evaluate(workplace, "alone", **keys) == 0
    assert evaluate(workplace, "shared", **keys, workers=2) == 0
    for file in ("samples.jsonl", "summary.json", "responses.jsonl"):
        assert (workplace / "shared" / file).read_bytes() == (workplace / "alone" / file).read_bytes()
