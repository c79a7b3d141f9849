import gc
import json
import tracemalloc

import pytest
from noting import adapter_of, record
from rows import write_image

from radrl.config.data import DataConfig
from radrl.data.adapters.api import Adapter, Choices, as_split, split_of
from radrl.data.adapters.registry import NAMES, adapter_named
from radrl.data.completions_form import write_chex_phi4mm_completions
from radrl.data.convert import convert, row_of
from radrl.data.load import load_samples
from radrl.errors import ConfigError, DataError
from radrl.jsonl import read_jsonl
from radrl.types import AnswerKind, Box, Triplet


def converted(tmp_path, *records, needs=(), **choices):
    return convert(tmp_path, tmp_path / "out", adapter=adapter_of(records, needs=needs), choices=Choices(**choices))


def rows(tmp_path, name="train.jsonl"):
    return list(read_jsonl(tmp_path / "out" / name))


def test_records_become_rows_that_training_reads_as_the_same_samples(tmp_path):
    film, earlier = write_image(tmp_path, "a.png"), write_image(tmp_path, "b.png", shade=20)
    box = Box(label="edema", x0=0.1, y0=0.2, x1=0.3, y1=0.4)
    fact = Triplet(head="edema", relation="located_at", tail="left lung", certainty="uncertain")
    records = [
        record(1, images=(film,), boxes=(box,), triplets=(fact,), options=("edema",), columns={"view": "AP"}),
        record(
            2, images=(film, earlier), kind="difference", answer_kind=AnswerKind.TEXT, answer=("nothing has changed.",)
        ),
        record(3, kind="list", answer_kind=AnswerKind.SET, answer=(), study_id="s3", split="val"),
        record(4, answer_kind=AnswerKind.CHOICE, options=("PA", "AP"), answer=("AP",), reference="<answer>AP</answer>"),
    ]
    conversion = converted(tmp_path, *records)
    assert conversion.rows == {"train": {"presence": 2, "difference": 1}, "val": {"list": 1}}
    assert conversion.patients == {"train": 3, "val": 1}
    files = [str(tmp_path / "out" / name) for name in ("train.jsonl", "val.jsonl")]
    samples = {sample.id: sample for sample in load_samples(files, DataConfig())}
    first = samples["q1"]
    assert first.question == "<image>Is there edema?"
    assert (first.answer, first.reference, first.kind) == (frozenset({"yes"}), "<answer>yes</answer>", "presence")
    assert (first.boxes, first.triplets, first.options, first.columns) == ((box,), (fact,), ("edema",), {"view": "AP"})
    assert samples["q2"].question.startswith("<image><image>")
    assert [image.path for image in samples["q2"].images] == [str(film), str(earlier)]
    assert (samples["q3"].answer, samples["q3"].reference) == (frozenset(), "<answer>no finding</answer>")
    assert (samples["q3"].study_id, samples["q3"].answer_kind) == ("s3", AnswerKind.SET)
    assert samples["q4"].answer == {"AP"} or samples["q4"].answer == {"ap"}


def test_marks_in_a_question_stay_where_they_are(tmp_path):
    film = write_image(tmp_path)
    assert row_of(record(images=(film,), question="Of <image>, which view?"))["prompt"] == "Of <image>, which view?"


def test_a_patient_in_two_splits_is_an_error_that_names_patient_and_rows(tmp_path):
    with pytest.raises(DataError) as caught:
        converted(tmp_path, record(1, patient_id="p7"), record(2), record(3, patient_id="p7", split="test"))
    assert str(caught.value).startswith(
        "patient 'p7' is in two splits: train at labels.csv:2 and test at labels.csv:4."
    )
    assert not (tmp_path / "out").exists()


def test_splits_can_be_drawn_anew_by_patient(tmp_path):
    leaking = [record(i, patient_id=f"p{i % 60}", split="train" if i % 2 else "test") for i in range(240)]
    conversion = converted(tmp_path, *leaking, splits="patient")
    assert sum(conversion.patients.values()) == 60
    written = {row["patient_id"]: split for split in conversion.rows for row in rows(tmp_path, f"{split}.jsonl")}
    assert written == {f"p{i}": split_of(f"p{i}") for i in range(60)}
    assert set(written.values()) == {"train", "val", "test"}


def test_an_id_that_stands_twice_is_an_error_that_names_both_rows(tmp_path):
    with pytest.raises(DataError, match=r"labels\.csv:3: the id 'q1' stands already at labels\.csv:2"):
        converted(tmp_path, record(1), record(1, origin="labels.csv:3"))


def test_what_cannot_be_used_is_left_out_counted_and_listed(tmp_path):
    out_of_bounds = Box(label="edema", x0=0.1, y0=0.2, x1=1.3, y1=0.4)
    records = [
        record(1),
        record(2, images=(tmp_path / "gone.png",)),
        record(3, boxes=(out_of_bounds,)),
        record(4, answer=("perhaps",)),
        record(5, answer=()),
        record(6, answer=("yes", "no")),
        record(7, answer_kind=AnswerKind.CHOICE, options=("PA", "AP"), answer=("lateral",)),
    ]
    conversion = converted(tmp_path, *records)
    assert conversion.rows == {"train": {"presence": 1}}
    assert conversion.dropped == {"answer cannot be read": 4, "film not found": 1, "box outside the film": 1}
    listed = rows(tmp_path, "dropped.jsonl")
    assert listed[0] == {"reason": "film not found", "origin": "labels.csv:3", "detail": str(tmp_path / "gone.png")}
    assert [row["origin"] for row in listed] == [f"labels.csv:{i}" for i in range(3, 9)]
    account = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert account["dropped"] == conversion.dropped
    assert account["rows"] == {"train": {"presence": 1}}
    assert (account["licence"], account["choices"]["uncertain"]) == ("None needed.", "drop")


def test_only_the_kinds_that_were_asked_for_are_written(tmp_path):
    conversion = converted(tmp_path, record(1), record(2, kind="view"), kinds=("presence",))
    assert (conversion.rows, conversion.num_not_asked) == ({"train": {"presence": 1}}, 1)


def test_nothing_to_write_is_an_error_that_says_why(tmp_path):
    with pytest.raises(DataError, match=r"no row of .* can be used: film not found \(1 times"):
        converted(tmp_path, record(1, images=(tmp_path / "gone.png",)))
    with pytest.raises(ConfigError, match=r"is of a kind report \(--kinds\)"):
        converted(tmp_path, record(1), kinds=("report",))


def test_missing_files_are_named_before_anything_is_read(tmp_path):
    with pytest.raises(DataError, match=r"has no train\.csv or valid\.csv, which A made-up set needs .* It is made up"):
        converted(tmp_path, record(1), needs=("train.csv|valid.csv",))
    (tmp_path / "valid.csv.gz").write_bytes(b"")
    assert converted(tmp_path, record(1), needs=("train.csv|valid.csv",)).num_rows == 1
    with pytest.raises(DataError, match="does not exist"):
        convert(tmp_path / "none", tmp_path / "o", adapter=adapter_of([]), choices=Choices())


def test_an_output_that_is_there_is_not_touched_and_a_broken_off_one_is_begun_anew(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "test.jsonl").write_text("half a ro")
    converted(tmp_path, record(1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "conversion.json",
        "dropped.jsonl",
        "train.jsonl",
    ]
    with pytest.raises(ConfigError, match="is there already"):
        converted(tmp_path, record(1))


def peak_bytes(tmp_path, num_rows):
    def read(folder, choices, drops):
        for i in range(num_rows):
            if i % 3 == 0:
                drops.drop("no answer", origin=f"t.csv:{i}")
            yield record(i, patient_id=f"p{i // 5}", split=split_of(f"p{i // 5}"), question=f"Question {i}?")

    adapter = Adapter(name="many", title="t", licence="l", access="a", needs=(), read=read)
    gc.collect()
    tracemalloc.start()
    conversion = convert(tmp_path, tmp_path / f"out{num_rows}", adapter=adapter, choices=Choices())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert conversion.num_rows == num_rows
    return peak


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    few, many = peak_bytes(tmp_path, 1600), peak_bytes(tmp_path, 4800)
    assert many - few < 50_000


def test_publishers_words_for_splits_are_known_and_others_refused():
    assert [as_split(word, origin="t") for word in ("validate", "valid", " Val", "validation", "dev")] == ["val"] * 5
    with pytest.raises(DataError, match=r"t\.csv:4: split 'trian' is none of train"):
        as_split("trian", origin="t.csv:4")


def test_patients_fall_into_splits_as_eight_to_one_to_one():
    counts = {split: sum(split_of(f"p{i}") == split for i in range(5000)) for split in ("train", "val", "test")}
    assert abs(counts["train"] - 4000) < 120
    assert abs(counts["val"] - 500) < 90
    assert abs(counts["test"] - 500) < 90


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_has_an_adapter_that_says_its_licence_and_where_to_get_it(name):
    adapter = adapter_named(name)
    assert adapter.needs
    assert all(text.endswith(".") for text in (adapter.licence, adapter.access))


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no data set is called 'nihh' .* nih,"):
        adapter_named("nihh")


def test_completions_in_chex_phi4mms_form_nest_both_token_lists_once_more(tmp_path):
    line = {
        "step": 3,
        "id": "q1",
        "prompt": "<image>Is there edema?",
        "completion": "yes",
        "completion_ids": [9, 2],
        "per_token_logps": [-0.1, -2.0],
        "raw_completion_tokens": ["yes", ""],
        "rewards": {"format": 1.0, "answer": None},
    }
    (tmp_path / "completions.jsonl").write_text(json.dumps(line) + "\n")
    out = write_chex_phi4mm_completions(tmp_path / "completions.jsonl", tmp_path / "theirs.jsonl")
    assert list(read_jsonl(out)) == [
        {
            "step": 3,
            "prompt": "<image>Is there edema?",
            "completion": "yes",
            "per_token_logps": [[-0.1, -2.0]],
            "raw_completion_tokens": [["yes", ""]],
            "rewards": {"format": 1.0, "answer": None},
        }
    ]
    (tmp_path / "short.jsonl").write_text('{"step": 3}\n')
    with pytest.raises(DataError, match=r"short\.jsonl:1: field 'prompt' is missing"):
        write_chex_phi4mm_completions(tmp_path / "short.jsonl", tmp_path / "b.jsonl")
