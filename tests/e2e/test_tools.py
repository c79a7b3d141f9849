"""The plain tools: phantom, tiny, graph."""

import json

import pytest
from PIL import Image
from processes import radrl
from small_world import lines


def test_a_phantom_world_holds_as_many_questions_as_were_asked_for(world):
    assert {split: len(lines(world.folder / f"{split}.jsonl")) for split in ("train", "val", "test")} == {
        "train": 40,
        "val": 8,
        "test": 8,
    }
    assert not (world.folder / "ood.jsonl").exists()
    for row in lines(world.folder / "train.jsonl"):
        with Image.open(world.folder / row["images"][0]) as film:
            assert film.size == (32, 32)
    patients = {
        split: {row["patient_id"] for row in lines(world.folder / f"{split}.jsonl")} for split in ("train", "test")
    }
    assert patients["train"].isdisjoint(patients["test"])


def test_a_contact_sheet_alone_writes_no_questions(tmp_path):
    none = [part for split in ("--train", "--val", "--test", "--ood") for part in (split, "0")]
    ended = radrl(
        "phantom", *none, "--size", "48", "--findings", "cardiomegaly", "--sheet", "sheet.png", folder=tmp_path
    )
    assert ended.code == 0, ended.output
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000
        darkest, brightest = sheet.convert("L").getextrema()
        assert brightest - darkest > 200


def test_a_world_in_the_other_layout_trains_as_well(world, tmp_path):
    size = ("--size", "32", "--difficulty", "0", "--style", "short", "--kinds", "presence=1")
    splits = ("--train", "8", "--val", "0", "--test", "0", "--ood", "0")
    drawn = radrl("phantom", "other", *splits, *size, "--layout", "chex_phi4mm", folder=tmp_path)
    assert drawn.code == 0, drawn.output
    settings = world.supervised(data__train_files="other/train.json", data__layout="chex_phi4mm", trainer__max_steps=1)
    ended = radrl("sft", *settings, folder=tmp_path)
    assert ended.code == 0, ended.output


def test_a_misspelt_finding_is_refused_with_the_nearest(tmp_path):
    ended = radrl("phantom", "p", "--findings", "cardiomegali", folder=tmp_path)
    assert (ended.code, ended.output) == (
        2,
        "error: 'cardiomegali' in findings is not known. Did you mean 'cardiomegaly'?\n",
    )


def test_a_tiny_model_is_an_ordinary_folder_and_an_existing_one_is_not_overwritten(world):
    names = {path.name for path in world.untrained.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "processor_config.json"} <= names
    ended = radrl("tiny", "--out", str(world.untrained), folder=world.folder)
    assert ended.code == 2
    assert f"{world.untrained} is not empty" in ended.output


def test_a_tiny_model_of_sizes_that_do_not_fit_is_refused(tmp_path):
    ended = radrl("tiny", "--out", "m", "--hidden-size", "100", folder=tmp_path)
    assert (ended.code, "hidden_size is 100, which is not a multiple of 64. Use 64." in ended.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "args"),
    [
        ("plain.txt", "Small left pleural effusion.\nNo pneumothorax.\n", []),
        (
            "rows.jsonl",
            '{"explanation": "Small left pleural effusion."}\n{"explanation": "No pneumothorax."}\n',
            ["--field", "explanation"],
        ),
    ],
)
def test_every_line_becomes_one_graph_in_order(tmp_path, name, content, args):
    (tmp_path / name).write_text(content)

    shown = radrl("graph", name, *args, folder=tmp_path)
    written = radrl("graph", name, *args, "--out", "graphs.jsonl", folder=tmp_path)

    assert (shown.code, written.code) == (0, 0)
    assert shown.output == (tmp_path / "graphs.jsonl").read_text()
    first, second = (json.loads(line) for line in shown.output.splitlines())
    assert ["pleural effusion", "located_at", "left pleural space", "present"] in first["triplets"]
    assert (first["labels"]["pleural effusion"], second["labels"]["pneumothorax"]) == ("present", "absent")
    assert set(first) == {"entities", "relations", "triplets", "labels"}


def test_a_graph_of_a_missing_file_or_field_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"impression": "Normal."}\n')
    missing = radrl("graph", "gone.txt", folder=tmp_path)
    wrong = radrl("graph", "rows.jsonl", folder=tmp_path)
    assert (missing.code, missing.output) == (
        2,
        "error: gone.txt is not a file. Give a file of plain lines, JSON lines or a JSON list, or - for input.\n",
    )
    assert wrong.code == 2
    assert "line 1 of rows.jsonl has no text to read" in wrong.output
    assert "--field" in wrong.output


def test_a_report_of_an_empty_folder_is_refused(tmp_path):
    ended = radrl("report", ".", folder=tmp_path)
    assert ended.code == 2
    assert "there is nothing to report" in ended.output


def test_no_command_is_the_help_and_an_unknown_one_is_refused(tmp_path):
    assert "Usage: radrl" in radrl(folder=tmp_path).output
    unknown = radrl("trian", folder=tmp_path)
    assert unknown.code == 2
    assert "No such command" in unknown.output
