"""The whole evaluation with a sampler that writes what it is told."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_builders import answering, complete, listing, presence, render

from radrl.config.evaluation import EvaluateConfig
from radrl.errors import DataError
from radrl.evaluate import Evaluation, evaluate_loaded, write_evaluation
from radrl.evaluation.records import read_records
from radrl.roles import Sampling
from radrl.types import Completion, Prompt, Sample

GOLD = ["yes", "no", "yes", "no", "no", "yes"]
SAMPLES = [presence(i, gold=gold) for i, gold in enumerate(GOLD)]


class ScriptedSampler:
    """Writes what a function of (sample, index) says."""

    def __init__(self, write: Callable[[Sample, int], str]) -> None:
        self.write = write
        self.calls: list[tuple[list[Sample], Sampling]] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        self.calls.append(([prompt.sample for prompt in prompts], sampling))
        for prompt in prompts:
            yield tuple(
                complete(prompt.sample, self.write(prompt.sample, index), index=index) for index in range(sampling.n)
            )

    def publish(self, version: int) -> None:
        raise AssertionError("an evaluation publishes no weights")


def config(**changes) -> EvaluateConfig:
    return EvaluateConfig(model="model", data=("test.jsonl",), out="out", resamples=200, **changes)


def run(write, samples=SAMPLES, train=(), **changes) -> Evaluation:
    return evaluate_loaded(
        samples,
        config=config(**changes),
        render=render,
        sampler=ScriptedSampler(write),
        train_samples=train,
        progress=False,
    )


def reads_the_film(sample: Sample, index: int) -> str:
    """A model that sees: it answers by the patient whose film is in front of it."""
    shown = int(Path(sample.images[0].path).stem[1:])
    return answering(GOLD[shown])


def always_yes(sample: Sample, index: int) -> str:
    return answering("yes")


def test_a_model_that_sees_is_right_and_falls_when_its_images_are_shuffled():
    summary = run(reads_the_film).summary
    assert summary.accuracy.value == 1
    shuffled = summary.blind.shuffled_image
    assert shuffled.accuracy.value < 1
    assert shuffled.minus.value == pytest.approx(1 - shuffled.accuracy.value)


def test_a_model_that_does_not_look_loses_nothing_by_shuffling():
    summary = run(always_yes).summary
    assert summary.accuracy.value == summary.blind.shuffled_image.accuracy.value == 0.5
    assert summary.blind.shuffled_image.minus.value == 0


def test_strict_and_legacy_numbers_stand_side_by_side():
    metrics = run(lambda sample, index: answering("yes", thought="no doubt")).summary.overall.metrics
    assert metrics["accuracy"].value == 0.5
    assert metrics["legacy_substring_accuracy"].value == 1
    assert metrics["sensitivity"].value == 1
    assert metrics["specificity"].value == 0
    assert metrics["balanced_accuracy"].value == 0.5


def test_unreadable_answers_are_counted_and_wrong():
    summary = run(
        lambda sample, index: answering(GOLD[int(sample.id[1:])]) if sample.id != "q0" else "gibberish"
    ).summary
    assert summary.accuracy.value == pytest.approx(5 / 6)
    assert summary.overall.counts.parse_failures == 1
    assert summary.overall.counts.malformed_traces == 1


def test_row_84_several_files_are_reported_one_by_one_and_together_and_by_kind():
    """Spec row 84: a sweep over files, a single file, and a breakdown by question kind."""
    basic = [replace(sample, origin=f"basic.jsonl:{i}") for i, sample in enumerate(SAMPLES)]
    lists = [replace(listing(10 + i, gold=["edema"]), origin=f"lists.jsonl:{i}") for i in range(2)]
    sweep = run(always_yes, samples=[*basic, *lists]).summary
    assert {file: block.metrics["accuracy"].value for file, block in sweep.per_file.items()} == {
        "basic.jsonl": 0.5,
        "lists.jsonl": 0.0,
    }
    assert {kind: block.counts.questions for kind, block in sweep.per_kind.items()} == {"presence": 6, "list": 2}
    assert sweep.accuracy.value == pytest.approx(3 / 8)

    single = run(always_yes, samples=basic).summary
    assert list(single.per_file) == ["basic.jsonl"]
    assert single.per_file["basic.jsonl"] == single.overall == sweep.per_file["basic.jsonl"]


def test_row_84_token_probabilities_are_written_when_asked_for():
    assert run(always_yes).records[0].token_texts is None
    assert "".join(run(always_yes, token_probs=True).records[0].token_texts) == answering("yes")


def test_every_completion_of_a_question_counts():
    evaluation = run(lambda sample, index: answering("yes" if index < 3 else "no"), n=4)
    assert [(record.id, record.index) for record in evaluation.records[:5]] == [("q0", i) for i in range(4)] + [
        ("q1", 0)
    ]
    assert evaluation.summary.accuracy.value == pytest.approx(0.5)
    assert evaluation.summary.agreement == 0.75
    assert (evaluation.summary.overall.counts.questions, evaluation.summary.overall.counts.completions) == (6, 24)


def test_the_sampler_is_asked_once_for_the_questions_and_once_for_the_shuffled_ones():
    sampler = ScriptedSampler(always_yes)
    evaluate_loaded(
        SAMPLES, config=config(temperature=0.7, n=2, seed=5), render=render, sampler=sampler, progress=False
    )
    assert [len(samples) for samples, _ in sampler.calls] == [6, 6]
    assert {(s.n, s.temperature, s.max_tokens, s.seed) for _, s in sampler.calls} == {(2, 0.7, 512, 5)}


def test_training_answers_make_the_majority_and_question_only_rows():
    train = [presence(100 + i, gold="no") for i in range(3)]
    blind = run(always_yes, train=train).summary.blind
    assert blind.majority.accuracy.value == blind.question_only.accuracy.value == 0.5
    assert blind.notes == ()


def test_rows_that_cannot_be_made_are_null_and_say_why():
    blind = run(always_yes, samples=SAMPLES[:1]).summary.to_json()["blind"]
    assert (blind["majority"], blind["question_only"], blind["shuffled_image"]) == (None, None, None)
    assert any("give train_data" in note for note in blind["notes"])
    assert any("leaves out 1 questions" in note for note in blind["notes"])


def test_blind_rows_can_be_left_out():
    sampler = ScriptedSampler(always_yes)
    found = evaluate_loaded(SAMPLES, config=config(blind=False), render=render, sampler=sampler, progress=False)
    assert len(sampler.calls) == 1
    assert found.summary.blind.shuffled_image is None


def test_intervals_say_whether_they_are_over_patients_or_samples():
    nameless = [replace(sample, patient_id=sample.id) for sample in SAMPLES]
    assert run(always_yes).summary.unit == "patients"
    assert run(always_yes, samples=nameless, blind=False).summary.unit == "samples"


def test_truncated_completions_are_counted():
    class Truncating(ScriptedSampler):
        def generate(self, prompts, sampling):
            for group in super().generate(prompts, sampling):
                yield tuple(replace(completion, stop="length") for completion in group)

    found = evaluate_loaded(
        SAMPLES, config=config(blind=False), render=render, sampler=Truncating(always_yes), progress=False
    )
    assert found.summary.overall.counts.truncated == 6


def test_the_same_seed_gives_the_same_summary():
    assert run(reads_the_film).summary == run(reads_the_film).summary


def test_no_question_is_left_out_for_its_length():
    with pytest.raises(DataError, match=r"6 of 6 prompts are longer than rows.max_prompt_length = 2 tokens.*sample q0"):
        run(always_yes, rows={"max_prompt_length": 2})


def test_an_empty_set_of_questions_is_an_error():
    with pytest.raises(DataError, match="no question to evaluate"):
        run(always_yes, samples=[])


def test_the_files_hold_the_summary_and_the_records_and_replace_older_ones(tmp_path):
    write_evaluation(run(always_yes), tmp_path / "out")
    evaluation = run(reads_the_film)
    write_evaluation(evaluation, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["samples.jsonl", "summary.json"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["overall"]["metrics"]["accuracy"]["value"] == 1
    assert summary["sampling"] == {"n": 1, "temperature": 0.0, "max_response_length": 512, "seed": 1}
    assert {"conventions", "intervals", "per_kind", "per_file", "calibration", "blind"} <= summary.keys()
    assert read_records(tmp_path / "out" / "samples.jsonl") == evaluation.records


def test_an_output_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot make the folder"):
        write_evaluation(run(always_yes), tmp_path / "file" / "out")


def test_a_full_disk_leaves_the_older_files_as_they_were(tmp_path, monkeypatch):
    write_evaluation(run(always_yes), tmp_path)
    older = (tmp_path / "summary.json").read_text()

    def disk_full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("radrl.evaluate.write_atomically", disk_full)
    with pytest.raises(DataError, match="No space left on device"):
        write_evaluation(run(reads_the_film), tmp_path)
    assert (tmp_path / "summary.json").read_text() == older


def by_sex(**changes) -> Evaluation:
    samples = [replace(sample, columns={"sex": "FM"[n % 2], "site": "a"}) for n, sample in enumerate(SAMPLES)]
    return run(reads_the_film, samples=samples, blind=False, **changes)


def test_rows_hold_what_comparisons_go_by_behind_their_other_fields():
    row = by_sex(by=("site",)).records[1].to_json()
    assert list(row)[-3:] == ["images", "task", "groups"]
    assert (row["images"], row["task"], row["groups"]) == (("/films/p1.png",), "closed", {"site": "a", "sex": "M"})


def test_subgroups_can_be_left_out():
    evaluation = by_sex(subgroups=False)
    assert evaluation.summary.per_group == evaluation.summary.gaps == {}
    assert evaluation.records[0].groups == {}
    assert set(by_sex().summary.gaps) == {"sex", "age_band", "view", "device"}
