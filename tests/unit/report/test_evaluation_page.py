"""The page of an evaluation: what a clinician is told, and that nothing is made up where the file says nothing."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_evaluation import VERDICT, block, calibration, write_made_up_evaluation
from made_up_run import write_image, write_run

from radrl.errors import DataError
from radrl.report.build import build_report
from radrl.report.detail import Bin, RiskPoint
from radrl.report.evaluation_charts import draw_reliability, draw_risk_coverage, operating_point
from radrl.report.evaluation_page import build_evaluation_page, is_evaluation
from radrl.report.evaluations import read_evaluation
from radrl.report.results import cautions


class Page(HTMLParser):
    """Text by section, and every tag with its attributes."""

    def __init__(self, path: Path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.sections, self.tags, self._at = {}, [], "head"
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._at = dict(attrs)["id"]

    def handle_data(self, data):
        self.sections[self._at] = f"{self.sections.get(self._at, '')} {data}"

    def text(self, section: str) -> str:
        return " ".join(self.sections[section].split())


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    folder = write_made_up_evaluation(tmp_path_factory.mktemp("evaluation") / "out")
    write_image(folder / "perturbed.png", seed=2)
    return Page(build_report(folder))


def test_the_page_opens_with_the_verdict_in_words(page):
    assert page.text("result").startswith(f"Result {VERDICT[0]} {VERDICT[1]} {VERDICT[2]}")
    assert "One note." in page.text("result") and "A row is missing." in page.text("result")


def test_accuracy_stands_by_kind_task_and_file_beside_the_blind_rows(page):
    kinds = page.text("kinds")
    assert "presence 40 70.0% 65.0 to 75.0" in kinds
    assert "45.0% 40.0 to 50.0" in kinds
    assert "By task" in kinds and "Closed questions" in kinds
    assert "By file" in kinds and "ood.jsonl" in kinds


def test_legacy_rows_stand_beside_the_strict_accuracy_with_why_they_mislead(page):
    legacy = page.text("legacy")
    assert "These rows mislead" in legacy
    assert "Any overlap One item is enough. legacy_any_overlap 85.0% 80.0 to 90.0 60.0% 55.0 to 65.0 +25.0" in legacy
    assert "legacy_" not in page.text("numbers")


def test_unreadable_answers_are_shown_with_their_text_escaped_and_counted(page):
    assert "2 of 40 answers could not be read and count as wrong; 1 text ran into the length limit." in page.text(
        "unreadable"
    )
    assert page.text("unreadable").count("<script>alert(1)</script>") == 2
    assert not [tag for tag, _ in page.tags if tag == "script"]


def test_wrong_answers_can_be_read_with_question_reference_answer_reasoning_and_film(page):
    wrong = page.text("wrong")
    assert "Is it there? (yes or no): 6 wrong" in wrong
    assert "Is there a left pleural effusion?" in wrong and "The left base is blunt." in wrong
    assert all(attrs["src"].startswith("data:image/") for tag, attrs in page.tags if tag == "img")


def test_the_page_loads_nothing_and_every_chart_speaks(page):
    assert not [attrs for _, attrs in page.tags if attrs.get("href", "#").startswith("http")]
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert drawings and all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in drawings)
    assert not re.search(r'(?:cx|cy|x1|y1|x2|y2)="(?:nan|inf|-inf)', page.source)


def test_every_link_of_the_page_leads_to_a_section(page):
    targets = {attrs["href"].removeprefix("#") for tag, attrs in page.tags if tag == "a"}
    assert targets == {attrs["id"] for tag, attrs in page.tags if tag == "section"}


def test_diseases_groups_changed_films_places_and_opinions_have_their_numbers(page):
    diseases = page.text("diseases")
    assert "Edema asked: 5 yes, 7 no 12 75.0% 70.0 to 80.0 66.0% 61.0 to 71.0" in diseases
    assert "No question is about pneumothorax." in diseases
    assert "Gap: +10.0 (+5.0 to +15.0) points between F and M." in page.text("groups")
    assert "X: 3 patients, too few to say anything." in page.text("groups")
    robustness = page.text("robustness")
    assert "JPEG of quality 50 and unpacked. Plain minus changed: +5.0 (+0.0 to +10.0) points." in robustness
    assert "Both answers right 9 40.0%" in robustness and "The same answer where it does not" not in robustness
    assert "80.0%" in page.text("positions")
    assert "It calls 66.0% (61.0 to 71.0) of the answers right" in page.text("opinions")
    assert "Over 7 texts, by path /models/radgraph, version 1.2." in page.text("opinions")


def test_confidence_is_drawn_and_measured_by_its_source(page):
    confidence = page.text("calibration")
    assert "Known of 37 answers, not of 3." in confidence and "What the text says of itself" in confidence
    assert "the surest 80% of the answers are kept, and 32.0% of them are wrong" in confidence
    assert "21.0%" in confidence and "16.0 to 26.0" in confidence


def test_sections_whose_field_is_missing_are_left_out(tmp_path):
    fields = (
        "diseases",
        "robustness",
        "positions",
        "per_group",
        "gaps",
        "scorers",
        "judge",
        "verdict",
        "per_task",
        "per_file",
    )
    folder = write_made_up_evaluation(tmp_path / "old", without=fields, calibration=calibration(by_source=False))
    page = Page(build_evaluation_page(folder))
    assert not {"diseases", "robustness", "positions", "groups", "opinions"} & page.sections.keys()
    assert "The final answer is exactly right in 60.0% (95% interval 55.0 to 65.0) of 40 questions." in page.text(
        "result"
    )
    assert "It is better than answering without looking" in page.text("result")
    assert "Known of 37 answers" in page.text("calibration")


def test_without_samples_the_page_says_so(tmp_path):
    folder = write_made_up_evaluation(tmp_path / "out")
    (folder / "samples.jsonl").unlink()
    page = Page(build_evaluation_page(folder))
    assert "Their texts are not in this folder." in page.text("unreadable")
    assert "No samples.jsonl is in this folder" in page.text("wrong")


def test_a_model_at_chance_is_said_to_be_so_by_files_with_and_without_a_verdict(tmp_path):
    blind = {"accuracy": {"value": 0.58}, "minus": {"value": 0.02, "low": -0.04, "high": 0.08}, "per_kind": {}}
    old = write_made_up_evaluation(tmp_path / "old", without=("verdict",), blind={"majority": blind})
    said = cautions(read_evaluation(old))
    assert said[0] == (
        "This is at chance: it is not clearly better than answering without looking (most frequent answer, 58.0%; "
        "+2.0 points, 95% interval -4.0 to +8.0, which includes 0). Nothing here shows that the model reads the "
        "radiograph."
    )
    new = write_made_up_evaluation(tmp_path / "new", verdict=["Accuracy.", *said])
    for folder in (old, new):
        page = Page(build_evaluation_page(folder))
        assert page.source.count('<p class="warning">This is at chance') == 1


def test_a_folder_that_is_no_evaluation_is_told_apart_and_refused(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"accuracy": {"rl": 0.5}}), encoding="utf-8")
    assert not is_evaluation(tmp_path)
    with pytest.raises(DataError, match="no object 'overall'"):
        build_evaluation_page(tmp_path)
    with pytest.raises(DataError, match="there is no summary"):
        build_evaluation_page(tmp_path / "nowhere")


def test_the_report_of_a_run_shows_the_same_sections_where_its_evaluation_has_them(tmp_path):
    run = write_run(tmp_path / "run")
    before = Page(build_report(run))
    assert "trust" not in before.sections
    write_made_up_evaluation(run / "evaluation" / "rl")
    page = Page(build_report(run))
    assert "On changed films" in page.text("trust") and "Sex of the patient" in page.text("trust")
    assert "Edema" in page.text("trust") and "By place of the option" in page.text("trust")
    assert "Wrong answers by the share of answers kept." in page.text("calibration")
    assert VERDICT[1] in page.text("result") and VERDICT[0] not in page.text("result")


def test_a_reliability_diagram_places_confidence_across_and_correctness_upwards():
    drawing = draw_reliability(
        [Bin(num=4, confidence=0.5, accuracy=0.25), Bin(num=0, confidence=0.9, accuracy=math.nan)]
    )
    assert drawing.count("<circle") == 1
    assert 'cx="194.0" cy="134.0"' in drawing  # 44 + 0.5 x 300 across; 172 - 0.25 x 152 upwards.
    assert 'aria-label="Confidence against correctness: 50% sure, 25% right"' in drawing


def test_a_risk_coverage_curve_marks_the_point_at_80_percent():
    curve = [RiskPoint(coverage=at / 10, risk=at / 20) for at in range(1, 11)]
    assert operating_point(curve) == RiskPoint(coverage=0.8, risk=0.4)
    drawing = draw_risk_coverage(curve)
    assert "The surest 80% kept: 40.0% wrong" in drawing and "Withheld at random: 50.0% wrong" in drawing
    assert "50.0% of all, 40.0% of the surest 80%, 5.0% of the surest 10%" in drawing


def test_hostile_names_in_a_summary_are_escaped(tmp_path):
    folder = write_made_up_evaluation(
        tmp_path / "out", model="<script>x</script>", per_kind={"<img src=x>": block(0.5)}, verdict=["<b>bold</b>"]
    )
    page = Page(build_evaluation_page(folder))
    assert not [tag for tag, _ in page.tags if tag in ("script", "b")]
    assert all(attrs["src"].startswith("data:") for tag, attrs in page.tags if tag == "img")
