"""Row 11: prompts over the limit are left out whole and counted, or refused; what is measured once is kept on disk."""

import json
import logging

import pytest

from radrl.data.dropped import DropList
from radrl.data.overlong import BATCH, LengthIndex, fitting, length_key, prompt_lengths
from radrl.errors import DataError
from radrl.run import Run
from radrl.types import AnswerKind, ImageRef, Sample


def a_sample(question, number=0, images=()):
    return Sample(
        id=f"q{number}",
        patient_id="p",
        kind="open",
        question=question,
        images=tuple(ImageRef(path=f"/films/{digest}.png", sha256=digest) for digest in images),
        answer=frozenset(),
        answer_kind=AnswerKind.SET,
        reference="",
        origin=f"rows.jsonl:{number + 1}",
    )


class Words:
    """Measures a prompt by its words, five more for an image, and counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, samples):
        self.asked.append(len(samples))
        return [len(sample.question.split()) + 5 * len(sample.images) for sample in samples]


SAMPLES = [a_sample("one two", 0), a_sample("one two three", 1), a_sample("one", 2, images=("a",))]
LENGTHS = [2, 3, 6]


def keep(samples, *, limit, drops=None, drops_overlong=True, index=None, measure=None):
    return fitting(
        samples,
        limit=limit,
        drops_overlong=drops_overlong,
        measure=measure or Words(),
        index=index,
        drops=DropList() if drops is None else drops,
    )


def test_row_11_a_prompt_at_the_limit_stays_and_a_longer_one_is_left_out_whole(caplog):
    drops = DropList()
    with caplog.at_level(logging.WARNING):
        assert keep(SAMPLES, limit=3, drops=drops) == SAMPLES[:2]
    assert drops.records() == [
        {"reason": "overlong", "id": "q2", "origin": "rows.jsonl:3", "detail": "6 tokens, 3 allowed"}
    ]
    assert "1 of 3 prompts are longer than data.max_prompt_length = 3 tokens" in caplog.text


def test_row_11_with_the_filter_off_the_first_long_prompt_is_an_error_that_names_its_row():
    with pytest.raises(DataError, match=r"2 of 3 prompts .* the first with 3 \(sample q1, rows.jsonl:2\)\. Raise"):
        keep(SAMPLES, limit=2, drops_overlong=False)


def test_a_filter_that_leaves_nothing_is_an_error():
    with pytest.raises(DataError, match=r"3 of 3 prompts are longer than data.max_prompt_length = 1 tokens"):
        keep(SAMPLES, limit=1)


def test_a_second_run_measures_nothing(tmp_path):
    measure = Words()
    assert prompt_lengths(SAMPLES, measure=measure, index=LengthIndex(tmp_path, fingerprint="m")) == LENGTHS
    assert prompt_lengths(SAMPLES, measure=measure, index=LengthIndex(tmp_path, fingerprint="m")) == LENGTHS
    assert measure.asked == [3]


def test_only_what_is_new_is_measured_and_all_of_it_is_kept(tmp_path):
    measure = Words()
    for samples in (SAMPLES[:1], SAMPLES, [*SAMPLES, *SAMPLES[:1]]):
        index = LengthIndex(tmp_path, fingerprint="m")
        prompt_lengths(samples, measure=measure, index=index)
    assert measure.asked == [1, 2]
    assert sorted(LengthIndex(tmp_path, fingerprint="m").known().values()) == [2, 3, 6]


def test_another_tokenizer_template_or_image_setting_is_measured_anew(tmp_path):
    measure = Words()
    for fingerprint in ("one", "other"):
        prompt_lengths(SAMPLES, measure=measure, index=LengthIndex(tmp_path, fingerprint=fingerprint))
    assert measure.asked == [3, 3]


def test_samples_are_told_apart_by_question_and_images():
    keys = {
        length_key(a_sample(question, images=images))
        for question in ("one", "two")
        for images in ((), ("a",), ("b",), ("a", "b"), ("b", "a"))
    }
    assert len(keys) == 10
    assert length_key(a_sample("one", 1)) == length_key(a_sample("one", 2))


def test_many_samples_are_measured_in_batches(tmp_path):
    samples = [a_sample(f"{number} x" + " y" * (number % 7), number) for number in range(BATCH + 5)]
    expected = [2 + number % 7 for number in range(BATCH + 5)]
    for index in (None, LengthIndex(tmp_path, fingerprint="m")):
        measure = Words()
        assert prompt_lengths(samples, measure=measure, index=index) == expected
        assert measure.asked == [BATCH, 5]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_index_is_not_believed(tmp_path, caplog, damage):
    index = LengthIndex(tmp_path, fingerprint="m")
    prompt_lengths(SAMPLES, measure=Words(), index=index)
    content = index.file.read_bytes()
    flipped = bytes([content[-1] ^ 1])
    index.file.write_bytes(
        {"cut": content[:-7], "flipped": content[:-1] + flipped, "empty": b"", "other": b"no index at all"}[damage]
    )
    measure = Words()
    with caplog.at_level(logging.WARNING):
        assert prompt_lengths(SAMPLES, measure=measure, index=LengthIndex(tmp_path, fingerprint="m")) == LENGTHS
    assert measure.asked == [3]
    assert "is damaged" in caplog.text
    assert LengthIndex(tmp_path, fingerprint="m").known().keys() == {length_key(sample) for sample in SAMPLES}


def test_a_folder_that_cannot_be_written_costs_time_and_no_more(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        index = LengthIndex(tmp_path / "file", fingerprint="m")
        assert prompt_lengths(SAMPLES, measure=Words(), index=index) == LENGTHS
    assert "cannot be kept in" in caplog.text


def test_the_index_holds_no_text(tmp_path):
    index = LengthIndex(tmp_path, fingerprint="m")
    prompt_lengths([a_sample("Mrs Jones has an effusion")], measure=Words(), index=index)
    assert b"Jones" not in index.file.read_bytes()
    assert index.file.stat().st_size == 16 + 20


def test_a_run_lists_what_is_left_out_and_its_first_step_counts_it(tmp_path, caplog):
    drops = DropList()
    keep(SAMPLES, limit=3, drops=drops)
    run = Run(tmp_path, parts={})
    with caplog.at_level(logging.WARNING):
        run.list_dropped(drops)
    for step in (1, 2):
        with run.step(step, "a"):
            pass
    (line,) = (tmp_path / "logs" / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == drops.records()[0]
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    assert first["data/dropped/overlong"] == 1.0
    assert "data/dropped/overlong" not in second
    assert "rows that are left out: 1 overlong; they are listed in" in caplog.text


def test_drops_are_counted_by_reason_and_listed_once():
    drops = DropList()
    for number in (1, 1, 2):
        drops.drop("overlong", origin=f"rows.jsonl:{number}", id=f"q{number}")
    drops.drop("broken image", origin="rows.jsonl:1")
    assert drops.counts() == {"overlong": 2, "broken image": 1}
    assert [json.loads(json.dumps(record))["origin"] for record in drops.records()] == [
        "rows.jsonl:1",
        "rows.jsonl:2",
        "rows.jsonl:1",
    ]
    assert drops.metrics() == {"data/dropped/overlong": 2.0, "data/dropped/broken_image": 1.0}
