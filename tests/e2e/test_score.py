"""`radrl score`: recorded completions scored again without a model."""

import json
from pathlib import Path

import pytest
import yaml
from processes import radrl, run_script
from small_world import lines

FOREIGN = Path(__file__).parents[1] / "unit" / "rewards" / "foreign_files"
THINK = "<think>clear</think><answer>left pleural effusion ❌</answer><think>summary</think><answer>{}</answer>"


def a_record(**changes):
    """A line of completions.jsonl as the format page describes it, and no more."""
    return {
        "step": 1,
        "stage": "train",
        "id": "q1",
        "index": 0,
        "kind": "presence",
        "patient_id": "p1",
        "prompt": "<image>Is there a left pleural effusion?",
        "images": ["films/1.png"],
        "answer": THINK.format("no"),
        "completion": THINK.format("no"),
        "completion_ids": [5, 6, 7],
        "raw_completion_tokens": ["a", "b", "c"],
        "per_token_logps": [-0.1, -0.2, -0.3],
        "stop": "eos",
        "policy_version": 0,
        "temperature": 1.0,
        "rewards": {"format": 1.0},
        "outcome": 1.0,
        "advantage": 0.5,
        **changes,
    }


def write(path: Path, *records) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    rubric = {
        "rewards": [
            {"name": "format", "weight": 0.1},
            {"name": "answer_exact", "weight": 0.9, "outcome": True},
            {"name": "step_correctness", "weight": 0.5, "gate": "per_sample"},
        ]
    }
    (tmp_path / "rubric.yaml").write_text(yaml.safe_dump(rubric))
    return tmp_path


def test_a_runs_own_completions_score_as_they_were_scored(undisturbed, tmp_path):
    ended = radrl(
        "score", f"{undisturbed}/completions.jsonl", "--rubric", f"{undisturbed}/config.yaml", "--out", "again.jsonl",
        folder=tmp_path,
    )  # fmt: skip
    assert ended.code == 0, ended.output
    recorded, again = lines(undisturbed / "completions.jsonl"), lines(tmp_path / "again.jsonl")
    assert [record["rewards"] for record in again] == [record["rewards"] for record in recorded]
    assert [record["outcome"] for record in again] == [record["outcome"] for record in recorded]
    place = ("step", "id", "index", "completion")
    assert [[record[name] for name in place] for record in again] == [
        [record[name] for name in place] for record in recorded
    ]
    # The total is the one that training had: its mean over a step is in the metrics, gates included.
    for metrics in lines(undisturbed / "metrics.jsonl"):
        totals = [record["total"] for record in again if record["step"] == metrics["step"]]
        if "reward/total/mean" in metrics:
            assert sum(totals) / len(totals) == pytest.approx(metrics["reward/total/mean"], abs=1e-12)


def test_several_workers_give_the_same_scores(undisturbed, tmp_path):
    for workers in ("0", "2"):
        ended = radrl("score", f"{undisturbed}/completions.jsonl", "--rubric", f"{undisturbed}/config.yaml",
            "--workers", workers, "--out", f"{workers}.jsonl", folder=tmp_path,
        )  # fmt: skip
        assert ended.code == 0, ended.output
    assert (tmp_path / "0.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_a_file_in_the_documented_form_is_scored_and_summed_up(folder):
    write(folder / "c.jsonl", a_record(), a_record(index=1, completion=THINK.format("yes")))
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--out", "s.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    right, wrong = lines(folder / "s.jsonl")
    assert right["rewards"] == {"format": 1.0, "answer_exact": 1.0, "step_correctness": 1.0}
    assert (right["outcome"], right["total"], right["failures"]) == (1.0, 1.5, {})
    assert (wrong["outcome"], wrong["total"]) == (0.0, 0.1)
    assert "advantage" not in right
    (row,) = (line for line in ended.output.splitlines() if "answer_exact" in line)
    # name, weight, mean, std, min, max, abstained, failed
    assert row.replace("│", "").split() == ["answer_exact", "0.9", "0.500", "0.500", "0.00", "1.00", "0", "0"]
    assert "2 completions" in ended.output


def test_radrl_score_loads_no_model_library(folder):
    write(folder / "c.jsonl", a_record())
    code = (
        "import sys, radrl.score, pathlib\n"
        "radrl.score.score_file(file=pathlib.Path('c.jsonl'), rubric='rubric.yaml')\n"
        "print(sorted({'torch', 'transformers', 'pebble'} & set(sys.modules)))\n"
    )
    ended = run_script("python", "-c", code, folder=folder)
    assert (ended.code, ended.output.splitlines()[-1]) == (0, "[]"), ended.output


def test_a_preset_is_a_rubric_by_name(folder):
    write(folder / "c.jsonl", a_record())
    ended = radrl("score", "c.jsonl", "--rubric", "cx_mind_closed", "--out", "s.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    (scored,) = lines(folder / "s.jsonl")
    assert scored["rewards"]["format"] == 1.0
    assert scored["outcome"] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"completion": None}, "c.jsonl:2: field 'completion' is missing"),
        ({"completion_ids": "abc"}, "c.jsonl:2: field 'completion_ids' is 'abc', which is not a list"),
        ({"step": "two"}, "c.jsonl:2: field 'step' is 'two', which is not a whole number from 0"),
        ({"stop": "because"}, "c.jsonl:2: field 'stop' is 'because', which is not eos or length"),
        ({"index": 0}, "c.jsonl:2: step 1 has this sample and index already at c.jsonl:1"),
        ({"answer_kind": "poem"}, "c.jsonl:2: field 'answer_kind' is 'poem'"),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_field(folder, changes, message):
    write(folder / "c.jsonl", a_record(), a_record(index=1) | changes)
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--out", "s.jsonl", folder=folder)
    assert (ended.code, message in ended.output) == (2, True), ended.output
    assert sorted(path.name for path in folder.iterdir()) == ["c.jsonl", "rubric.yaml"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["c.jsonl", "--rubric", "cx_mind_close"], "Did you mean cx_mind_closed?"),
        (["gone.jsonl", "--rubric", "rubric.yaml"], "gone.jsonl is not a file"),
        (["empty.jsonl", "--rubric", "rubric.yaml"], "empty.jsonl has no records"),
        (["c.jsonl", "--rubric", "rubric.yaml", "--out", "no/s.jsonl"], "there is no folder"),
        (["c.jsonl", "--rubric", "rubric.yaml", "--max-tokens", "0"], "--max-tokens is 0"),
        (["c.jsonl", "--rubric", "bad.yaml"], "unknown key rewards.0.wieght"),
        (["c.jsonl", "--rubric", "none.yaml"], "unknown reward 'formt'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, args, message):
    write(folder / "c.jsonl", a_record())
    (folder / "empty.jsonl").write_text("")
    (folder / "bad.yaml").write_text("rewards: [{name: format, wieght: 1, outcome: true}]")
    (folder / "none.yaml").write_text("rewards: [{name: formt, outcome: true}]")
    ended = radrl("score", *args, folder=folder)
    assert (ended.code, message in ended.output) == (2, True), ended.output


def test_gold_scores_each_reference_once_and_passes_when_all_earn_their_highest(folder):
    write(folder / "c.jsonl", a_record(completion="nonsense"), a_record(index=1), a_record(id="q2", completion=""))
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--gold", "--out", "g.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    scored = lines(folder / "g.jsonl")
    assert [(record["id"], record["completion"], record["outcome"]) for record in scored] == [
        ("q1", THINK.format("no"), 1.0),
        ("q2", THINK.format("no"), 1.0),
    ]


def test_gold_fails_and_names_the_samples_when_a_reward_does_not_pay_its_own_reference(folder):
    wrong = {"id": "q2", "answer_kind": "yes_no", "answer_set": ["yes"]}
    write(folder / "c.jsonl", a_record(), a_record(**wrong), a_record(**wrong, step=2))
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--gold", folder=folder)
    assert ended.code == 1
    assert (
        "failed: reward 'answer_exact' gives the reference of sample q2 (c.jsonl:2) 0, and 1 is its highest. "
        "In all 1 references do not earn its highest: q2." in ended.output
    )


def test_foreign_rewards_score_a_file_and_their_failures_are_shown(folder):
    rubric = [
        {"name": "answer_exact", "outcome": True},
        {"name": f"{FOREIGN}/misbehaving.py:obeys"},
        {"name": f"{FOREIGN}/easyr1_rewards.py:compute_score", "interface": "easyr1_batch", "weight": 0.0},
    ]
    (folder / "foreign.yaml").write_text(yaml.safe_dump({"rewards": rubric}))
    write(folder / "c.jsonl", a_record(completion="print"), a_record(index=1, completion="exit"))
    ended = radrl("score", "c.jsonl", "--rubric", "foreign.yaml", "--out", "s.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    printing, exiting = lines(folder / "s.jsonl")
    assert (printing["rewards"]["obeys"], exiting["rewards"]["obeys"]) == (1.0, None)
    assert exiting["failures"]["obeys"] == "worker died with exit code 3"
    assert "compute_score/accuracy" in printing["rewards"]
    assert "obeys failed first with: worker died with exit code 3" in ended.output
    assert "printed by a reward" not in ended.output


def test_a_completion_of_a_megabyte_is_scored(folder):
    write(folder / "c.jsonl", a_record(completion="<think>" * 150_000))
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--out", "s.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    assert lines(folder / "s.jsonl")[0]["rewards"]["format"] == 0.0


def test_a_file_may_replace_itself(folder):
    write(folder / "c.jsonl", a_record())
    ended = radrl("score", "c.jsonl", "--rubric", "rubric.yaml", "--out", "c.jsonl", folder=folder)
    assert ended.code == 0, ended.output
    assert lines(folder / "c.jsonl")[0]["total"] == 1.5
