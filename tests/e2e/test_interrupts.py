"""Ctrl-C and SIGTERM end a run saved, and it goes on from there."""

import signal

import pytest
from processes import Moment, radrl
from small_world import RUN, WARM_UP, lines, without_times

IN_THE_THIRD_STEP = Moment(part="completions.jsonl", event="open", count=3)


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_run_asked_to_stop_saves_says_how_to_go_on_and_does(world, undisturbed, tmp_path, sent, code):
    command = ["train", *world.training(trainer__save_freq=4)]
    stopped = radrl(*command, folder=tmp_path, moment=IN_THE_THIRD_STEP, sends=sent)

    assert stopped.code == code
    assert "saved after step 3. The same command goes on from there." in stopped.output
    assert "Traceback" not in stopped.output
    run = tmp_path / RUN
    assert [path.name for path in (run / "checkpoints").glob("global_step_*")] == ["global_step_3"]
    assert radrl(*command, folder=tmp_path).code == 0
    assert without_times(lines(run / "metrics.jsonl")) == without_times(lines(undisturbed / "metrics.jsonl"))
    assert lines(run / "completions.jsonl") == lines(undisturbed / "completions.jsonl")


@pytest.mark.slow
def test_a_warm_up_asked_to_stop_saves_too(world, tmp_path):
    moment = Moment(part="metrics.jsonl", event="open", count=5)
    stopped = radrl("sft", *world.supervised(), folder=tmp_path, moment=moment, sends=signal.SIGTERM)

    assert (stopped.code, "saved after step 5." in stopped.output) == (143, True)
    assert (tmp_path / WARM_UP / "checkpoints/global_step_5").is_dir()


def test_ctrl_c_before_the_first_step_says_so_without_a_traceback(world, tmp_path):
    reading = Moment(part="train.jsonl", event="open")
    stopped = radrl("train", *world.training(), folder=tmp_path, moment=reading, sends=signal.SIGINT)

    assert stopped.code == 130
    assert "stopped at once" in stopped.output
    assert "Traceback" not in stopped.output
