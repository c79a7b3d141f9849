"""What a user can get wrong ends with exit code 2 and a sentence that says what to mend, never with a traceback."""

import json
from pathlib import Path

import pytest
from processes import radrl
from small_world import RUN, World, lines


def refused(*args: str, folder: Path) -> str:
    """The sentence after `error:`, of a command that ends with code 2 and without a traceback."""
    ended = radrl(*args, folder=folder)
    assert ended.code == 2, ended.output
    assert "Traceback" not in ended.output
    _, mark, sentence = ended.output.partition("error: ")
    assert mark, ended.output
    return sentence.strip()


def rows_with(world: World, folder: Path, *, line: int, **fields: object) -> Path:
    """The world's training rows, one of them changed; a field given as None is taken out."""
    rows = lines(world.folder / "train.jsonl")
    for row in rows:
        row["images"] = [str(world.folder / image) for image in row["images"]]
    changed = {**rows[line - 1], **fields}
    rows[line - 1] = {name: value for name, value in changed.items() if value is not None}
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_row_48_an_unknown_key_is_refused_with_its_origin_and_the_nearest_key(world, tmp_path):
    sentence = refused("train", *world.training(), "worker.actor.optim.lrr=1e-6", folder=tmp_path)
    assert sentence == ("unknown key worker.actor.optim.lrr (from command line). Did you mean worker.actor.optim.lr?")
    assert list(tmp_path.iterdir()) == []


def test_row_48_a_value_of_the_wrong_type_is_refused_with_what_is_wanted(world, tmp_path):
    sentence = refused("train", *world.training(worker__rollout__n="many"), folder=tmp_path)
    assert "worker.rollout.n is 'many' (from command line)" in sentence
    assert "valid integer" in sentence


@pytest.mark.parametrize("command", ["train", "sft"])
def test_a_missing_data_file_is_named_with_its_key(world, tmp_path, command):
    sentence = refused(command, *world.training(data__train_files="gone.jsonl"), folder=tmp_path)
    assert "data.train_files" in sentence
    assert f"gone.jsonl does not exist. Correct the path; relative ones start from {tmp_path}" in sentence


def test_a_missing_model_is_named_with_its_key(world, tmp_path):
    sentence = refused("train", *world.training(worker__actor__model__model_path="./gone"), folder=tmp_path)
    assert "worker.actor.model.model_path = ./gone (from command line) does not exist" in sentence


def test_a_malformed_line_is_named_by_file_and_number(world, tmp_path):
    path = rows_with(world, tmp_path, line=1)
    content = path.read_text().splitlines()
    path.write_text("\n".join([*content[:6], content[6][:-9], *content[7:]]))

    sentence = refused("train", *world.training(data__train_files=path), folder=tmp_path)

    assert sentence.startswith(f"{path}:7 is not JSON")
    assert "Mend or delete the line." in sentence


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"prompt": None, "question": "?"}, ["field 'prompt' is missing", "data.prompt_key"]),
        ({"prompt": 7}, ["field 'prompt' is 7, which is not a text"]),
        ({"images": 7}, ["field 'images' is 7, which is not a path, bytes, base64"]),
        ({"answer_set": ["perhaps"]}, ["'perhaps'", "answer"]),
    ],
)
def test_a_wrong_field_is_named_by_file_line_and_field(world, tmp_path, fields, parts):
    path = rows_with(world, tmp_path, line=3, **fields)
    sentence = refused("train", *world.training(data__train_files=path), folder=tmp_path)
    assert sentence.startswith(f"{path}:3")
    assert all(part in sentence for part in parts), sentence


def test_an_empty_file_is_named(world, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    sentence = refused("train", *world.training(data__train_files="empty.jsonl"), folder=tmp_path)
    assert sentence == "data file empty.jsonl is empty. Write it again, or leave it out."


def test_a_missing_image_is_named_with_the_row_that_names_it(world, tmp_path):
    path = rows_with(world, tmp_path, line=5, images=["gone.png"])
    sentence = refused("train", *world.training(data__train_files=path), folder=tmp_path)
    assert f"{path}:5" in sentence
    assert f"{tmp_path / 'gone.png'} does not exist" in sentence


def test_a_broken_png_is_named_with_the_row_that_names_it(world, tmp_path):
    film = next((world.folder / "images").glob("*.png")).read_bytes()
    (tmp_path / "broken.png").write_bytes(film[: len(film) // 2])
    path = rows_with(world, tmp_path, line=5, images=["broken.png"])
    sentence = refused("train", *world.training(data__train_files=path), folder=tmp_path)
    assert f"{path}:5" in sentence
    assert f"{tmp_path / 'broken.png'} is not an image that can be decoded" in sentence


def test_a_changed_configuration_in_an_existing_run_is_refused_with_the_keys(world, undisturbed):
    folder = undisturbed.parents[2]
    before = {path: path.read_bytes() for path in undisturbed.rglob("*") if path.is_file()}
    changed = world.training(trainer__seed=7, worker__actor__optim__lr=1e-5)

    sentence = refused("train", *changed, folder=folder)

    assert sentence.startswith(
        f"the run in {RUN} was started with other values of trainer.seed, worker.actor.optim.lr."
    )
    assert "trainer.fresh=true" in sentence
    assert {path: path.read_bytes() for path in undisturbed.rglob("*") if path.is_file()} == before


def test_a_run_folder_that_cannot_be_made_is_named(world, tmp_path):
    (tmp_path / "file").write_text("")
    sentence = refused("train", *world.training(trainer__save_checkpoint_path="file/run"), folder=tmp_path)
    assert "the run folder file/run cannot be written" in sentence
    assert "trainer.save_checkpoint_path" in sentence


def test_evaluation_refuses_bad_input_in_the_same_way(world, tmp_path):
    sentence = refused("evaluate", f"model={world.warm}", "data=gone.jsonl", "out=e", folder=tmp_path)
    assert "gone.jsonl does not exist" in sentence


def test_zero_variance_everywhere_saves_and_ends_with_code_3(world, tmp_path):
    """The untrained model gets every question wrong, so that no group has any spread."""
    command = ["train", *world.training(worker__actor__model__model_path=world.untrained, trainer__val_freq=-1)]
    for _ in range(2):
        ended = radrl(*command, "trainer.val_before_train=false", folder=tmp_path)
        assert ended.code == 3
        assert "step 1: none of 16 groups has a mean outcome between 0.01 and 0.99" in ended.output
        assert "The state is saved." in ended.output
        assert "Traceback" not in ended.output
        assert [path.name for path in (tmp_path / RUN / "checkpoints").glob("global*")] == ["global_step_0"]
