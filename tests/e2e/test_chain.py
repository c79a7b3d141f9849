"""Warm-up, reinforcement, evaluation and report, one command after the other."""

import json

import pytest
from processes import radrl
from small_world import RUN, WARM_UP_STEPS, lines

RECORD = {
    *("id", "patient_id", "kind", "question", "answer", "prediction", "generated_text", "correct"),
    *("is_correct_legacy", "parse_ok", "token_ids", "token_logprobs", "confidence"),
}


@pytest.fixture(scope="module")
def run(world, undisturbed):
    """The run of reinforcement with its policy before and after evaluated in it, and its report."""
    folder = undisturbed.parents[2]
    after = undisturbed / "checkpoints/global_step_8/actor/huggingface"
    for name, model in {"sft": world.warm, "rl": after}.items():
        ended = radrl(
            "evaluate",
            f"model={model}",
            f"data={world.folder / 'test.jsonl'}",
            f"train_data={world.folder / 'train.jsonl'}",
            f"out={RUN / 'evaluation' / name}",
            "rows.max_pixels=1024",
            "max_response_length=96",
            "resamples=50",
            "token_probs=true",
            folder=folder,
        )
        assert ended.code == 0, ended.output
        assert "Research software, not for clinical use." in ended.output
    ended = radrl("report", str(RUN), folder=folder)
    assert (ended.code, ended.output.strip()) == (0, f"wrote {RUN / 'report.html'}")
    return undisturbed


def test_row_92_the_warm_up_learns_the_traces_and_its_model_is_what_training_starts_from(world, undisturbed):
    """Spec row 92: supervised training has an entry point, whose result reinforcement takes."""
    losses = [record["sft/loss"] for record in lines(world.warm_up / "metrics.jsonl")]
    assert len(losses) == WARM_UP_STEPS
    assert sum(losses[-5:]) < 0.1 * sum(losses[:5])
    first = [record["rewards"] for record in lines(undisturbed / "completions.jsonl") if record["step"] == 1]
    assert sum(rewards["format"] for rewards in first) > len(first) / 2


def test_every_test_question_has_one_record_with_the_fields_of_the_format(world, run):
    questions = {row["id"]: row for row in lines(world.folder / "test.jsonl")}
    for name in ("sft", "rl"):
        records = lines(run / "evaluation" / name / "samples.jsonl")
        assert [record["id"] for record in records] == list(questions)
        for record in records:
            assert set(record) >= RECORD
            assert record["patient_id"] == questions[record["id"]]["patient_id"]
            assert record["answer"] == sorted(questions[record["id"]]["answer_set"])
            assert len(record["token_ids"]) == len(record["token_logprobs"]) == len(record["token_probs"])


def test_the_accuracy_of_the_summary_is_that_of_the_records(run):
    for name in ("sft", "rl"):
        folder = run / "evaluation" / name
        summary = json.loads((folder / "summary.json").read_text())
        correct = [record["correct"] for record in lines(folder / "samples.jsonl")]
        accuracy = summary["overall"]["metrics"]["accuracy"]
        assert accuracy["value"] == sum(correct) / len(correct)
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
        assert summary["overall"]["counts"]["questions"] == len(correct)
        assert set(summary["blind"]) >= {"majority", "question_only", "shuffled_image"}
        assert summary["conventions"]


def test_the_report_is_one_page_of_this_run_that_needs_no_network(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "not for clinical use" in page
    assert len(page.encode()) <= 15_000_000
    assert 'src="http' not in page
    assert 'href="http' not in page
    records = lines(run / "completions.jsonl")
    assert sum(record["id"] in page for record in records) > 0
