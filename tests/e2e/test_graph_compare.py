"""Spec row 88: `radrl graph-compare A B`, from files of every form to its table, JSON and drawings."""

import json
from pathlib import Path

import pytest
from processes import radrl
from selenium.webdriver.common.by import By
from test_report_browser import browser  # noqa: F401

from radrl.graph.extract import extract

REFERENCES = ("Left effusion. No pneumothorax.", "Mild cardiomegaly. Left rib fracture.", "The lungs are clear.")
PREDICTIONS = ("Right effusion. Left pneumothorax.", "Severe cardiomegaly. Edema.", "The lungs are clear.")


def write(path: Path, rows: list[dict[str, object]]) -> str:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path.name


def compare(folder: Path, *arguments: str) -> dict[str, dict[str, object]]:
    ended = radrl("graph-compare", *arguments, "--out", "out.json", folder=folder)
    assert ended.code == 0, ended.output
    assert "hallucination_rate" in ended.output
    assert "not for clinical use" in ended.output.lower()
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def values(found: dict[str, dict[str, object]]) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in found["metrics"].items()}  # type: ignore[index,misc]


def traces(texts: tuple[str, ...], field: str) -> list[dict[str, object]]:
    return [
        {"id": f"s{number}", "patient_id": f"p{number}", field: f"<think>{text}</think><answer>no finding</answer>"}
        for number, text in enumerate(texts)
    ]


def test_row_88_predictions_against_references_worked_by_hand(tmp_path):
    a = write(tmp_path / "a.jsonl", traces(PREDICTIONS, "generated_text"))
    b = write(tmp_path / "b.jsonl", list(reversed(traces(REFERENCES, "explanation"))))
    found = compare(tmp_path, a, b, "--html", "out.html")
    assert found["alignment"] == "id"
    assert found["counts"] == {
        "pairs": 3, "patients": 3, "empty_predictions": 0, "empty_references": 0, "both_empty": 0,
    }  # fmt: skip
    metrics = values(found)
    # Claimed: effusion, pneumothorax; cardiomegaly, edema. True: effusion; cardiomegaly, fracture.
    assert metrics["hallucination_rate"] == pytest.approx(2 / 4)
    assert metrics["omission_rate"] == pytest.approx(1 / 3)
    # In common: effusion, pneumothorax (opposite), cardiomegaly, and what clear lungs deny.
    num_denied = sum(claim == "absent" for name, claim in extract(REFERENCES[2]).labels.items() if name != "no finding")
    assert metrics["contradiction_rate"] == pytest.approx(1 / (3 + num_denied))
    assert metrics["laterality_error_rate"] == pytest.approx(1 / 1), "only the effusions have a side in both"
    assert metrics["severity_error"] == pytest.approx(2.0)
    # Shared triplets: of cardiomegaly, and the denied ones of the clear lungs; see the unit tests of the rates.
    assert 0 < metrics["triplet_recall_macro"] < 1
    assert found["metrics"]["hallucination_rate"]["low"] is not None
    assert found["intervals"]["unit"] == "patients"

    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.count('<svg class="graphs" ') == 3
    assert page.index(">s0</h2>") < page.index(">s2</h2>"), "the pair that differs most comes first"


def test_row_88_the_files_of_the_seeds_tool_give_its_number(tmp_path):
    def record(key: str, entities: dict[str, str]) -> dict[str, object]:
        return {"doc_key": key, "explanation": "text", "entities": entities, "relations": []}

    present, absent = "disorder_present", "disorder_notpresent"
    gold = [record("0", {"effusion": present, "left": "concept"}), record("1", {"edema": present})]
    predicted = [record("0", {"effusion": present}), record("1", {"edema": absent})]
    metrics = values(
        compare(tmp_path, write(tmp_path / "pred_kg.json", predicted), write(tmp_path / "gt_kg.json", gold))
    )
    assert metrics["legacy_entity_precision"] == pytest.approx((1 + 0) / 2)
    assert metrics["legacy_entity_recall"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["legacy_entity_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert metrics["contradiction_rate"] == pytest.approx(1 / 2)


def test_plain_lines_and_graph_lines_are_aligned_by_order(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(PREDICTIONS), encoding="utf-8")
    graphs = write(tmp_path / "b.jsonl", [extract(text).to_json() for text in REFERENCES])
    found = compare(tmp_path, "a.txt", graphs)
    assert found["alignment"] == "order"
    assert found["intervals"]["unit"] == "pairs"
    assert values(found)["hallucination_rate"] == pytest.approx(2 / 4)


def test_several_predictions_share_a_reference(tmp_path):
    a = write(tmp_path / "a.jsonl", [{"id": "s0", "text": text} for text in ("Left effusion.", "Edema.")])
    b = write(tmp_path / "b.jsonl", [{"id": "s0", "text": "Left effusion."}])
    assert values(compare(tmp_path, a, b))["hallucination_rate"] == pytest.approx(1 / 2)


def test_a_text_against_itself_has_no_errors(tmp_path):
    a = write(tmp_path / "a.jsonl", traces(REFERENCES, "text"))
    metrics = values(compare(tmp_path, a, a))
    rates = ("hallucination_rate", "omission_rate", "contradiction_rate", "laterality_error_rate", "severity_error")
    assert [metrics[name] for name in rates] == [0, 0, 0, 0, 0]
    assert {name: value for name, value in metrics.items() if name not in rates and value != 1} == {}


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([{"text": "a"}], [{"text": "a"}, {"text": "b"}], "holds 1 entries and b.jsonl holds 2"),
        (
            [{"id": 1, "text": "a"}],
            [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}],
            "predicts 1 ids and b.jsonl refers to 2, of which 1 are in both; '2' is in only one",
        ),
        ([{"id": 1, "text": "a"}], [{"id": 1, "text": "a"}] * 2, "holds 2 references with the id '1'"),
        ([{"txt": "a"}], [{"text": "a"}], "record 1 of a.jsonl has neither a text"),
        ([{"entities": {"a": "tumour"}}], [{"text": "a"}], "'tumour', which is no ReXKG type"),
    ],
)
def test_files_that_do_not_match_are_refused_with_their_counts(tmp_path, a, b, message):
    names = write(tmp_path / "a.jsonl", a), write(tmp_path / "b.jsonl", b)
    ended = radrl("graph-compare", *names, folder=tmp_path)
    assert ended.code == 2
    assert message in ended.output.replace("\n", " ")
    assert "Traceback" not in ended.output


@pytest.mark.browser
def test_the_page_opens_from_disk_and_its_labels_neither_overlap_nor_leave_their_boxes(tmp_path, browser):  # noqa: F811
    a = write(tmp_path / "a.jsonl", traces(PREDICTIONS, "text"))
    b = write(tmp_path / "b.jsonl", traces(REFERENCES, "text"))
    compare(tmp_path, a, b, "--html", "out.html")
    browser.get((tmp_path / "out.html").as_uri())
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    for drawing in browser.find_elements(By.CSS_SELECTOR, "svg.graphs:not(.sample)"):
        assert drawing.size["width"] > 980
    assert browser.execute_script(_NUM_OVERLAPS) == 0
    assert browser.execute_script(_NUM_OUTSIDE) == 0


_NUM_OVERLAPS = """
const labels = [...document.querySelectorAll("svg.graphs:not(.sample) .node > text")];
const boxes = labels.map(label => label.getBoundingClientRect());
let overlaps = 0;
boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
  const apart = a.right <= b.left || b.right <= a.left || a.bottom - 4 <= b.top || b.bottom - 4 <= a.top;
  overlaps += apart ? 0 : 1;
}));
return overlaps;
"""
_NUM_OUTSIDE = """
let outside = 0;
document.querySelectorAll("svg.graphs:not(.sample) .node").forEach(node => {
  const box = node.querySelector("rect, polygon").getBoundingClientRect();
  node.querySelectorAll(":scope > text").forEach(text => {
    const label = text.getBoundingClientRect();
    outside += label.left < box.left || label.right > box.right ? 1 : 0;
  });
});
return outside;
"""
