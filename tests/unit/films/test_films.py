import json
import re
from collections import Counter
from importlib.resources import files

import pytest
from film_folder import COLUMNS, film_rows, write_films

from radrl.config.check import check
from radrl.config.demo import DemoConfig
from radrl.config.load import load_config
from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.errors import DataError
from radrl.films.export import export_films, split_of
from radrl.films.metadata import read_films
from radrl.films.questions import ASKED, ask
from radrl.graph.extract import extract
from radrl.rewards.answer import answer_exact
from radrl.rewards.api import Attempt
from radrl.rewards.graph_overlap import graph_f1_reward
from radrl.rewards.process import step_correctness
from radrl.text import parse_trace

SHARES = {"warm_up": 1, "pool": 1, "test": 1}


@pytest.fixture
def folder(tmp_path):
    return write_films(tmp_path / "films")


@pytest.fixture
def films(folder):
    return {film.id: film for film in read_films(folder)}


@pytest.fixture
def questions(films):
    return {question.id: question for question in ask(list(films.values()))}


def of_kind(questions, kind):
    return {key: question for key, question in questions.items() if question.kind == kind}


def test_nih_labels_become_chexpert_findings(films):
    assert films["n1"].findings == {"pleural effusion", "lung opacity"}
    assert films["n3"].findings == {"lung lesion"}
    assert films["n4"].findings == set() and not films["n4"].is_fully_named
    assert films["n5"].findings == {"pneumothorax"} and not films["n5"].is_fully_named
    assert films["n8"].findings == {"pleural other"}
    assert films["c1"].findings == set() and films["c1"].is_fully_named


def test_an_aetiology_tells_of_no_finding(films):
    assert films["h1"].findings is None


def test_a_narrower_finding_shows_the_broader_one(films):
    assert [finding for finding in ASKED if films["n6"].shows(finding)] == [
        "consolidation",
        "lung opacity",
        "pneumonia",
    ]


def test_days_count_from_admission_and_follow_up_numbers_are_no_days(films):
    assert (films["h1"].day, films["h2"].day, films["n2"].day, films["n3"].day) == (-3, 0, None, None)


def test_presence_is_asked_of_each_finding_as_often_where_it_is_as_where_it_is_not(questions):
    counts = Counter((question.topic, question.answer) for question in of_kind(questions, "presence").values())
    # Two films show an opacity by name, one as pneumonia; nine films have labels of findings.
    assert counts["lung opacity", ("yes",)] == counts["lung opacity", ("no",)] == 3
    assert counts["pneumothorax", ("yes",)] == counts["pneumothorax", ("no",)] == 1
    assert counts["atelectasis", ("yes",)] == counts["atelectasis", ("no",)] == 0


def test_both_views_are_asked_for_equally_often(questions):
    counts = Counter(question.answer for question in of_kind(questions, "view").values())
    assert counts == {("AP",): 5, ("PA",): 5}


def test_exactly_one_option_of_a_closed_question_is_there(questions):
    closed = of_kind(questions, "closed")
    assert len(closed) == 6
    for question in closed.values():
        (film,) = question.films
        assert [option for option in question.options if film.shows(option)] == list(question.answer)
        assert len(question.options) == 3


def test_set_questions_leave_out_films_whose_labels_they_cannot_name(questions):
    assert "n4-open" not in questions and "n4-list" not in questions
    assert questions["n5-open"].answer == ("pneumothorax",) and "n5-list" not in questions
    assert questions["c1-open"].answer == questions["c1-list"].answer == ()
    assert "h1-open" not in questions


def test_a_list_names_the_label_and_an_open_answer_its_broader_classes_too(questions):
    assert questions["n6-list"].answer == ("pneumonia",)
    assert questions["n6-open"].answer == ("consolidation", "lung opacity", "pneumonia")


def test_dated_films_of_a_patient_are_asked_about_in_both_orders(questions):
    answers = {key: question.answer for key, question in of_kind(questions, "order").items()}
    assert answers == {
        "h1-h2-order": ("yes",),
        "h2-h1-order": ("no",),
        "h1-h3-order": ("yes",),
        "h3-h1-order": ("no",),
    }


def test_a_trace_judges_and_sums_up_and_its_graph_has_no_side_that_the_label_lacks(questions):
    question = questions["n1-presence-pleural-effusion"]
    assert question.text == "Is there a pleural effusion?"
    assert question.reference == (
        "<think>pleural effusion</think><answer>pleural effusion ✅</answer><think>summary</think><answer>yes</answer>"
    )
    (located,) = question.triplets
    assert (located.head, located.tail, located.certainty) == ("pleural effusion", "pleural space", "present")


def test_the_gold_graph_is_what_the_thoughts_say(questions):
    for question in questions.values():
        said = {fact for step in question.steps for fact in extract(step.thought.text).triplets}
        assert set(question.triplets) == said


def test_patients_are_not_split_and_the_films_are_not_copied(films, folder, tmp_path):
    paths = export_films(list(films.values()), tmp_path / "out", shares=SHARES)
    rows = {name: [json.loads(line) for line in path.open(encoding="utf-8")] for name, path in paths.items()}
    patients = {name: {row["patient_id"] for row in part} for name, part in rows.items()}
    assert not patients["warm_up"] & patients["pool"] and not patients["test"] & (
        patients["warm_up"] | patients["pool"]
    )
    named = {image for part in rows.values() for row in part for image in row["images"]}
    assert named <= {str(film.path) for film in films.values()}
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".jsonl"] * 3


def test_a_split_depends_on_the_patient_alone():
    # First byte of the SHA-256 of each: 198, 22, 229, 145, in thirds of 256.
    patients = ("han-a", "nih-1", "nih-5", "nih-7")
    assert [split_of(patient, shares=SHARES) for patient in patients] == ["test", "warm_up", "test", "pool"]


def test_rows_load_and_their_own_trace_earns_full_marks(films, tmp_path):
    paths = export_films(list(films.values()), tmp_path / "out", shares=SHARES)
    samples = load_samples([str(path) for path in paths.values()], DataConfig())
    assert {len(sample.images) for sample in samples} == {1, 2}
    for sample in samples:
        gold = Attempt(
            sample=sample,
            text=sample.reference,
            trace=parse_trace(sample.reference),
            num_tokens=0,
            max_tokens=1,
            is_cut=False,
        )
        scores = [score(gold) for score in (answer_exact, step_correctness, graph_f1_reward)]
        assert scores[0].value == 1.0
        assert all(score.value in (1.0, None) for score in scores)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"file": "gone.jpg"}, "file"),
        ({"file": "h1.jpg"}, "file"),
        ({"label": "Effusion|Cough"}, "label"),
        ({"label": "No Finding|Effusion"}, "label"),
        ({"view": "LL"}, "view"),
        ({"offset_days": "soon"}, "offset_days"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path, change, field):
    rows = film_rows()
    rows[3] |= change
    folder = write_films(tmp_path / "films", rows)
    with pytest.raises(DataError, match=re.escape(f"{folder / 'metadata.csv'}:5: field {field!r}")):
        read_films(folder)


def test_a_missing_column_is_named(tmp_path):
    folder = write_films(tmp_path / "films", columns=[name for name in COLUMNS if name != "view"])
    with pytest.raises(DataError, match=re.escape("metadata.csv:2: field 'view' is missing")):
        read_films(folder)


def test_a_folder_without_metadata_or_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"metadata\.csv cannot be read"):
        read_films(tmp_path)
    with pytest.raises(DataError, match=r"metadata\.csv names no film"):
        read_films(write_films(tmp_path / "films", []))


def test_a_split_that_no_question_falls_in_is_refused(films, tmp_path):
    of_one_patient = [film for film in films.values() if film.patient_id == "han-a"]
    with pytest.raises(DataError, match="films of more patients"):
        export_films(of_one_patient, tmp_path / "out", shares=SHARES)


def test_the_settings_for_real_films_fit_on_top_of_the_demo_s():
    settings = [f"config={files('radrl').joinpath(name)}" for name in ("demo.yaml", "demo_real.yaml")]
    config = load_config(DemoConfig, settings).config
    check(config.sft, paths=False, supervised=True)
    check(config.rl, paths=False)
    assert config.rl.worker.rollout.n == 8 and config.rl.curriculum.stages[0].steps == 2
