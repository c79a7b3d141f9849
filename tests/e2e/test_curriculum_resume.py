"""Row 26: mixtures, a band of difficulty and advance rules in one run, which may be killed anywhere."""

import json
from pathlib import Path

import pytest
from processes import Moment, radrl
from small_world import RUN, World, lines, without_times

KILLED = -9

CURRICULUM = """
curriculum:
  stages:
  - name: closed
    data:
      train_files: [presence.jsonl, choice.jsonl]
      weights: [1, 3]
      val_files: [val_closed.jsonl]
      pass_rate: {low: 0.3, high: 0.9, n: 4}
    epochs: 9
    advance: {outcome_at_least: 0.0, validations: 2}
  - name: open
    data:
      train_files: [choice.jsonl, open.jsonl]
      kinds: {open: 3, closed: 1}
      pass_rate: {low: 0.0, high: 0.7, n: 2}
    rewards: [{name: format, weight: 0.1}, {name: answer_f1, weight: 0.9, outcome: true}]
    steps: 9
    advance: {plateau: 1.0, validations: 1}
"""
"""The bound is reached by any two validations of the first stage, the plateau by the second one of the second."""

MOMENTS = {
    "while the first stage's pass rates are written": Moment(part="pass_rates/.closed", event="open"),
    "between the measurement and the first checkpoint": Moment(part="metrics.jsonl", event="open", count=2),
    "between the validation that ends a stage and its checkpoint": Moment(part=".unfinished-4", event="os.mkdir"),
    "while the second stage's pass rates take their place": Moment(part="pass_rates/open", event="os.rename"),
    "within the second stage": Moment(part="completions.jsonl", event="open", count=3),
    "before the last validation's checkpoint has its name": Moment(part="global_step_8", event="os.rename"),
}


def files_by_kind(world: World, folder: Path) -> None:
    """The world's questions, a file a kind."""
    names = {"presence": "presence.jsonl", "closed": "choice.jsonl", "open": "open.jsonl"}
    for row in lines(world.folder / "train.jsonl"):
        append(folder / names[row["kind"]], row)
    for row in lines(world.folder / "val.jsonl"):
        if row["kind"] != "open":
            append(folder / "val_closed.jsonl", row)


def append(file: Path, row: dict) -> None:
    with file.open("a", encoding="utf-8") as lines_of_file:
        lines_of_file.write(json.dumps(row) + "\n")


def command(world: World, folder: Path) -> list[str]:
    (folder / "stages.yaml").write_text(CURRICULUM, encoding="utf-8")
    changes = {"data.image_dir": world.folder, "algorithm.online_filtering": "false", "trainer.val_freq": 2}
    args = [arg for arg in world.training() if not arg.startswith(("curriculum", *changes))]
    return ["train", *args, "config=stages.yaml", *(f"{key}={value}" for key, value in changes.items())]


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    """Run folder of the curriculum in one go."""
    folder = tmp_path_factory.mktemp("whole")
    files_by_kind(world, folder)
    ended = radrl(*command(world, folder), folder=folder)
    assert ended.code == 0, ended.output
    return folder / RUN


def test_stages_end_when_their_validations_say_so(whole):
    records = lines(whole / "metrics.jsonl")
    assert [record["stage"] for record in records if "outcome/mean" in record] == ["closed"] * 4 + ["open"] * 4
    validations = [(record["step"], record["stage"]) for record in records if "val/reward_score" in record]
    assert validations == [(0, "closed"), (2, "closed"), (4, "closed"), (6, "open"), (8, "open")]


def test_a_stage_is_validated_on_its_own_files(whole):
    validations = [record for record in lines(whole / "metrics.jsonl") if "val/reward_score" in record]
    assert not any("val/open/outcome" in record for record in validations if record["stage"] == "closed")
    assert all("val/open/outcome" in record for record in validations if record["stage"] == "open")


def test_every_step_mixes_the_files_by_weight_and_the_kinds_by_share(whole):
    for step in range(1, 9):
        kinds = [r["kind"] for r in lines(whole / "completions.jsonl") if r["step"] == step]
        rare, frequent = ("presence", "closed") if step <= 4 else ("closed", "open")
        assert (kinds.count(rare), kinds.count(frequent)) == (4, 12)


def test_only_prompts_within_the_band_are_trained_on_and_the_rates_are_on_disk(whole):
    for stage, low, high in (("closed", 0.3, 0.9), ("open", 0.0, 0.7)):
        rates = {row["id"]: row["rate"] for row in lines(whole / "pass_rates" / f"{stage}.jsonl")}
        kept = {name for name, rate in rates.items() if low <= rate <= high}
        drawn = {r["id"] for r in lines(whole / "completions.jsonl") if r["stage"] == stage}
        assert drawn <= kept < set(rates)
        (first,) = [r for r in lines(whole / "metrics.jsonl") if r["stage"] == stage and "pass_rate/mean" in r]
        assert first["pass_rate/num_kept"] == len(kept)


@pytest.mark.slow
def test_a_curriculum_killed_anywhere_ends_like_one_that_was_not(world, whole, tmp_path):
    files_by_kind(world, tmp_path)
    for name, moment in MOMENTS.items():
        assert radrl(*command(world, tmp_path), folder=tmp_path, moment=moment).code == KILLED, name
    ended = radrl(*command(world, tmp_path), folder=tmp_path)
    assert ended.code == 0, ended.output

    run = tmp_path / RUN
    assert without_times(lines(run / "metrics.jsonl")) == without_times(lines(whole / "metrics.jsonl"))
    for name in (
        "completions.jsonl",
        "pass_rates/closed.jsonl",
        "pass_rates/open.jsonl",
        "checkpoints/checkpoint_tracker.json",
        "checkpoints/global_step_8/actor/huggingface/model.safetensors",
        "checkpoints/global_step_8/curriculum/curriculum.json",
    ):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_a_resumed_run_does_not_measure_again(world, whole, tmp_path):
    files_by_kind(world, tmp_path)
    killed = radrl(*command(world, tmp_path), folder=tmp_path, moment=Moment(part=".unfinished-4", event="os.mkdir"))
    assert killed.code == KILLED
    (tmp_path / RUN / "pass_rates" / "closed.jsonl").unlink()

    assert radrl(*command(world, tmp_path), folder=tmp_path).code == 0

    assert not (tmp_path / RUN / "pass_rates" / "closed.jsonl").exists()
    assert (tmp_path / RUN / "completions.jsonl").read_bytes() == (whole / "completions.jsonl").read_bytes()


@pytest.mark.slow
def test_a_band_with_nothing_in_it_is_no_signal_and_leaves_a_checkpoint(world, tmp_path):
    files_by_kind(world, tmp_path)
    impossible = "curriculum.stages.0.data.pass_rate={low: 0.3, high: 0.4, n: 2}"
    ended = radrl(*command(world, tmp_path), impossible, folder=tmp_path)
    assert ended.code == 3
    assert "has a pass rate from 0.3 to 0.4" in " ".join(ended.output.split())
    assert (tmp_path / RUN / "checkpoints" / "global_step_0").is_dir()
    assert (tmp_path / RUN / "pass_rates" / "closed.jsonl").exists()
