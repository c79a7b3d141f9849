"""The demo over real films, where `RADRL_REAL_CXR` names a folder of them. Nothing of it is kept."""

import json
import os
import re
from pathlib import Path

import pytest

from radrl.demo import demo_from

FOLDER = os.environ.get("RADRL_REAL_CXR")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="RADRL_REAL_CXR names no folder of real radiographs"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return demo_from([f"real_cxr={FOLDER}", f"out={tmp_path_factory.mktemp('real') / 'demo'}"])


@pytest.fixture(scope="module")
def summary(run):
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def read_rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_demo_says_that_its_result_on_real_films_is_at_chance(run, summary):
    assert set(summary["per_kind"]) == {"presence", "view", "closed", "open", "list", "order"}
    assert all(0 <= summary["accuracy"][when]["value"] <= 1 for when in ("sft", "rl"))
    assert summary["ood"] == {}
    worth, films = summary["notes"]
    assert "at chance" in worth and "Not for clinical use" in worth and films.startswith("Films: ")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "The result is at chance" in page


def test_no_patient_is_in_two_parts(run):
    parts = [
        {row["patient_id"] for row in read_rows(run / "data" / f"{name}.jsonl")} for name in ("warm_up", "pool", "test")
    ]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts))


def test_every_stage_trained_and_looked_at_one_and_at_two_films(run):
    rollouts = read_rows(run / "completions.jsonl")
    assert {rollout["stage"] for rollout in rollouts} == {"closed", "open"}
    assert {len(rollout["images"]) for rollout in rollouts} == {1, 2}


def test_the_report_shows_the_films_and_the_run_keeps_no_copy(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="rollouts">(.*?)</script>', page, re.DOTALL)
    assert found
    shown = json.loads(found.group(1))
    keys = {image["key"] for rollout in shown["rollouts"] for image in rollout["images"]}
    assert keys == set(shown["images"])
    assert not [path for path in run.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png")]
