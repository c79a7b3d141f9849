import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.errors import ConfigError, DataError
from radrl.phantom.command import phantom, read_kinds
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld
from radrl.types import AnswerKind, Sample

WORLD = PhantomWorld(seed=1, size_px=48, difficulty=0.1, style="short")


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_world_has_the_same_bytes_in_another_process_and_on_two_workers(tmp_path: Path):
    export(WORLD, tmp_path / "here", splits={"train": 30, "test": 10})
    script = tmp_path / "elsewhere.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom radrl.phantom.export import export\n"
        "from radrl.phantom.world import PhantomWorld\n"
        "if __name__ == '__main__':\n"
        "    world = PhantomWorld(seed=1, size_px=48, difficulty=0.1, style='short')\n"
        "    export(world, Path(sys.argv[1]), splits={'train': 30, 'test': 10}, num_workers=2)\n"
    )
    subprocess.run([sys.executable, str(script), str(tmp_path / "there")], check=True, env={"PYTHONHASHSEED": "77"})
    assert _digest(tmp_path / "here") == _digest(tmp_path / "there")


def test_a_larger_export_begins_with_the_smaller_one(tmp_path: Path):
    small = export(WORLD, tmp_path / "small", splits={"train": 10})["train"]
    large = export(WORLD, tmp_path / "large", splits={"train": 25})["train"]
    assert _rows(large)[:10] == _rows(small)
    assert len(_rows(large)) == 25


def test_both_layouts_load_as_the_same_samples(tmp_path: Path):
    cx_mind = export(WORLD, tmp_path / "a", splits={"train": 40})["train"]
    chex = export(WORLD, tmp_path / "b", splits={"train": 40}, layout="chex_phi4mm")["train"]
    annotations = tmp_path / "b" / "annotations" / "train.json"
    read = [
        load_samples([str(cx_mind)], DataConfig()),
        load_samples([str(chex)], DataConfig(layout="chex_phi4mm")),
        load_samples([str(annotations)], DataConfig(layout="chex_phi4mm", image_dir=str(tmp_path / "b" / "images"))),
    ]
    first, second, third = ([_essence(sample) for sample in samples] for samples in read)
    assert first == second == third


def _essence(sample: Sample) -> tuple[object, ...]:
    return (
        sample.id,
        sample.patient_id,
        sample.kind,
        sample.question,
        sample.images[0].sha256,
        sample.answer,
        sample.answer_kind,
        sample.reference,
        sample.options,
        sample.triplets,
        sample.boxes,
    )


def test_rows_hold_the_gold_answer_as_a_set_in_the_form_of_its_kind(tmp_path: Path):
    path = export(WORLD, tmp_path, splits={"train": 60})["train"]
    samples = load_samples([str(path)], DataConfig())
    assert {sample.kind for sample in samples} >= {"presence", "closed", "open", "list"}
    for sample in samples:
        if sample.answer_kind is AnswerKind.YES_NO:
            assert sample.answer in ({"yes"}, {"no"})
        elif sample.answer_kind is AnswerKind.CHOICE:
            assert len(sample.answer) == 1


def test_under_reporting_changes_references_and_neither_answers_nor_graphs(tmp_path: Path):
    world = PhantomWorld(seed=1, size_px=48, difficulty=0.1, style="short", under_report=0.6)
    true = _rows(export(WORLD, tmp_path / "true", splits={"train": 60})["train"])
    dropped = _rows(export(world, tmp_path / "dropped", splits={"train": 60})["train"])
    keys = ("id", "prompt", "answer_set", "triplets", "boxes", "options")
    assert [[row[key] for key in keys] for row in true] == [[row[key] for key in keys] for row in dropped]
    assert sum(a["answer"] != b["answer"] for a, b in zip(true, dropped, strict=True)) > 10


def test_twins_differ_in_one_fact_and_mostly_inside_its_box(tmp_path: Path):
    world = PhantomWorld(seed=2, size_px=64, difficulty=0.1, twins=True, kinds={"presence": 1.0})
    path = export(world, tmp_path, splits={"train": 25})["train"]
    rows = {row["id"]: row for row in _rows(path)}
    scenes = {row["study_id"]: row for row in _rows(tmp_path / "scenes" / "train.jsonl")}
    pairs = [
        (row, rows[row["twin_id"]]) for row in rows.values() if row["twin_id"] and not row["study_id"].endswith("t")
    ]
    assert len(pairs) >= 15
    for row, twin in pairs:
        facts = [scenes[side["study_id"]]["findings"] for side in (row, twin)]
        longer, shorter = sorted(facts, key=len, reverse=True)
        extra = [fact for fact in longer if fact not in shorter]
        assert len(extra) == 1
        assert len(longer) == len(shorter) + 1
        assert {row["answer_set"][0], twin["answer_set"][0]} == {"yes", "no"}
        assert _share_inside(tmp_path, row, twin, boxes=extra[0]["boxes"]) >= 0.9


def _share_inside(folder: Path, row: dict, twin: dict, *, boxes: list[dict]) -> float:
    first, second = (np.asarray(Image.open(folder / side["images"][0]), dtype=float) for side in (row, twin))
    change = np.abs(first - second)
    mask = np.zeros(change.shape, dtype=bool)
    for box in boxes:
        x0, y0, x1, y1 = (round(change.shape[0] * box[corner]) for corner in ("x0", "y0", "x1", "y1"))
        mask[y0:y1, x0:x1] = True
    return float(change[mask].sum() / change.sum())


def test_every_row_has_its_image_and_every_image_its_scene(tmp_path: Path):
    path = export(WORLD, tmp_path, splits={"train": 20})["train"]
    images = {row["images"][0] for row in _rows(path)}
    assert images == {f"images/{file.name}" for file in (tmp_path / "images").iterdir()}
    assert images == {row["image"] for row in _rows(tmp_path / "scenes" / "train.jsonl")}
    assert {Image.open(tmp_path / image).size for image in images} == {(48, 48)}


def test_splits_share_no_patient_on_disk(tmp_path: Path):
    files = export(WORLD, tmp_path, splits={"train": 20, "val": 20, "test": 20, "ood": 20})
    patients = [{row["patient_id"] for row in _rows(path)} for path in files.values()]
    assert sum(len(group) for group in patients) == len(set().union(*patients))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": {"dev": 5}}, "split 'dev' is not known"),
        ({"splits": {"train": -1}}, "must be at least 1"),
        ({"splits": {}}, "no split was asked for"),
        ({"layout": "coco"}, "known layouts are cx_mind, chex_phi4mm"),
        ({"num_workers": 0}, "num_workers is 0"),
    ],
)
def test_an_export_that_cannot_be_says_why(tmp_path: Path, changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        export(WORLD, tmp_path, **{"splits": {"train": 5}, **changes})


def test_an_ood_split_needs_a_finding_with_zones(tmp_path: Path):
    world = PhantomWorld(size_px=48, findings=("cardiomegaly", "pneumothorax"))
    with pytest.raises(ConfigError, match="Add consolidation"):
        export(world, tmp_path, splits={"ood": 5})


def test_a_world_too_faint_to_ask_about_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("radrl.phantom.export._MAX_DRY_PATIENTS", 10)
    world = PhantomWorld(size_px=32, findings=("fracture",), difficulty=1.0, kinds={"closed": 1.0})
    with pytest.raises(DataError, match="Lower the difficulty"):
        export(world, tmp_path, splits={"train": 5})


def test_the_command_writes_the_world_and_a_sheet(tmp_path: Path):
    files = phantom(
        tmp_path, train=5, val=0, test=3, ood=0, size_px=48, kinds=("presence=1",), sheet=tmp_path / "sheet.png"
    )
    assert {split: len(_rows(path)) for split, path in files.items()} == {"train": 5, "test": 3}
    width, height = Image.open(tmp_path / "sheet.png").size
    assert width > 1000
    assert height > 1000


def test_the_command_can_draw_the_sheet_alone(tmp_path: Path):
    options = {"train": 0, "val": 0, "test": 0, "ood": 0, "size_px": 32, "findings": ("pneumothorax",)}
    assert phantom(tmp_path / "world", sheet=tmp_path / "sheet.png", **options) == {}
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trace": "zigzag"}, "'zigzag' in trace is not known"),
        ({"style": "terse"}, "'terse' in style is not known"),
        ({"kinds": ("open",)}, "KIND=SHARE"),
        ({"more_knobs": ("max_study=1",)}, "knob 'max_study=1' does not read as KNOB=VALUE with one of normal_share"),
        ({"more_knobs": ("zoned_options=no",)}, "knob 'zoned_options=no' does not read as"),
    ],
)
def test_the_command_refuses_words_it_does_not_know(tmp_path: Path, options: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        phantom(tmp_path, **options)


def test_further_knobs_of_the_world_are_read_from_texts(tmp_path: Path):
    knobs = ("max_studies=1", "severities=3", "uncertain_share=0", "zoned_options=false", "normal_share=0")
    files = phantom(
        tmp_path, train=8, val=0, test=0, ood=0, size_px=48, difficulty=0.0, kinds=("closed=1",), more_knobs=knobs
    )
    rows = _rows(files["train"])
    assert len({row["patient_id"] for row in rows}) == 8
    assert not any("zone" in row["prompt"] for row in rows)
    scenes = _rows(tmp_path / "scenes" / "train.jsonl")
    assert {finding["severity"] for scene in scenes for finding in scene["findings"]} == {3}


def test_a_trace_may_be_the_answer_alone(tmp_path: Path):
    files = phantom(tmp_path, train=4, val=0, test=0, ood=0, size_px=48, kinds=("presence=1",), trace="answer")
    assert {row["answer"] for row in _rows(files["train"])} <= {"<answer>yes</answer>", "<answer>no</answer>"}


def test_kinds_are_read_from_texts():
    assert read_kinds(("presence=0.5", "open=1")) == {"presence": 0.5, "open": 1.0}
