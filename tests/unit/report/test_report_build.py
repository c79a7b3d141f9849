import base64
import gzip
import json
import re
from pathlib import Path

import pytest
from made_up_run import HOSTILE, write_evaluation, write_jsonl, write_run

from radrl.errors import DataError
from radrl.report import build_report
from radrl.report.viewer import embed_json

OPTIONAL = ("completions.jsonl", "config.yaml", "command.txt", "environment.json")


def page_of(run: Path, **limits: int) -> str:
    return build_report(run, **limits).read_text(encoding="utf-8")


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="rollouts">(.*?)</script>', page, re.S)[1])


def test_the_report_of_a_run_lies_in_its_folder_and_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    run = write_run(tmp_path / "phantom" / "demo")
    page = page_of(run)
    assert (run / "report.html").exists()
    assert "phantom / demo" in page
    assert re.findall(r"https?://", page) == []
    assert re.findall(r'(?:src|href)="(?!#)', page) == []


def test_out_names_the_file_and_its_folder_is_made(tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "page.html"
    assert build_report(write_run(tmp_path / "run"), out=out) == out
    assert out.exists()


def test_every_section_says_that_this_is_research_software(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    assert page.count("<footer>Research software, not for clinical use.") == page.count("<section") + 1


def test_the_result_names_both_accuracies_and_that_their_intervals_are_apart(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    assert "After training, the model answered 55.0% (95% interval 50.0 to 60.0) of 40 questions exactly right." in page
    assert "Before, it was 30.0% (95% interval 25.0 to 35.0); the intervals are apart" in page
    assert "+25.0" in page


def test_a_model_no_better_than_a_blind_row_is_said_to_be_at_chance(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write_evaluation(run / "evaluation" / "rl", accuracy=0.30, seed=2)
    assert "This is at chance" in page_of(run)


def test_a_script_tag_in_a_completion_cannot_end_the_data_or_become_markup(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run", hostile=HOSTILE))
    data = re.search(r'id="rollouts">(.*?)</script>', page, re.S)[1]
    assert page.count("<script") == page.count("</script>") == 2
    assert "hacked" not in page.replace(data, "")
    assert not re.search("[<>&]", data)
    assert set(HOSTILE) <= {rollout["completion"] for rollout in data_of(page)["rollouts"]}


def test_hostile_stages_kinds_and_configurations_are_escaped(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write_jsonl(run / "metrics.jsonl", [{"step": s, "stage": f"<img src=x>{s}", "outcome/mean": 0.5} for s in (1, 2)])
    page = page_of(run)
    assert "<img" not in page
    assert "&lt;img src=x&gt;1" in page
    assert "<b>phantom" not in page
    assert "&lt;b&gt;phantom" in page


def test_embedded_json_holds_no_character_that_html_reads_and_reads_back_equal() -> None:
    value = {"text": "</script><!-- & \u2028\u2029 ✅ \ud83d"}
    text = embed_json(value)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == value


def test_a_radiograph_shared_by_rollouts_is_embedded_once(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    data = data_of(page)
    assert len(data["rollouts"]) == 6 * 4 * 4
    assert len(data["images"]) == 3
    assert page.count("data:image/") == 3


def test_the_page_keeps_to_its_size_by_leaving_rollouts_out_and_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    whole = len(page_of(run).encode())
    limit = whole - 60_000
    page = page_of(run, max_bytes=limit)
    num_shown = len(data_of(page)["rollouts"])
    assert len(page.encode()) <= limit
    assert 0 < num_shown < 96
    assert f"{num_shown} of 96 are on this page" in page
    assert "left out to keep the page under" in page


def test_a_size_that_leaves_no_room_for_a_page_is_an_error_that_says_what_to_raise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Raise max_bytes"):
        build_report(write_run(tmp_path / "run"), max_bytes=1000)


def test_max_rollouts_bounds_what_is_embedded_and_both_stages_stay(tmp_path: Path) -> None:
    rollouts = data_of(page_of(write_run(tmp_path / "run"), max_rollouts=6))["rollouts"]
    assert len(rollouts) == 6
    assert {rollout["stage"] for rollout in rollouts} == {"closed", "open"}


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_run_without_an_optional_file_still_has_a_report(tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path / "run")
    (run / name).unlink()
    page = page_of(run)
    if name != "command.txt":
        assert f"No {name}" in page


def test_metrics_alone_make_a_report_that_says_what_is_missing(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "metrics.jsonl", [{"step": 1, "stage": "", "outcome/mean": 0.5}])
    page = page_of(tmp_path)
    assert "No evaluation is in this folder" in page
    assert "No confidence was recorded" in page
    assert "Correct answers while training" in page


def test_an_evaluation_alone_makes_a_report(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "evaluation" / "mine", accuracy=0.5, seed=0)
    assert "The model answered 50.0%" in page_of(tmp_path)


def test_a_folder_with_nothing_to_report_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Give the folder of a run"):
        build_report(tmp_path)


def test_a_malformed_line_is_named_by_file_and_number(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    path = run / "completions.jsonl"
    path.write_text("{broken\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1 of .*completions\.jsonl is not JSON"):
        build_report(run)


def test_an_unfinished_last_line_of_a_run_still_writing_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    with (run / "completions.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 7, "stage"')
    assert "96 of 96 are on this page" in page_of(run)


def test_a_missing_radiograph_is_said_to_be_missing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "images" / "film0.png").unlink()
    data = data_of(page_of(run))
    keys = {image["path"]: image["key"] for rollout in data["rollouts"] for image in rollout["images"]}
    assert keys["film0.png"] is None
    assert keys["film1.png"] in data["images"]


def test_the_drawings_of_facts_are_packed_to_a_small_part_of_their_size(tmp_path: Path) -> None:
    data = data_of(page_of(write_run(tmp_path / "run")))
    drawings = json.loads(gzip.decompress(base64.b64decode(data["drawings"])))
    assert all(drawings[rollout["drawing"]].startswith("<svg") for rollout in data["rollouts"])
    assert len(data["drawings"]) < 0.1 * sum(map(len, drawings))


def test_two_builds_of_one_run_are_the_same_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert page_of(run) == page_of(run)


def test_a_graph_of_too_many_names_is_listed_and_not_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", num_steps=1, group_size=1)
    facts = [[f"finding {n}", "located_at", f"place {n}", "present"] for n in range(13)]
    records = [json.loads(line) for line in (run / "completions.jsonl").read_text(encoding="utf-8").splitlines()]
    write_jsonl(run / "completions.jsonl", [records[0] | {"triplets": facts}, records[1] | {"triplets": facts[:12]}])
    data = data_of(page_of(run))
    drawings = json.loads(gzip.decompress(base64.b64decode(data["drawings"])))
    many, few = data["rollouts"]
    assert len(many["facts"]) >= 13
    assert drawings[many["drawing"]] == ""
    assert drawings[few["drawing"]].startswith("<svg")


def test_every_reward_has_weight_gate_and_stage_beside_its_name(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    assert "only when this step is as good as the moving average, and this answer is right" in page
    assert "Steps 1 to 3 of 40 planned: it ended early by its rule." in page
    assert "Set: mode triplets." in page
    assert "Open in 50% of the steps" in page
    assert "Answers without a score: it was too slow on 12%, failed on 12%" in page


def test_every_chart_over_steps_names_the_stages(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path / "run"))
    charts = [chart for chart in re.findall(r'<svg class="chart".*?</svg>', page, re.S) if "polyline" in chart]
    assert len(charts) > 8
    assert all(">1 closed<" in chart and ">2 open<" in chart for chart in charts)


def test_a_configuration_of_another_version_costs_the_weights_and_not_the_report(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "config.yaml").write_text("trainer: {no_such_key: 1}\n", encoding="utf-8")
    assert "so the weights of the parts are not shown" in page_of(run)
