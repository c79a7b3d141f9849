"""Graphs side by side: who agrees, where things stand, and a page that opens from disk."""

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import FINDINGS
from radrl.graph.types import KnowledgeGraph
from radrl.report.graph_layout import PairLayout, Side, lay_out
from radrl.report.graphs import DrawnPair, graph_pair_svg, highlight, write_graph_page
from radrl.types import Triplet

_REFERENCE = "Small left pleural effusion. No pneumothorax. Cardiomegaly."
_PREDICTION = "Small right pleural effusion. Left pneumothorax."
_SOURCES = {"predictions": "a.jsonl", "references": "b.jsonl", "extractor": "rules"}


def layout(predicted: str, reference: str) -> PairLayout:
    return lay_out(predicted=extract(predicted), reference=extract(reference))


def nodes(side: Side) -> dict[str, str]:
    return {f"{node.name} {node.certainty}": node.agreement for node in side.nodes}


def facts(side: Side) -> dict[tuple[str, str], str]:
    return {(edge.fact.head, edge.fact.tail): edge.agreement for edge in side.edges}


def draw(predicted: str, reference: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(graph_pair_svg(extract(predicted), extract(reference))))


def test_every_node_says_whether_the_other_side_agrees():
    drawn = layout(_PREDICTION, _REFERENCE)
    reference = nodes(drawn.reference)
    assert reference["pleural effusion present"] == "shared"
    assert reference["pneumothorax absent"] == "contradicted"
    assert reference["cardiomegaly present"] == "own"
    assert nodes(drawn.predicted)["pneumothorax present"] == "contradicted"


def test_every_fact_says_whether_the_other_side_agrees():
    drawn = layout(_PREDICTION, _REFERENCE)
    assert facts(drawn.reference)["mild", "pleural effusion"] == "shared"
    assert facts(drawn.reference)["pleural effusion", "left pleural space"] == "own"
    assert facts(drawn.predicted)["pleural effusion", "right pleural space"] == "own"
    assert facts(drawn.predicted)["pneumothorax", "left pleural space"] == "contradicted"


def test_uncertainty_is_no_contradiction():
    drawn = layout("Possible left effusion.", "Left effusion.")
    assert nodes(drawn.predicted)["pleural effusion uncertain"] == "own"


def test_what_both_say_and_what_they_dispute_stands_at_one_height():
    drawn = layout(_PREDICTION, _REFERENCE)
    places = [
        {node.name: (node.column, node.row) for node in side.nodes} for side in (drawn.reference, drawn.predicted)
    ]
    for name in places[0].keys() & places[1].keys():
        assert places[0][name] == places[1][name], name
    assert "pneumothorax" in places[0].keys() & places[1].keys()


def test_a_finding_that_one_text_asserts_and_denies_is_two_nodes():
    drawn = layout("Left effusion. No right effusion.", "Left effusion.")
    found = nodes(drawn.predicted)
    assert (found["pleural effusion present"], found["pleural effusion absent"]) == ("shared", "own")
    rows = {(node.column, node.row) for node in drawn.predicted.nodes}
    assert len(rows) == len(drawn.predicted.nodes), "no two nodes share a place"


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [
        (_PREDICTION, _REFERENCE),
        ("", _REFERENCE),
        (_PREDICTION, ""),
        ("", ""),
        ("Right upper lobe opacity suggesting pneumonia.", "Opacity suggesting edema or pneumonia."),
    ],
)
def test_a_drawing_is_well_formed_and_names_every_node_and_fact(predicted: str, reference: str):
    svg = draw(predicted, reference)
    drawn = layout(predicted, reference)
    classes = [element.get("class", "").split()[0] for element in svg.iter() if element.get("class")]
    assert classes.count("node") == len(drawn.reference.nodes) + len(drawn.predicted.nodes)
    assert classes.count("edge") == len(drawn.reference.edges) + len(drawn.predicted.edges)
    assert classes.count("empty-graph") == (not predicted) + (not reference)


def test_agreement_is_marked_by_a_sign_and_not_by_colour_alone():
    svg = draw(_PREDICTION, _REFERENCE)
    signs = {
        (group.get("class") or "").split()[2]: "".join(group.find("g").itertext())  # type: ignore[union-attr]
        for group in svg.iter("g")
        if (group.get("class") or "").startswith("node")
    }
    assert signs == {"shared": "=", "contradicted": "\u2260", "missed": "\u2212"}
    assert "only the prediction says so" in str(graph_pair_svg(extract("Left effusion."), extract("")))


def test_denied_and_suspected_findings_are_written_out():
    words = " ".join(draw("Possible edema. No fracture.", "").itertext())
    assert "possible edema" in words
    assert "no fracture" in words


def _boxes(svg: ElementTree.Element) -> list[tuple[float, float, float, float, list[str]]]:
    """x, y, width, height and lines of every node, panel by panel apart."""
    boxes = []
    for number, panel in enumerate(svg.findall("g")):
        for group in panel.findall("g"):
            rect, polygon = group.find("rect"), group.find("polygon")
            lines = ["".join(text.itertext()) for text in group.findall("text")]
            if rect is not None:
                x, y, width, height = (float(rect.get(name, "0")) for name in ("x", "y", "width", "height"))
            elif polygon is not None:
                points = [tuple(map(float, pair.split(","))) for pair in (polygon.get("points") or "").split()]
                x, y = min(px for px, _ in points), min(py for _, py in points)
                width, height = max(px for px, _ in points) - x, max(py for _, py in points) - y
            else:
                continue
            boxes.append((x + 1000 * number, y, width, height, lines))
    return boxes


def test_labels_of_large_graphs_do_not_overlap_and_fit_their_boxes():
    names = [name for name in FINDINGS if name != "no finding"][:10]
    triplets = [
        Triplet(head=name, relation="located_at", tail=tail, certainty="uncertain")
        for number, name in enumerate(names)
        for tail in (f"right costophrenic angle {number}", "left costophrenic angle")
    ]
    graph = KnowledgeGraph.from_triplets(triplets)
    boxes = _boxes(ElementTree.fromstring(str(graph_pair_svg(graph, graph))))
    assert len(boxes) >= 2 * 21
    for index, (x, y, width, height, lines) in enumerate(boxes):
        assert 1 <= len(lines) <= 2
        assert all(len(line) * 6.4 <= width - 20 for line in lines), lines
        for other_x, other_y, other_width, other_height, _ in boxes[index + 1 :]:
            is_beside = x + width <= other_x or other_x + other_width <= x
            is_above_or_below = y + height <= other_y or other_y + other_height <= y
            assert is_beside or is_above_or_below


def test_a_very_long_name_is_cut_in_the_box_and_whole_in_its_title():
    name = "a finding that some other back end spells out at very great length indeed"
    graph = KnowledgeGraph.from_triplets([Triplet(head=name, relation="located_at", tail="spine")])
    svg = str(graph_pair_svg(graph, graph))
    assert "\u2026" in svg
    assert f"<title>{name} (finding)" in svg


def test_mentions_are_marked_in_the_text_and_markup_in_it_stays_text():
    text = "<b>Left</b> effusion & no edema"
    graph = extract(text)
    side = lay_out(predicted=extract(""), reference=graph).reference
    html = str(highlight(text, graph, side=side, own="missed"))
    assert re.sub("</?mark[^>]*>", "", html) == "&lt;b&gt;Left&lt;/b&gt; effusion &amp; no edema"
    assert re.findall('<mark class="([^"]*)" title="([^"]*)">effusion', html) == [
        ("disorder missed", "pleural effusion")
    ]
    assert 'title="no edema">edema' in html


def _page(tmp_path: Path, **changes: object) -> str:
    pair = {
        "id": "s1",
        "note": "Graph F1 0.5.",
        "predicted": extract(_PREDICTION),
        "reference": extract(_REFERENCE),
        "predicted_text": _PREDICTION,
        "reference_text": _REFERENCE,
        **changes,
    }
    path = write_graph_page(tmp_path / "new" / "graphs.html", [DrawnPair(**pair)], _SOURCES, num_all=9)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def test_the_page_holds_no_script_and_nothing_from_a_network(tmp_path: Path):
    html = _page(tmp_path)
    assert "default-src 'none'; style-src 'sha256-" in unescape(html)
    assert "<script" not in html
    assert not re.search(r"(src|href)\s*=", html)
    assert "not for clinical use" in html
    assert "The 1 of 9 pairs that differ most" in html


def test_hostile_ids_and_texts_stay_text(tmp_path: Path):
    hostile = "<img src=x onerror=alert(1)> left effusion \ud800"
    html = _page(tmp_path, id=hostile, predicted_text=hostile, predicted=extract(hostile))
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_a_graph_without_a_text_says_so(tmp_path: Path):
    assert "The file holds a graph and no text." in _page(tmp_path, predicted_text=None)
