"""The extractor takes any text, gives the same graph for it every time, and costs what the text is long."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.errors import PluginError
from radrl.graph.extract import extract
from radrl.graph.extractors.rules import extract_rules
from radrl.graph.lexicon.anatomy import ANATOMY, SIDED_PLACES
from radrl.graph.lexicon.findings import FINDINGS

_VOCABULARY = """
no not without possible left right bilateral upper lower zone lung heart effusion pneumothorax edema opacity fracture is
are seen and or but with normal clear enlarged suggesting versus small resolved tube rib otherwise nothing abnormality
cannot be excluded the in at of likely HISTORY: FINDINGS: . , ; : ? ✅ ❌ <think> ( )
"""
_WORDS = st.sampled_from(_VOCABULARY.split())
_REPORT = (
    "The heart is mildly enlarged. There is a moderate left pleural effusion with adjacent atelectasis. "
    "No pneumothorax or focal consolidation. The endotracheal tube ends above the carina. "
)


@given(st.text(max_size=300))
def test_any_text_has_a_graph(text: str):
    assert set(extract_rules(text).labels.values()) <= {"present", "absent", "uncertain", None}


@given(st.lists(_WORDS, max_size=40).map(" ".join))
def test_every_graph_is_well_formed(text: str):
    graph = extract_rules(text)
    ids = [entity.id for entity in graph.entities]
    assert len(set(ids)) == len(ids)
    assert {end for relation in graph.relations for end in (relation.head, relation.tail)} <= set(ids)
    for entity in graph.entities:
        assert entity.text == text[entity.start : entity.end] != ""
    names = {*ANATOMY, *SIDED_PLACES}
    for fact in graph.triplets:
        assert (fact.tail in names) if fact.relation == "located_at" else (fact.tail in FINDINGS)
    assert set(graph.labels) == set(FINDINGS)


def test_an_unknown_extractor_is_named_with_the_nearest_known_one():
    with pytest.raises(PluginError, match="Did you mean rules"):
        extract("Left effusion.", extractor="rule")


def test_another_process_with_other_hashes_gives_the_same_json():
    code = f"import json; from radrl.graph.extract import extract; print(json.dumps(extract({_REPORT!r}).to_json()))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "pleural effusion" in outputs.pop()


def test_extraction_loads_no_heavy_library():
    code = (
        "import sys; from radrl.graph.extract import extract; extract('Left effusion.'); "
        "print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "unit",
    [
        _REPORT * 4,
        "no effusion, " * 60,
        "left " * 150,
        "not " * 150,
        "history: " * 80,
        " " * 2000,
        "\n" * 2000,
        "!" * 2000,
    ],
    ids=["report", "list", "sides", "negations", "headings", "spaces", "lines", "marks"],
)
def test_four_times_the_text_costs_at_most_five_times_the_work(unit: str):
    extract_rules(unit)
    steps = _counted(lambda: extract_rules(unit * 2))
    assert _counted(lambda: extract_rules(unit * 8)) <= 5 * steps + 200


def _counted(work: Callable[[], object]) -> int:
    """Function calls made, a measure of work that a busy machine does not disturb."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls
