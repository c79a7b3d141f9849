"""A study out and back in: what raters see, what they must not, and what their marks come to."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.errors import ConfigError, DataError
from radrl.evaluation.records import judge, read_records, write_records
from radrl.evaluation.responses import Response
from radrl.phantom.command import phantom
from radrl.reader_study.axes import NAMES
from radrl.reader_study.choose import Candidate, draw
from radrl.reader_study.command import export_study, import_study
from radrl.reader_study.key import Key, read_key
from radrl.reader_study.sheets import HEADER, read_sheet, write_sheet
from radrl.types import Sample

GOOD, BAD = "models/ours-rl", "models/theirs-base"
NUM_QUESTIONS = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Two evaluations: one model writes the references, the other says no finding and is right now and then."""
    folder = tmp_path_factory.mktemp("world")
    phantom(folder / "data", train=0, val=0, test=NUM_QUESTIONS, ood=0, size_px=32, seed=3)
    file = folder / "data" / "test.jsonl"
    samples = load_samples([str(file)], DataConfig())
    for name, model in (("good", GOOD), ("bad", BAD)):
        evaluate(folder / name, samples, model=model, data=file)
    return folder


def evaluate(folder: Path, samples: list[Sample], *, model: str, data: Path) -> None:
    folder.mkdir()
    said = "<think>Nothing stands out.</think><answer>no</answer>"
    records = [
        judge(Response(sample=sample, index=0, text=sample.reference if model == GOOD else said)).row(groups={})
        for sample in samples
    ]
    write_records(folder / "samples.jsonl", records)
    (folder / "summary.json").write_text(json.dumps({"model": model, "data": [str(data)]}), encoding="utf-8")


def study(world: Path, out: Path, **options) -> Path:
    return export_study(
        out, [world / "good", world / "bad"], **{"questions": 8, "raters": 2, "seed": 1, "repeat": 0.25, **options}
    )


def fill(out: Path, rater: str, mark) -> Key:
    """Fill a sheet in: `mark` is called with the item and the axis."""
    key = read_key(out / "key")
    items = {item.code: item for item in key.sheets[rater]}
    path = out / "raters" / rater / "ratings.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, **{axis: mark(items[row["item"]], axis) for axis in NAMES}})
    return key


def rater_files(out: Path) -> list[Path]:
    return [path for path in (out / "raters").rglob("*") if path.is_file()]


def test_a_study_goes_out_and_comes_back_with_what_the_raters_gave(world, tmp_path):
    out = study(world, tmp_path / "study")
    fill(out, "rater-1", lambda item, axis: 5 if item.model == GOOD else 2)
    fill(out, "rater-2", lambda item, axis: 4 if item.model == GOOD else 2)
    page = import_study(out, resamples=100)
    found = json.loads((out / "ratings.json").read_text(encoding="utf-8"))
    for axis in NAMES:
        good, bad = (found["models"][model][axis] for model in (GOOD, BAD))
        assert good["mean"] == {"value": 4.5, "low": 4.5, "high": 4.5}
        assert good["distribution"] == {"1": 0, "2": 0, "3": 0, "4": 8, "5": 8}
        assert bad["mean"]["value"] == bad["population_mean"]["value"] == 2
        assert bad["num_answers"] == 8
        [difference] = found["differences"]
        assert (difference["first"], difference["second"]) == (GOOD, BAD)
        assert difference["axes"][axis]["value"] == 2.5
        # Quadratic kappa by hand: half of the answers are one apart, so the observed distance is 1/2 a pair; the marks
        # are independent in half of all pairs each: (5, 4), (5, 2), (2, 4), (2, 2), mean (1 + 9 + 4 + 0) / 4.
        assert found["inter_rater"][axis]["kappa"]["value"] == pytest.approx(1 - 0.5 / 3.5)
        itself = found["intra_rater"]["rater-1"][axis]
        assert (itself["num"], itself["same"], itself["mean_distance"]) == (4, 1.0, 0.0)
    assert found["counts"]["missing"]["rater-2"] == dict.fromkeys(NAMES, 0)
    assert found["counts"]["items"] == {"rater-1": 20, "rater-2": 20}
    assert "rated blindly by 2" in page.read_text(encoding="utf-8")


def test_marks_that_follow_correctness_correlate_with_it_and_with_the_graph(world, tmp_path):
    out = study(world, tmp_path / "study", raters=1)
    key = read_key(out / "key")
    correct = {(answer.question, answer.model): answer.correct for answer in key.answers}
    assert set(correct.values()) == {True, False}
    fill(out, "rater-1", lambda item, axis: 5 if correct[item.question, item.model] else 1)
    import_study(out, resamples=20)
    found = json.loads((out / "ratings.json").read_text(encoding="utf-8"))
    assert found["spearman"]["all"]["clarity"]["correct"] == pytest.approx(1)
    assert found["spearman"]["all"]["clarity"]["graph_f1"] > 0.5
    assert found["spearman"][GOOD]["clarity"] == {"correct": None, "graph_f1": None}
    assert "kappa" not in found["inter_rater"]["clarity"]


def test_no_file_of_a_rater_says_whose_an_answer_is_or_whether_it_is_right(world, tmp_path):
    out = study(world, tmp_path / "study")
    key = read_key(out / "key")
    for path in rater_files(out):
        text = path.read_text(encoding="utf-8")
        visible = re.sub(r'href="data:[^"]*"', "", text)
        for secret in (GOOD, BAD, "ours-rl", "theirs-base", "correct", str(world), ".png"):
            assert secret not in visible, f"{path.name} tells {secret}"
        for question in key.questions:
            assert question.id not in visible
            assert question.patient_id not in visible


def test_a_booklet_holds_the_films_and_has_the_items_in_the_order_of_the_sheet(world, tmp_path):
    out = study(world, tmp_path / "study")
    key = read_key(out / "key")
    orders = []
    for rater, items in key.sheets.items():
        html = (out / "raters" / rater / "booklet.html").read_text(encoding="utf-8")
        assert re.findall(r'<h2 id="([A-Z]+)">', html) == [item.code for item in items]
        assert html.count('class="film"') == len(items)
        assert html.count("data:image/jpeg;base64,") == html.count("<image ") <= 8
        assert "http://" not in html
        assert "https://" not in html
        orders.append([(item.question, item.model) for item in items if not item.is_repeat])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_repeats_are_the_asked_share_and_never_follow_their_first_showing(world, tmp_path):
    key = read_key(study(world, tmp_path / "study") / "key")
    for items in key.sheets.values():
        assert sum(item.is_repeat for item in items) == 4
        assert len({item.code for item in items}) == len(items) == 20
        for place, item in enumerate(items):
            if item.is_repeat:
                first = [(one.question, one.model) for one in items].index((item.question, item.model))
                assert first < place - 1


def test_the_same_seed_makes_the_same_study(world, tmp_path):
    first, again, other = (
        study(world, tmp_path / name, seed=seed) for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    for path in (first / "key" / "key.json", *rater_files(first)):
        assert path.read_bytes() == (again / path.relative_to(first)).read_bytes()
    assert read_key(first / "key") != read_key(other / "key")


def test_questions_are_drawn_of_every_kind_and_of_right_and_wrong_answers_alike():
    candidates = [
        Candidate(id=f"{kind}{number}", kind=kind, corrects=(number >= num_wrong,))
        for kind, num_wrong, num in (("presence", 2, 40), ("view", 5, 10))
        for number in range(num)
    ]
    drawn = draw(candidates, num=10, seed=4)
    by_stratum = {
        (kind, correct): [
            drawn.weights[one.id] for one in candidates if one.id in drawn.weights and one.stratum == (kind, (correct,))
        ]
        for kind in ("presence", "view")
        for correct in (False, True)
    }
    # Five of each kind; of the two wrong presence answers both, of the 38 right ones three.
    assert by_stratum["presence", False] == [1.0, 1.0]
    assert by_stratum["presence", True] == pytest.approx([38 / 3] * 3)
    assert sorted(len(by_stratum["view", correct]) for correct in (False, True)) == [2, 3]
    assert sum(drawn.weights.values()) == pytest.approx(50)
    assert drawn.num_left_out == 0


def test_a_study_smaller_than_its_strata_says_how_many_questions_it_is_silent_on():
    candidates = [Candidate(id=f"q{number}", kind="presence", corrects=(number >= 3,)) for number in range(10)]
    drawn = draw(candidates, num=1, seed=0)
    assert sum(drawn.weights.values()) + drawn.num_left_out == 10


def test_weights_undo_that_wrong_answers_are_seen_more_often(world, tmp_path):
    out = study(world, tmp_path / "study", raters=1)
    key = read_key(out / "key")
    correct = {answer.question: answer.correct for answer in key.answers if answer.model == BAD}
    fill(out, "rater-1", lambda item, axis: 5 if correct[item.question] else 1)
    import_study(out, resamples=20)
    rating = json.loads((out / "ratings.json").read_text(encoding="utf-8"))["models"][BAD]["evidence"]
    total = sum(question.weight for question in key.questions)
    right = sum(question.weight for question in key.questions if correct[question.id])
    assert rating["population_mean"]["value"] == pytest.approx((5 * right + total - right) / total)
    assert rating["mean"]["value"] == pytest.approx(1 + 4 * sum(correct.values()) / 8)
    assert rating["mean"]["value"] != pytest.approx(rating["population_mean"]["value"])


def test_marks_left_out_are_counted_and_take_part_in_nothing(world, tmp_path):
    out = study(world, tmp_path / "study")
    fill(out, "rater-1", lambda item, axis: "" if axis == "clarity" or item.model == BAD else 3)
    import_study(out, resamples=20)
    found = json.loads((out / "ratings.json").read_text(encoding="utf-8"))
    num_bad = sum(item.model == BAD for item in read_key(out / "key").sheets["rater-1"])
    assert found["counts"]["missing"]["rater-1"] == {**dict.fromkeys(NAMES, num_bad), "clarity": 20}
    assert found["counts"]["missing"]["rater-2"] == dict.fromkeys(NAMES, 20)
    assert found["models"][GOOD]["evidence"]["mean"]["value"] == 3
    assert found["models"][BAD]["evidence"]["mean"]["value"] is None
    assert found["models"][GOOD]["clarity"]["num_answers"] == 0


def test_a_study_nobody_filled_in_is_an_error(world, tmp_path):
    with pytest.raises(DataError, match=r"no sheet below .* holds a mark"):
        import_study(study(world, tmp_path / "study"))


SHEET = f"{','.join(HEADER)}\r\nBCDFGH,1,2,3,4,5,good\r\nJKLMNP,,,,,,\r\n"
CODES = ["BCDFGH", "JKLMNP"]


@pytest.mark.parametrize(
    ("sheet", "told"),
    [
        (SHEET.replace(",5,good", ",6,good"), r"line 2, field clarity: '6' is not a mark from 1 to 5"),
        (SHEET.replace("1,2,3", "1,2.5,3"), r"line 2, field coherence: '2.5' is not a mark"),
        (SHEET.replace("JKLMNP", "JKLMNQ"), r"line 3, field item: 'JKLMNQ' is not an item of this sheet"),
        (SHEET.replace("JKLMNP", "BCDFGH"), r"line 3, field item: BCDFGH stands a second time"),
        (SHEET.replace("JKLMNP,,,,,,\r\n", ""), r"field item: 1 of 2 items have no row, the first JKLMNP"),
        (SHEET.replace("evidence", "proof"), r"line 1: the header is 'item,relevance,coherence,proof,"),
        (SHEET.replace("good", "good, but"), r"line 2: 8 fields, not 7"),
    ],
)
def test_a_sheet_that_breaks_the_rules_is_refused_with_file_line_and_field(tmp_path, sheet, told):
    path = tmp_path / "ratings.csv"
    path.write_text(sheet, encoding="utf-8-sig", newline="")
    with pytest.raises(DataError, match=told) as error:
        read_sheet(path, CODES)
    assert str(path) in str(error.value)


def test_a_sheet_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes(SHEET.replace("good", "gut für uns").encode("cp1252"))
    with pytest.raises(DataError, match=r"not UTF-8 .* Save it as 'CSV UTF-8'"):
        read_sheet(path, CODES)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_sheet_is_read_with_the_separator_of_any_country_and_in_any_order(tmp_path, separator):
    path = tmp_path / "ratings.csv"
    lines = SHEET.replace(",", separator).splitlines()
    path.write_text("\r\n".join([lines[0], lines[2], lines[1], ""]), encoding="utf-8-sig", newline="")
    ratings = read_sheet(path, CODES)
    assert ratings["BCDFGH"] == dict(zip(NAMES, (1, 2, 3, 4, 5), strict=True))
    assert ratings["JKLMNP"] == dict.fromkeys(NAMES)


def test_a_sheet_begins_with_the_mark_that_excel_knows_utf8_by(tmp_path):
    path = tmp_path / "ratings.csv"
    write_sheet(path, CODES)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfitem,relevance,")
    assert set(read_sheet(path, CODES)) == set(CODES)


def test_evaluations_of_other_questions_are_refused(world, tmp_path):
    samples = load_samples([str(world / "data" / "test.jsonl")], DataConfig())
    evaluate(tmp_path / "fewer", samples[1:], model=GOOD, data=world / "data" / "test.jsonl")
    with pytest.raises(DataError, match="are not of the same questions"):
        export_study(tmp_path / "study", [world / "bad", tmp_path / "fewer"], questions=2)


def test_films_that_have_moved_are_found_by_the_data(world, tmp_path):
    rows = (world / "data" / "test.jsonl").read_text(encoding="utf-8")
    (tmp_path / "test.jsonl").write_text(rows, encoding="utf-8")
    with pytest.raises(DataError, match=r"image .* does not exist.* --data, --layout and --image-dir say where"):
        study(world, tmp_path / "study", data=[str(tmp_path / "test.jsonl")])
    out = study(world, tmp_path / "study", data=[str(tmp_path / "test.jsonl")], image_dir=str(world / "data"))
    assert (out / "raters" / "rater-2" / "guide.txt").is_file()


def test_a_film_that_is_gone_is_named_and_rows_without_films_are_looked_up_in_the_data(world, tmp_path):
    records = read_records(world / "good" / "samples.jsonl")
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "summary.json").write_bytes((world / "good" / "summary.json").read_bytes())
    write_records(tmp_path / "moved" / "samples.jsonl", [replace(one, images=("/gone/p1.png",)) for one in records])
    with pytest.raises(DataError, match=r"a film of the study cannot be shown: image /gone/p1\.png is gone"):
        export_study(tmp_path / "study", [tmp_path / "moved"], questions=2)
    write_records(tmp_path / "moved" / "samples.jsonl", [replace(one, images=None) for one in records])
    out = export_study(tmp_path / "again", [tmp_path / "moved"], questions=2, repeat=0)
    html = (out / "raters" / "rater-1" / "booklet.html").read_text(encoding="utf-8")
    assert html.count('class="film"') == 2


def test_a_study_does_not_overwrite_another_and_refuses_senseless_sizes(world, tmp_path):
    out = study(world, tmp_path / "study")
    with pytest.raises(DataError, match="not empty"):
        study(world, out)
    with pytest.raises(DataError, match=f"99 questions are asked for and the evaluations have {NUM_QUESTIONS}"):
        study(world, tmp_path / "other", questions=99)
    with pytest.raises(ConfigError, match="0 raters"):
        study(world, tmp_path / "other", raters=0)


def test_evaluations_of_one_model_are_told_apart_by_their_folders(world, tmp_path):
    samples = load_samples([str(world / "data" / "test.jsonl")], DataConfig())
    evaluate(tmp_path / "again", samples, model=GOOD, data=world / "data" / "test.jsonl")
    out = export_study(tmp_path / "study", [world / "good", tmp_path / "again"], questions=2)
    assert [model.name for model in read_key(out / "key").models] == [str(world / "good"), str(tmp_path / "again")]


def test_a_completion_out_of_form_is_shown_as_it_stands(world, tmp_path):
    samples = load_samples([str(world / "data" / "test.jsonl")], DataConfig())
    folder = tmp_path / "loose"
    evaluate(folder, samples, model=GOOD, data=world / "data" / "test.jsonl")
    said = "<b>No tags</b> & no steps."
    records = [judge(Response(sample=sample, index=0, text=said)).row(groups={}) for sample in samples]
    write_records(folder / "samples.jsonl", records)
    out = export_study(tmp_path / "study", [folder], questions=2, raters=1)
    html = (out / "raters" / "rater-1" / "booklet.html").read_text(encoding="utf-8")
    assert "<pre>&lt;b&gt;No tags&lt;/b&gt; &amp; no steps.</pre>" in html
