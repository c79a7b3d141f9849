"""Row 73: console, tensorboard, wandb, mlflow and swanlab behind one protocol, and row 74: generations to each."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from fake_trackers import FAKES, fake_mlflow, fake_swanlab, fake_wandb
from PIL import Image

from radrl.config.schema import Config
from radrl.errors import ConfigError
from radrl.generations import Generation
from radrl.run import Run
from radrl.trackers.mlflow import flat
from radrl.trackers.open import BACKENDS, open_trackers
from radrl.trackers.tensorboard import as_markdown
from radrl.types import ImageRef

REMOTE = sorted(FAKES)


def a_config(*names, **trainer):
    trainer = {"project_name": "cx", "experiment_name": "open", "val_generations_to_log": 2, **trainer}
    return Config.model_validate({"trainer": {"logger": list(names), **trainer}})


def a_run(folder, *names, **trainer):
    run = Run(folder, parts={}, trackers=open_trackers(a_config(*names, **trainer), folder / "logs"))
    run.restore()
    return run


def a_generation(number=1, *, images=()):
    return Generation(
        input=f"<image>Is there an effusion, {number}?", output="yes", label="no", score=0.5, images=images
    )


def told(name, fake):
    """(step, names) of every call that told the remote run numbers or generations."""
    if name == "mlflow":
        (run,) = fake.server.runs.values()
        return [(step, key) for step, key, _ in run.metrics]
    return [(step, key) for run in fake.runs for step, data in run.logged for key in data]


@pytest.mark.parametrize("name", REMOTE)
def test_row_73_metrics_go_to_each_remote_tracker_under_project_experiment_and_configuration(
    name, tmp_path, monkeypatch
):
    fake = FAKES[name](monkeypatch)

    run = a_run(tmp_path, name)
    run.log(1, {"outcome/mean": 0.25, "reward/a+b/mean": 1.0}, stage="only")
    run.close()

    if name == "mlflow":
        (remote,) = fake.server.runs.values()
        assert (remote.name, fake.server.experiments) == ("open", {"cx": "e0"})
        assert remote.params["trainer.seed"] == "1"
        # MLflow has no room for a plus sign in a name.
        assert remote.metrics == [(1, "outcome/mean", 0.25), (1, "reward/a_b/mean", 1.0)]
        assert remote.status == "FINISHED"
    else:
        (remote,) = fake.runs
        assert (remote.opened["project"], remote.opened["name"]) == ("cx", "open")
        assert remote.opened["config"]["trainer"]["seed"] == 1
        assert remote.logged == [(1, {"outcome/mean": 0.25, "reward/a+b/mean": 1.0})]
        assert remote.num_finished == 1


@pytest.mark.parametrize("name", REMOTE)
def test_row_73_a_resumed_run_goes_on_with_its_remote_run_and_repeats_nothing(name, tmp_path, monkeypatch):
    fake = FAKES[name](monkeypatch)
    first = a_run(tmp_path, name)
    first.log(1, {"a": 1.0}, stage="only")
    first.log(2, {"a": 2.0}, stage="only")
    first.close()

    # Nothing was saved, so the same command begins at step 1 again; the validation of step 2 had not been told yet.
    second = a_run(tmp_path, name)
    for step in (1, 2):
        second.log(step, {"a": float(step)}, stage="only")
    second.log(2, {"val/reward_score": 0.5}, stage="only")
    second.log(3, {"a": 3.0}, stage="only")
    second.close()

    assert told(name, fake) == [(1, "a"), (2, "a"), (2, "val/reward_score"), (3, "a")]
    if name != "mlflow":
        assert fake.runs[0].opened["id"] == fake.runs[1].opened["id"]
        assert {run.opened["resume"] for run in fake.runs} == {"allow"}
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 2, 3]


@pytest.mark.parametrize("name", REMOTE)
def test_text_and_images_stay_here_unless_they_are_asked_for(name, tmp_path, monkeypatch, caplog):
    fake = FAKES[name](monkeypatch)

    run = a_run(tmp_path, name, log_images=True)
    run.show(1, [a_generation(images=(an_image(tmp_path),))], stage="only")
    run.close()

    assert told(name, fake) == []
    if name == "mlflow":
        assert fake.server.runs["r0"].artifacts == {}
    assert "patient text" not in caplog.text
    assert "Is there an effusion, 1?" in (tmp_path / "generation_samples.txt").read_text()


def test_row_74_generations_that_are_asked_for_are_a_table_of_wandb_and_it_is_said_once_where_they_go(
    tmp_path, monkeypatch, caplog
):
    fake = fake_wandb(monkeypatch)

    run = a_run(tmp_path, "wandb", log_text=True)
    run.show(1, [a_generation(1, images=(an_image(tmp_path),)), a_generation(2)], stage="only")
    run.show(2, [a_generation(1)], stage="only")

    (step, data), (later, _) = fake.runs[0].logged
    assert (step, later) == (1, 2)
    assert data["val/generations"].rows == [
        {"input": "<image>Is there an effusion, 1?", "output": "yes", "label": "no", "score": 0.5},
        {"input": "<image>Is there an effusion, 2?", "output": "yes", "label": "no", "score": 0.5},
    ]
    assert set(data) == {"val/generations"}
    said = [record.getMessage() for record in caplog.records if "patient text" in record.getMessage()]
    (line,) = said
    assert line == (
        "trainer.log_text: questions and completions of validations, which may hold patient text, go to wandb, "
        f"offline, in {tmp_path / 'logs'}"
    )


def test_row_74_images_that_are_asked_for_name_their_row_of_the_table(tmp_path, monkeypatch):
    fake = fake_wandb(monkeypatch)

    run = a_run(tmp_path, "wandb", log_text=True, log_images=True)
    run.show(1, [a_generation(1), a_generation(2, images=(an_image(tmp_path),))], stage="only")

    assert fake.runs[0].logged[0][1]["val/generations/images"] == [("row 2", (6, 4))]


def test_row_74_generations_are_texts_of_swanlab_with_images_where_those_are_asked_for_too(
    tmp_path, monkeypatch, caplog
):
    fake = fake_swanlab(monkeypatch)

    run = a_run(tmp_path, "swanlab", log_text=True, log_images=True)
    run.show(3, [a_generation(images=(an_image(tmp_path),))], stage="only")

    text = "input:\n<image>Is there an effusion, 1?\n\noutput:\nyes\n\nlabel:\nno"
    assert fake.runs[0].logged == [
        (3, {"val/generations": [(text, "score 0.5")]}),
        (3, {"val/generations/images": [("text 1", (6, 4))]}),
    ]
    assert "with their radiographs" in caplog.text


def test_row_74_generations_are_artifacts_of_mlflow(tmp_path, monkeypatch):
    fake = fake_mlflow(monkeypatch)

    run = a_run(tmp_path, "mlflow", log_text=True, log_images=True)
    run.show(3, [a_generation(images=(an_image(tmp_path),))], stage="only")

    assert fake.server.runs["r0"].artifacts == {
        "val/generations/step_3.json": {
            "step": 3,
            "generations": [{"input": "<image>Is there an effusion, 1?", "output": "yes", "label": "no", "score": 0.5}],
        },
        "val/generations/step_3/1_1.png": ("image", (6, 4)),
    }


def an_image(folder):
    Image.new("RGB", (6, 4)).save(folder / "film.png")
    return ImageRef(path=str(folder / "film.png"), sha256="0")


@pytest.mark.parametrize("name", ["wandb", "swanlab"])
def test_what_a_process_prints_and_its_code_do_not_leave_with_the_metrics(name, tmp_path, monkeypatch):
    fake = FAKES[name](monkeypatch)
    a_run(tmp_path, name)
    settings = fake.runs[0].opened["settings"]
    if name == "wandb":
        assert (settings.console, settings.save_code, settings.disable_code) == ("off", False, True)
        assert settings.disable_git is True
    else:
        assert settings.terminal.proxy_type == "none"
        assert settings.interactive is False


def test_a_tracker_that_fails_is_warned_about_once_counted_and_left_alone_for_longer_each_time(
    tmp_path, monkeypatch, caplog
):
    fake = fake_wandb(monkeypatch)
    run = a_run(tmp_path, "wandb")
    tried = []

    def broken(data, *, step):
        tried.append(step)
        raise fake.Error("the network is gone")

    fake.runs[0].log = broken
    for step in range(1, 9):
        run.log(step, {"a": 1.0}, stage="only")

    # One call is left out after the first failure, three after the second one, by when three had come to nothing.
    assert tried == [1, 3, 7]
    assert caplog.text.count("wandb fails: Error: the network is gone") == 1
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line.get("tracker/wandb/failed", 0.0) for line in lines] == [0.0, *map(float, range(1, 8))]


def test_what_a_failing_tracker_was_not_told_is_told_after_a_resumption(tmp_path, monkeypatch):
    fake = fake_wandb(monkeypatch)
    run = a_run(tmp_path, "wandb")
    working = fake.runs[0].log
    fake.runs[0].log = lambda data, *, step: (_ for _ in ()).throw(fake.Error("gone"))
    run.log(1, {"a": 1.0}, stage="only")
    fake.runs[0].log = working

    a_run(tmp_path, "wandb").log(1, {"a": 1.0}, stage="only")

    assert told("wandb", fake) == [(1, "a")]


def test_a_tracker_that_fails_to_close_does_not_end_the_run(tmp_path, monkeypatch, caplog):
    fake = fake_wandb(monkeypatch)
    run = a_run(tmp_path, "wandb")
    fake.runs[0].finish = lambda: (_ for _ in ()).throw(fake.Error("gone"))

    run.close()

    assert "wandb fails: Error: gone" in caplog.text


def test_a_remote_run_that_cannot_be_opened_is_an_error_before_the_first_step(tmp_path, monkeypatch):
    fake_mlflow(monkeypatch)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mlflow.json").write_text('{"identity": "gone", "step": 3, "names": []}')

    with pytest.raises(ConfigError, match=r"names mlflow, which cannot be opened: MlflowException: Run 'gone' not"):
        a_run(tmp_path, "mlflow")


@pytest.mark.parametrize("name", [*REMOTE, "tensorboard"])
def test_a_tracker_whose_package_is_missing_names_the_extra_that_installs_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)

    with pytest.raises(ConfigError, match=rf"names {name}, which is not installed.*pip install 'radrl\[{name}\]'"):
        open_trackers(a_config(name), tmp_path)


def test_every_name_that_a_configuration_takes_has_a_tracker():
    annotation = Config.model_fields["trainer"].annotation.model_fields["logger"].annotation
    names = {name for part in annotation.__args__ if part is not ... for name in part.__args__}
    assert names == {*BACKENDS, "auto"}


def test_settings_are_dotted_parameters():
    assert list(flat({"data": {"files": ["a"], "empty": {}}, "seed": 1})) == [
        ("data.files", ["a"]), ("data.empty", {}), ("seed", 1),
    ]  # fmt: skip


def test_row_74_the_console_shows_a_line_a_step_and_a_table_a_validation_without_reading_markup(tmp_path, capsys):
    run = a_run(tmp_path, "console")
    run.log(4, {"outcome/mean": 0.25, "perf/total_num_tokens": 9.0, "val/reward_score": 0.5}, stage="only")
    run.show(4, [Generation(input="[bold]?", output="o" * 500, label="", score=0.25)], stage="only")

    shown = capsys.readouterr().err
    assert shown.startswith("step 4  outcome/mean 0.25  val/reward_score 0.5\n")
    assert "validation at step 4" in shown
    assert "[bold]?" in shown
    assert shown.count("o" * 10) > 0
    assert "..." in shown
    assert "0.25" in shown


def test_markdown_leaves_a_text_as_it_is():
    written = as_markdown(Generation(input="a\n# b", output="<i>", label="", score=1.0))
    assert written.startswith("**input**\n\n    a\n    # b\n\n**output**\n\n    <i>\n\n**label**")
    assert written.endswith("**score** 1")


needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed: pip install -e .[dev]"
)


@needs_tensorboard
def test_row_74_texts_and_images_are_in_tensorboards_files(tmp_path):
    run = a_run(tmp_path, "tensorboard", log_images=True)
    run.show(2, [a_generation(images=(an_image(tmp_path),))], stage="only")
    run.close()

    events = events_of(tmp_path)
    (text,) = events.Tensors("val/generations/1/text_summary")
    assert text.step == 2
    assert "Is there an effusion, 1?" in text.tensor_proto.string_val[0].decode()
    (image,) = events.Images("val/generations/1/image_1")
    assert (image.width, image.height) == (6, 4)


@needs_tensorboard
def test_row_73_steps_that_are_taken_again_stand_instead_in_tensorboard(tmp_path):
    first = a_run(tmp_path, "tensorboard")
    for step in (1, 2):
        first.log(step, {"a": 0.0}, stage="only")
    first.close()
    second = a_run(tmp_path, "tensorboard")
    second.log(1, {"a": 1.0}, stage="only")
    second.close()

    assert [(event.step, event.value) for event in events_of(tmp_path).Scalars("a")] == [(1, 1.0)]


def events_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "logs"))
    events.Reload()
    return events


# The contract: the real library takes every call that the fake takes.

OFFLINE = {
    "wandb": {"WANDB_MODE": "offline"},
    "swanlab": {"SWANLAB_MODE": "offline"},
    "mlflow": {"MLFLOW_ALLOW_FILE_STORE": "true"},
}


@pytest.mark.parametrize("name", REMOTE)
def test_the_real_library_takes_the_same_calls_offline(name, tmp_path, monkeypatch, caplog):
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'radrl[{name}]'")
    for key, value in {**OFFLINE[name], "MLFLOW_TRACKING_URI": f"file://{tmp_path / 'mlruns'}"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)

    identities = set()
    for step in (1, 2):
        run = a_run(tmp_path, name, log_text=True, log_images=True)
        run.log(step, {"outcome/mean": 0.25, "actor/grad_norm": float("nan")}, stage="only")
        run.show(step, [a_generation(images=(an_image(tmp_path),))], stage="only")
        run.close()
        assert [tracker.num_failed for tracker in run.trackers] == [0]
        identities.add(json.loads((tmp_path / "logs" / f"{name}.json").read_text())["identity"])

    assert len(identities) == 1
    assert "patient text" in caplog.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and identities & set(parts_of(path))]
    assert any(path.suffix == ".png" for path in kept), "the image is among the files of the run"


def parts_of(path: Path) -> list[str]:
    """Folders and words of a path, in which an identity may stand."""
    return [word for part in path.parts for word in part.split("-")]


@pytest.fixture(autouse=True)
def _no_run_of_a_real_library_is_left_open():
    yield
    swanlab = sys.modules.get("swanlab")
    if swanlab is not None and getattr(swanlab, "has_run", bool)():
        swanlab.finish()
