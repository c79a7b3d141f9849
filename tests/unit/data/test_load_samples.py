"""Rows of both recipes become samples; a wrong row is refused naming file, line and field."""

import pytest
from rows import closed_row, write_image, write_rows

from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.errors import ConfigError, DataError
from radrl.types import AnswerKind, Box, Triplet

CHEX = DataConfig(layout="chex_phi4mm")


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path, "a.png", shade=10)
    write_image(tmp_path, "b.png", shade=20)
    return tmp_path


def load(folder, *rows, config=None, name="rows.jsonl"):
    return load_samples([write_rows(folder, rows, name)], config or DataConfig())


def refusal(folder, row, config=None):
    with pytest.raises(DataError) as caught:
        load(folder, row, config=config)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'rows.jsonl'}:1: ")
    return message


def test_a_bare_cx_mind_row_is_read_from_its_trace(folder):
    (sample,) = load(folder, closed_row(source="x"))
    assert (sample.id, sample.patient_id, sample.kind) == ("rows-1", "rows-1", "closed")
    assert (sample.answer, sample.answer_kind) == (frozenset({"B"}), AnswerKind.CHOICE)
    assert sample.images[0].path == str(folder / "a.png")
    assert sample.columns == {"source": "x"}
    assert sample.origin == f"{folder / 'rows.jsonl'}:1"


def test_an_open_cx_mind_row_has_the_set_of_its_last_answer(folder):
    trace = "<think>t</think><answer>Edema ✅</answer><think>s</think><answer>Edema, Left effusion</answer>"
    (sample,) = load(folder, closed_row(answer=trace))
    assert (sample.kind, sample.answer_kind) == ("open", AnswerKind.SET)
    assert sample.answer == {"edema", "left pleural effusion"}


def test_optional_fields_are_taken_over(folder):
    row = closed_row(
        id="q1", patient_id="p1", study_id=7, kind="open", options=["edema"], answer_set=[], twin_id="q2",
        triplets=[["edema", "located_at", "left lung", "absent"], ["edema", "located_at", "right lung"]],
        boxes=[{"label": "edema", "x0": 0, "y0": 0.25, "x1": 0.5, "y1": 1}],
    )  # fmt: skip
    (sample,) = load(folder, row)
    assert (sample.id, sample.patient_id, sample.study_id, sample.twin_id) == ("q1", "p1", "7", "q2")
    assert (sample.kind, sample.answer_kind, sample.answer, sample.options) == (
        "open",
        AnswerKind.SET,
        frozenset(),
        ("edema",),
    )
    assert sample.triplets[0] == Triplet(head="edema", relation="located_at", tail="left lung", certainty="absent")
    assert sample.triplets[1].certainty == "present"
    assert sample.boxes == (Box(label="edema", x0=0, y0=0.25, x1=0.5, y1=1),)
    assert sample.columns == {}


@pytest.mark.parametrize(
    ("changes", "kind", "answer"),
    [
        ({"kind": "presence", "options": ["edema"], "answer_set": ["no"]}, AnswerKind.YES_NO, {"no"}),
        ({"kind": "open", "options": ["edema"], "answer_set": ["edema"]}, AnswerKind.SET, {"edema"}),
        ({"options": ["edema", "left effusion"], "answer_set": ["B"]}, AnswerKind.CHOICE, {"left pleural effusion"}),
        ({"answer_kind": "text", "answer_set": ["Portable film."]}, AnswerKind.TEXT, {"portable film"}),
        ({"answer": "no finding"}, AnswerKind.SET, set()),
    ],
)
def test_how_the_answer_is_read_follows_kind_options_and_answer(folder, changes, kind, answer):
    (sample,) = load(folder, closed_row(**changes))
    assert (sample.answer_kind, sample.answer) == (kind, answer)


def test_field_names_follow_the_configuration(folder):
    row = {"problem": "Which?", "trace": "edema", "films": "b.png"}
    config = DataConfig(prompt_key="problem", answer_key="trace", image_key="films")
    (sample,) = load(folder, row, config=config)
    assert sample.question == "<image>Which?"
    assert sample.images[0].path == str(folder / "b.png")


def test_cx_mind_evaluation_rows_are_turns(folder):
    turns = [{"role": "user", "content": "<image>Which?"}, {"role": "assistant", "content": "edema"}]
    (sample,) = load(folder, {"id": "e", "messages": turns, "images": ["a.png"]})
    assert (sample.question, sample.reference, sample.answer) == ("<image>Which?", "edema", {"edema"})


def test_relative_images_start_from_the_image_folder_when_it_is_given(folder):
    write_image(folder / "films", "c.png")
    (sample,) = load(folder, closed_row(images=["c.png"]), config=DataConfig(image_dir=str(folder / "films")))
    assert sample.images[0].path == str(folder / "films" / "c.png")


def test_marks_are_put_in_front_when_there_are_none_and_must_match_otherwise(folder):
    (sample,) = load(folder, closed_row(prompt="Compare.", images=["a.png", "b.png"]))
    assert sample.question == "<image><image>Compare."
    assert "the question has 1 <image> marks, but the row has 2 images" in refusal(
        folder, closed_row(images=["a.png", "b.png"])
    )
    assert "1 <image> marks, but the row has 0 images" in refusal(folder, closed_row(images=[]))


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"images": ["gone.png"]}, ["field 'images'", "gone.png does not exist"]),
        ({"images": [3]}, ["field 'images' is 3", "not a path, bytes, base64"]),
        ({"images": ["data:image/png;base64,iVBOR"]}, ["field 'images'", "base64"]),
        ({"prompt": None}, ["field 'prompt' is missing", "the row has prompt, answer", "set data.prompt_key"]),
        ({"prompt": 3}, ["field 'prompt' is 3", "not a text"]),
        ({"answer": ["x"]}, ["field 'answer'", "not a text"]),
        ({"answer_kind": "letter"}, ["field 'answer_kind'", "yes_no"]),
        ({"kind": "presence"}, ["cannot be read as yes_no", "answer_kind"]),
        ({"options": "edema", "id": True}, ["field 'id'", "whole number"]),
        ({"triplets": [["edema", "near", "lung"]]}, ["field 'triplets'", "located_at"]),
        ({"triplets": [["edema"]]}, ["field 'triplets'", "[head, relation, tail, certainty]"]),
        ({"boxes": [{"label": "e", "x0": 0.5, "y0": 0, "x1": 0.2, "y1": 1}]}, ["field 'boxes'", "x0 <= x1"]),
        ({"boxes": [[0, 0, 1, 1]]}, ["field 'boxes'", "label"]),
        ({"videos": ["v.mp4"]}, ["field 'videos'", "v.mp4 does not exist"]),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_the_way_out(folder, changes, parts):
    message = refusal(folder, closed_row(**changes))
    assert all(part in message for part in parts), message


def test_a_broken_image_names_row_field_and_file(folder):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    message = refusal(folder, closed_row(images=["broken.png"]))
    assert "field 'images'" in message
    assert f"{folder / 'broken.png'} is not an image" in message


def test_ids_are_unique_over_all_files(folder):
    files = [write_rows(folder, [closed_row(id="q")], name) for name in ("one.jsonl", "two.jsonl")]
    with pytest.raises(DataError, match=r"two\.jsonl:1: the id 'q' stands already at .*one\.jsonl:1"):
        load_samples(files, DataConfig())


def training_item(**changes):
    return {
        "images": ["a.png", "b.png"],
        "messages": [{"role": "user", "content": "What has changed?"}],
        "solution": "<think>less fluid</think><answer>edema</answer>",
        "idx": 12,
        "subject_id": "s9",
        "study_id": "t4",
        "answer": ["Edema", "left effusion"],
        "question_type": "difference",
        **changes,
    }


def test_a_chex_phi4mm_training_item_is_read(folder):
    (sample,) = load(folder, training_item(split="hard"), config=CHEX, name="rows.json")
    assert (sample.id, sample.patient_id, sample.study_id, sample.kind) == ("12", "s9", "t4", "difference")
    assert sample.question == "<image><image>What has changed?"
    assert sample.answer == {"edema", "left pleural effusion"}
    assert sample.reference.startswith("<think>less fluid")
    assert sample.columns["split"] == "hard"


def test_a_chex_phi4mm_item_of_the_readme_has_its_solution_in_an_assistant_turn(folder):
    row = training_item(image="a.png")
    del row["images"], row["solution"]
    row["messages"] = [*row["messages"], {"role": "assistant", "content": "No edema. It is clear."}]
    (sample,) = load(folder, row, config=CHEX)
    assert (sample.reference, len(sample.images)) == ("No edema. It is clear.", 1)


def test_a_chex_phi4mm_annotation_is_read_with_images_by_id(folder):
    row = {"question": "Is there edema?", "answer": "No", "explanation": "No. Clear.", "image_ids": ["a"], "idx": "q3"}
    (sample,) = load(folder, row, config=CHEX, name="rows.json")
    assert sample.images[0].path == str(folder / "a.png")
    assert (sample.answer_kind, sample.answer) == (AnswerKind.YES_NO, {"no"})


def test_an_empty_list_is_an_answer_and_a_missing_field_is_none(folder):
    (sample,) = load(folder, training_item(answer=[]), config=CHEX)
    assert (sample.answer, sample.answer_kind) == (frozenset(), AnswerKind.SET)
    assert "field 'answer' is missing" in refusal(folder, training_item(answer=None), CHEX)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"messages": [{"role": "system", "content": "x"}]}, "turn of the user"),
        ({"solution": None}, "turn of the assistant"),
        ({"answer": [1]}, "field 'answer'"),
        ({"images": ["a.png", "nope.png"]}, "nope.png does not exist"),
    ],
)
def test_a_wrong_chex_phi4mm_item_is_refused(folder, changes, part):
    assert part in refusal(folder, training_item(**changes), CHEX)


def test_a_format_prompt_goes_around_the_question(folder):
    template = folder / "think.jinja"
    template.write_text("{{ content | trim }}\nThink first.\n", encoding="utf-8")
    (sample,) = load(folder, closed_row(prompt="<image>Which?"), config=DataConfig(format_prompt=str(template)))
    assert sample.question == "<image>Which?\nThink first."


def test_a_format_prompt_knows_the_kind_of_question_and_may_include_its_neighbours(folder):
    (folder / "open.jinja").write_text("{{ content }} List all.", encoding="utf-8")
    (folder / "closed.jinja").write_text("{{ content }} Choose one.", encoding="utf-8")
    template = folder / "joint.jinja"
    template.write_text('{% include "open.jinja" if kind == "open" else "closed.jinja" %}', encoding="utf-8")
    config = DataConfig(format_prompt=str(template))
    for kind, asked in (("open", "Which? List all."), ("closed", "Which? Choose one.")):
        (sample,) = load(folder, closed_row(prompt="<image>Which?", kind=kind), config=config)
        assert sample.question == f"<image>{asked}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Think.", "turns 1 <image> marks"),
        ("{{ contents }}", "fails: 'contents' is undefined"),
        ("{{ content", "cannot be read"),
    ],
)
def test_a_format_prompt_that_loses_the_question_is_refused(folder, text, message):
    template = folder / "bad.jinja"
    template.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load(folder, closed_row(), config=DataConfig(format_prompt=str(template)))


def test_row_7_rows_of_a_table_load_like_those_of_json(folder):
    """A cell that is a JSON list is one, but where a text is asked for."""
    table = folder / "rows.csv"
    table.write_text(
        "id,prompt,answer,images,options,answer_kind,image_size,view\n"
        'c1,<image>Where?,"[2, 3, 4, 6]",a.png,,boxes,"[8, 6]",PA\n'
        'c2,<image>then<image>now,edema,"[""a.png"", ""b.png""]","[""edema"", ""mass""]",,,\n',
        encoding="utf-8",
    )
    boxed, compared = load_samples([str(table)], DataConfig())
    assert (boxed.reference, boxed.answer) == ("[2, 3, 4, 6]", {"[0.25, 0.5, 0.5, 1]"})
    assert boxed.columns == {"image_size": [8, 6], "view": "PA"}
    assert (len(compared.images), compared.options, compared.columns) == (2, ("edema", "mass"), {})
    assert compared.origin == f"{table}:3"
