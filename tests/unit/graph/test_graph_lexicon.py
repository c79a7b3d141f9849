"""The lexicon is consistent with itself: every name it refers to is there, and every form means one thing."""

import subprocess
import sys

import pytest

from radrl.graph.hierarchy import ancestors, is_kind_of, parents
from radrl.graph.lexicon import cues
from radrl.graph.lexicon.anatomy import MIDLINE_PLACES, PLACES, SIDED_PLACES
from radrl.graph.lexicon.findings import DEVICES, FINDINGS, SUPPORT_DEVICES, SYNONYMS, canonical_finding, terms
from radrl.graph.lexicon.words import fold, fold_word
from radrl.graph.types import EntityType, entity_type

_CLASSES = {"pleural", "lung", "bone", "stated", "right lung", *SIDED_PLACES, *MIDLINE_PLACES}


def test_the_label_space_is_chexperts():
    assert len(FINDINGS) == 14
    assert set(FINDINGS) <= set(terms())


def test_every_name_that_an_entry_refers_to_is_an_entry():
    for term in terms().values():
        assert term.fact in terms()
        assert set(term.parents) <= set(terms())
        assert term.place in _CLASSES


def test_every_statement_refers_to_known_findings_and_subjects():
    subjects = {place.subject for place in PLACES.values()}
    assert set(cues.stated_findings().values()) <= set(terms())
    assert {subject for subject, _ in cues.stated_findings()} <= subjects
    assert set(cues.normal_means()) <= subjects
    assert {finding for findings in cues.normal_means().values() for finding in findings} <= set(FINDINGS)
    for by in ("qualified", "relocated"):
        for finding, names in cues.renamed(by).items():
            assert {finding, *names.values()} <= set(terms())


def test_every_predicate_that_something_is_stated_by_can_be_said():
    said = {name for names in cues.predicates().values() for name in names}
    said |= {name for names in cues.predicates(strength="weak").values() for name in names}
    assert {predicate for _, predicate in cues.stated_findings()} <= said


def test_no_form_is_claimed_by_two_findings_that_count_as_different_things():
    claimed: dict[str, set[str]] = {}
    for term in terms().values():
        for form in term.forms:
            claimed.setdefault(fold(form), set()).add(term.fact)
    assert {form: facts for form, facts in claimed.items() if len(facts) > 1} == {}


def test_forms_fold_to_themselves_and_parents_end():
    assert all(fold(form) == form for form in PLACES)
    for name in terms():
        assert name not in ancestors(name)


def test_broader_names_follow_chexperts_tree():
    assert parents("edema") == ("lung opacity",)
    assert ancestors("granuloma") == ("lung lesion", "lung opacity")
    assert ancestors("cardiomegaly") == ("enlarged cardiomediastinum",)
    assert ancestors("picc") == ("central line", "support devices")
    assert parents("left upper zone") == ("left lung",)
    assert parents("apex") == ("lung",)
    assert parents("spine") == parents("banana") == ()
    assert is_kind_of("endotracheal tube", SUPPORT_DEVICES)
    assert is_kind_of("edema", "edema")
    assert not is_kind_of("lung opacity", "edema")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pleural effusion", EntityType.DISORDER),
        ("hiatal hernia", EntityType.DISORDER),
        ("endotracheal tube", EntityType.DEVICE),
        ("support devices", EntityType.DEVICE),
        ("sternotomy", EntityType.PROCEDURE),
        ("moderate", EntityType.CONCEPT),
        ("left upper zone", EntityType.ANATOMY),
    ],
)
def test_a_canonical_name_has_one_type(name: str, kind: EntityType):
    assert entity_type(name) is kind


def test_devices_and_synonyms_keep_to_the_label_space():
    assert set(SYNONYMS.values()) == set(FINDINGS)
    assert {canonical_finding(device) for device in DEVICES} <= {SUPPORT_DEVICES, None}
    assert canonical_finding("calcified granulomas") == "lung lesion"
    assert canonical_finding("hiatal hernia") is None


@pytest.mark.parametrize(
    ("word", "folded"), [("Opacities", "opacity"), ("masses", "mass"), ("diaphragms", "diaphragm"), ("bases", "bases")]
)
def test_words_fold_to_their_singular(word: str, folded: str):
    assert fold_word(word) == folded


def test_the_lexicon_is_not_read_before_it_is_needed():
    code = (
        "from radrl.graph.lexicon import findings, tables; from radrl.graph import types; "
        "print(tables.read_table.cache_info().currsize); findings.canonical_finding('effusion'); "
        "print(tables.read_table.cache_info().currsize)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["0", "3"]
