"""The extractor takes any text, gives the same graph for it every time, and costs what the text is long."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrl.errors import PluginError
from radrl.graph.extract import extract
from radrl.graph.extractors.mentions import NUM_REMEMBERED, read_sentence
from radrl.graph.extractors.rules import extract_rules
from radrl.graph.lexicon.anatomy import ANATOMY, SIDED_PLACES
from radrl.graph.lexicon.findings import FINDINGS, terms
from radrl.graph.types import EntityType
from radrl.phantom.report import phantom_reports
from radrl.phantom.scene import FINDINGS as PHANTOM_FINDINGS
from radrl.phantom.world import PhantomWorld

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
    findings = {term.fact for term in terms().values()}
    for fact in graph.triplets:
        assert (fact.tail in names) if fact.relation == "located_at" else (fact.tail in findings)
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
        "1 x " * 300,
        "XXXX ___ " * 200,
        "small left lung " * 60,
        "edema versus pneumonia or " * 40,
        "enlarged calcified heart lungs clear " * 30,
    ],
    ids=[
        "report",
        "list",
        "sides",
        "negations",
        "headings",
        "spaces",
        "lines",
        "marks",
        "sizes",
        "blanks",
        "places",
        "alternatives",
        "predicates",
    ],
)
def test_four_times_the_text_costs_at_most_five_times_the_work(unit: str):
    extract_rules(unit)
    assert _counted(unit * 8) <= 5 * _counted(unit * 2) + 200


def _counted(text: str) -> int:
    """Function calls of a reading without remembered sentences, a measure that a busy machine does not disturb."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    read_sentence.cache_clear()
    sys.setprofile(count)
    try:
        extract_rules(text)
    finally:
        sys.setprofile(None)
    return calls


def test_a_hostile_megabyte_is_read():
    for unit in ("no ", "left effusion or ", "(", "1.5 cm x ", "\u0130"):
        assert extract_rules(unit * (1_000_000 // len(unit))).labels.keys() == set(FINDINGS)


def test_that_side_is_the_one_the_text_spoke_of_last_even_when_the_sentence_is_remembered():
    for side in ("left", "right", "left"):
        graph = extract_rules(f"Large {side} pneumothorax. No effusion on that side.")
        assert {t.tail for t in graph.triplets if t.head == "pleural effusion"} == {f"{side} pleural space"}


def test_the_second_half_of_an_ellipsis_is_an_entity_where_none_stands():
    text = "Effusion on the right, none on the left."
    absent = [entity for entity in extract_rules(text).entities if entity.certainty == "absent"]
    assert [(entity.text, entity.canonical) for entity in absent] == [("none", "pleural effusion")]


def test_abbreviated_degrees_are_severities():
    graph = extract_rules("Sml L eff, mod R PTX, lge LLL atx.")
    severities = {(t.head, t.tail) for t in graph.triplets if t.relation == "modify"}
    assert severities == {("mild", "pleural effusion"), ("moderate", "pneumothorax"), ("severe", "atelectasis")}


def test_remembered_sentences_change_nothing_and_their_number_is_bounded():
    read_sentence.cache_clear()
    first = extract_rules(_REPORT)
    misses = read_sentence.cache_info().misses
    again = extract_rules(f"IMPRESSION: {_REPORT}")
    assert read_sentence.cache_info().misses <= misses + 1
    assert again.triplets == first.triplets
    shift = again.entities[0].start - first.entities[0].start
    assert [(e.start - shift, e.canonical) for e in again.entities] == [(e.start, e.canonical) for e in first.entities]
    assert read_sentence.cache_info().maxsize == NUM_REMEMBERED


def test_the_same_sentence_twice_is_two_mentions_and_one_fact():
    graph = extract_rules("Left effusion. Left effusion.")
    assert [entity.canonical for entity in graph.entities].count("pleural effusion") == 2
    assert len(graph.triplets) == 1


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_phantom_reports_are_read_as_they_are_meant(seed: int):
    right = total = 0
    spoken: set[str] = set()
    for report in phantom_reports(PhantomWorld(seed=seed), num=150):
        stated, found = set(report.triplets), extract_rules(report.text).triplets
        right += 2 * len(stated & found)
        total += len(stated) + len(found)
        spoken |= {triplet.head for triplet in stated}
    assert spoken >= set(PHANTOM_FINDINGS)
    assert right / total >= 0.98


def _mentions(text: str) -> dict[str, tuple[str, str, str]]:
    return {e.text: (e.type.value, e.canonical, e.certainty) for e in extract_rules(text).entities}


def test_mentions_carry_their_own_kind_beside_the_label_they_count_as():
    graph = extract_rules("Calcified granuloma in the right apex. Right PICC. Status post CABG.")
    kinds = {entity.text: (entity.type.value, entity.canonical) for entity in graph.entities}
    assert kinds["Calcified granuloma"] == ("disorder", "granuloma")
    assert kinds["PICC"] == ("device", "picc")
    assert kinds["CABG"] == ("procedure", "coronary artery bypass")
    assert graph.labels["lung lesion"] == graph.labels["support devices"] == "present"
    assert {triplet.head for triplet in graph.triplets} == {"lung lesion", "support devices", "coronary artery bypass"}


def test_a_size_modifies_its_finding_and_states_no_fact():
    graph = extract_rules("A 4.6 cm x 3.7 cm mass in the left lower lobe.")
    size = next(entity for entity in graph.entities if entity.type is EntityType.SIZE)
    mass = next(entity for entity in graph.entities if entity.canonical == "mass")
    assert size.text == "4.6 cm x 3.7 cm"
    assert any((r.head, r.relation, r.tail) == (size.id, "modify", mass.id) for r in graph.relations)
    assert {triplet.relation for triplet in graph.triplets} == {"located_at"}


def test_a_remark_without_a_finding_is_a_concept_on_its_place():
    graph = extract_rules("The trachea is midline.")
    assert _mentions("The trachea is midline.") == {
        "trachea": ("anatomy", "trachea", "present"),
        "midline": ("concept", "midline", "present"),
    }
    assert [relation.relation for relation in graph.relations] == ["modify"]
    assert graph.triplets == frozenset()


def test_how_much_a_finding_changed_is_not_how_severe_it_is():
    assert {t.relation for t in extract_rules("Left effusion has slightly decreased.").triplets} == {"located_at"}
    assert {t.head for t in extract_rules("Stable mild edema.").triplets if t.relation == "modify"} == {"mild"}


def test_a_denied_finding_has_no_severity():
    assert {t.relation for t in extract_rules("No large effusion.").triplets} == {"located_at"}
