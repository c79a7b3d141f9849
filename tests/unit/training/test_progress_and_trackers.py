import importlib.util
import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from radrl.config.schema import Config
from radrl.progress import StepProgress, step_progress
from radrl.run import Run
from radrl.trackers.open import open_trackers

needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed: pip install -e .[dev]"
)


def shown(*steps, watched):
    """What stands on the bar after these steps."""
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    progress = Progress(TextColumn("{task.completed}/{task.total} {task.fields[values]}"), console=console)
    bar = StepProgress(progress, total_steps=4, watched=watched)
    for step, metrics in steps:
        bar.update(step, {"timing_s/step": 0.5, **metrics})
    console.print(progress.get_renderable())
    return console.file.getvalue().strip()


def test_the_bar_shows_the_step_what_is_watched_and_the_speed():
    line = shown((3, {"reward/total/mean": 0.12345, "outcome/mean": 1.0}), watched={"reward/total/mean": "reward"})
    assert line == "3/4 reward 0.123  0.50 s/step"


def test_a_metric_that_is_not_there_is_left_out():
    assert shown((1, {}), watched={"sft/loss": "loss"}) == "1/4 0.50 s/step"


def test_a_resumed_run_shows_where_it_goes_on():
    assert shown((2, {}), (4, {}), watched={}).startswith("4/4")


def test_the_bar_has_title_steps_and_time(capsys):
    with step_progress("sft", total_steps=2, watched={"sft/loss": "loss"}) as bar:
        bar.update(2, {"timing_s/step": 0.25, "sft/loss": 1.5})
    line = capsys.readouterr().out
    assert "sft" in line
    assert "2/2" in line
    assert "loss 1.5  0.25 s/step" in line


def test_a_long_phase_within_a_step_has_a_bar_of_its_own_while_it_lasts(capsys):
    with step_progress("train", total_steps=2, watched={}) as bar:
        with bar.phase("pass rates of open", total=3) as advance:
            advance()
            advance()
            shown_within = bar_text(bar)
        assert "pass rates" not in bar_text(bar)
    assert "pass rates of open" in shown_within
    assert "2/3" in shown_within


def bar_text(bar):
    console = Console(file=io.StringIO(), width=120)
    console.print(bar._progress.get_renderable())
    return console.file.getvalue()


@needs_tensorboard
def test_scalars_are_written_for_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Run(tmp_path, parts={}, trackers=open_trackers(with_logger("tensorboard"), tmp_path / "logs"))
    run.restore()
    run.log(1, {"outcome/mean": 0.25}, stage="only")
    run.log(2, {"outcome/mean": 0.5}, stage="only")
    run.close()

    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("outcome/mean")] == [(1, 0.25), (2, 0.5)]


@needs_tensorboard
def test_auto_is_tensorboard_where_it_is_installed(tmp_path):
    (tracker,) = open_trackers(with_logger("auto"), tmp_path)
    tracker.begin(kept=-1)
    tracker.close()
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_without_tensorboard_auto_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert open_trackers(with_logger("auto"), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def with_logger(*names):
    return Config.model_validate({"trainer": {"logger": list(names)}})
