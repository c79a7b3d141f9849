"""Spec rows 1, 2 and 8: the recipes' own folders are read as they lie, under the names that their rows have."""

import json

import pytest
from rows import closed_row, write_image, write_rows

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.errors import DataError
from radrl.types import AnswerKind

CHEX = DataConfig(layout="chex_phi4mm")
TRACE = "<think>fluid at the left base</think><answer>pleural effusion</answer>"


@pytest.fixture
def data(tmp_path):
    """CheX-Phi4MM's `data/`: annotations by set and by evaluation file, and the films in `images/`."""
    root = tmp_path / "data" / "MIMIC-VQA-CoT"
    for stem in ("f1", "f2", "f3"):
        write_image(root / "images", f"{stem}.png", shade=ord(stem[1]))
    for task, rows in {
        "test_basic_vqa": [annotation("b1", "Yes", ["f1"]), annotation("b2", ["Edema", "Effusion"], ["f2"])],
        "test_compare_vqa": [annotation("c1", [], ["f1", "f2"])],
        "test_region_vqa": [annotation("r1", "no", ["f3"])],
    }.items():
        write(root / "annotations" / "eval" / f"{task}.json", rows)
    for policy in ("uniform", "random", "hard_uniform", "hard_random"):
        rows = [annotation(f"{policy}-{n}", "no", ["f3"]) for n in (1, 2)]
        write(root / "annotations" / policy / "sample_2.json", rows)
    return root


def annotation(name, answer, image_ids, **changes):
    return {
        "question": "Is there an effusion?", "answer": answer, "explanation": TRACE, "image_ids": image_ids,
        "idx": name, "subject_id": 10000032, "study_id": 50414267, "semantic_type": "verify",
        "question_type": "presence_of", "answer_type": "closed", "is_correct": False, **changes,
    }  # fmt: skip


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def test_row_1_annotations_find_their_films_in_the_images_folder_beside_them(data):
    samples = load_samples([str(data / "annotations" / "hard_uniform")], CHEX)
    assert [sample.id for sample in samples] == ["hard_uniform-1", "hard_uniform-2"]
    assert {image.path for sample in samples for image in sample.images} == {str(data / "images" / "f3.png")}


def test_row_1_the_evaluation_folder_is_its_test_files_with_one_film_or_two_and_one_answer_or_a_list(data):
    samples = {sample.id: sample for sample in load_samples([f"{data / 'annotations' / 'eval'}@test"], CHEX)}
    assert {name: len(sample.images) for name, sample in samples.items()} == {"b1": 1, "b2": 1, "c1": 2, "r1": 1}
    assert (samples["b1"].answer, samples["b1"].answer_kind) == ({"yes"}, AnswerKind.YES_NO)
    assert samples["b2"].answer == {"edema", "pleural effusion"}
    assert (samples["c1"].answer, samples["c1"].question) == (frozenset(), "<image><image>Is there an effusion?")
    assert (samples["r1"].patient_id, samples["r1"].study_id, samples["r1"].reference) == (
        "10000032",
        "50414267",
        TRACE,
    )


def test_row_1_what_else_an_annotation_says_stays_with_it(data):
    sample = load_samples([str(data / "annotations" / "uniform")], CHEX)[0]
    assert sample.columns == {
        "semantic_type": "verify", "question_type": "presence_of", "answer_type": "closed", "is_correct": False,
    }  # fmt: skip


def test_an_image_folder_that_is_given_stands_over_the_one_beside_the_annotations(data, tmp_path):
    write_image(tmp_path / "other", "f3.png")
    config = DataConfig(layout="chex_phi4mm", image_dir=str(tmp_path / "other"))
    sample = load_samples([str(data / "annotations" / "uniform")], config)[0]
    assert sample.images[0].path == str(tmp_path / "other" / "f3.png")


def test_an_annotation_without_its_film_names_file_row_and_field(data):
    path = data / "annotations" / "uniform" / "more.json"
    write(path, [annotation("x", "no", ["f1"]), annotation("y", "no", ["f9"])])
    with pytest.raises(DataError, match=r"more\.json:2: field 'image_ids': image .*images/f9\.png does not exist"):
        load_samples([str(path)], CHEX)


def test_row_2_both_forms_of_training_items_are_read_with_films_in_any_form(data, tmp_path):
    """The builder's form, with a solution, and that of the README, with an assistant's turn and one image in base64."""
    uri = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    user = {"role": "user", "content": "What has changed?"}
    films = [str(data / "images" / f"{stem}.png") for stem in ("f1", "f2")]
    built = {"images": films, "messages": [user], "solution": TRACE, "idx": 1, "answer": ["effusion"]}
    readme = {
        "image": uri, "messages": [user, {"role": "assistant", "content": TRACE}], "question": "What has changed?",
        "answer": "effusion", "idx": 2,
    }  # fmt: skip
    first, second = load_samples([write_rows(tmp_path, [built, readme])], CHEX)
    assert [len(first.images), len(second.images)] == [2, 1]
    assert first.reference == second.reference == TRACE
    assert first.answer == second.answer == {"pleural effusion"}


def test_cx_mind_s_evaluation_folders_are_read_by_task(tmp_path):
    """`data/stage2/test/disease_qa_m` and its like hold turns; the word test in the path above them is no split."""
    folder = tmp_path / "data" / "stage2" / "test" / "disease_qa_m"
    write_image(folder)
    turns = [{"role": "user", "content": "<image>Which?"}, {"role": "assistant", "content": TRACE}]
    write_rows(folder, [{"id": "q1", "messages": turns, "images": ["a.png"]}], "part0.jsonl")
    (sample,) = load_samples([str(folder)], DataConfig())
    assert (sample.id, sample.answer) == ("q1", {"pleural effusion"})


def test_row_8_every_field_of_a_row_may_have_another_name(tmp_path):
    """CX-Mind's config.yaml calls the question `problem`."""
    write_image(tmp_path, "b.png")
    row = {"problem": "Which?", "gold": "edema", "films": "b.png", "clips": None, "images": "not read", "videos": ["x"]}
    config = DataConfig(prompt_key="problem", answer_key="gold", image_key="films", video_key="clips")
    (sample,) = load_samples([write_rows(tmp_path, [row])], config)
    assert (sample.question, sample.reference, len(sample.images)) == ("<image>Which?", "edema", 1)
    assert sample.columns == {"images": "not read", "videos": ["x"]}


def test_row_8_a_wrong_name_of_a_field_names_the_key_to_set(tmp_path):
    write_image(tmp_path)
    source = write_rows(tmp_path, [closed_row()])
    with pytest.raises(DataError, match=r"rows\.jsonl:1: field 'problem' is missing.*set data\.prompt_key"):
        load_samples([source], DataConfig(prompt_key="problem"))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: .*but the row has 0 images"):
        load_samples([source], DataConfig(image_key="films"))
