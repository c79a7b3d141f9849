"""Annotated sentences of phantom reports: exact, complete and after ReXKG's guideline."""

from collections import Counter

import numpy as np
import pytest

from radrl.graph.rexkg.labels import MAX_SPAN_WORDS, LabelledSentence
from radrl.graph.rexkg.sentences import split
from radrl.phantom.annotation import annotate_report, annotated_reports
from radrl.phantom.report import Line, Report, write_report
from radrl.phantom.sampling import draw_patient
from radrl.phantom.scene import Fact, Study
from radrl.phantom.world import PhantomWorld

WORLD = PhantomWorld(seed=3)


@pytest.fixture(scope="module")
def sentences() -> list[LabelledSentence]:
    return annotated_reports(300, split_name="train", world=WORLD)


def report(*lines: Line, impression: str = "") -> Report:
    return Report(findings=" ".join(line.text for line in lines), impression=impression, triplets=(), lines=lines)


def entities(sentence: LabelledSentence) -> dict[str, str]:
    return {" ".join(sentence.words[span.start : span.end + 1]): span.label for span in sentence.spans}


def relations(sentence: LabelledSentence) -> set[tuple[str, str, str]]:
    return {(sentence.words[e.head.start], e.label, sentence.words[e.tail.start]) for e in sentence.edges}


def test_a_side_modifies_the_place_and_a_degree_the_disorder():
    line = Line(text="There is a moderate right pleural effusion.", phrase="moderate right pleural effusion")
    (sentence, *_) = annotate_report(report(line), doc_key="s")
    assert " ".join(sentence.words) == "findings : there is a moderate right pleural effusion"
    assert entities(sentence) == {
        "moderate": "concept",
        "right": "concept",
        "pleural": "anatomy",
        "effusion": "disorder_present",
    }
    assert relations(sentence) == {
        ("effusion", "located_at", "pleural"),
        ("right", "modify", "pleural"),
        ("moderate", "modify", "effusion"),
    }


def test_a_denial_is_in_the_type_and_no_is_no_entity():
    line = Line(text="No pneumothorax is seen.", phrase="pneumothorax", certainty="absent")
    (sentence, *_) = annotate_report(report(line), doc_key="s")
    assert entities(sentence) == {"pneumothorax": "disorder_notpresent"}
    line = Line(text="There are no support devices.", phrase="support devices", certainty="absent")
    assert entities(annotate_report(report(line), doc_key="s")[0]) == {"support devices": "devices_notpresent"}


def test_a_device_without_anatomy_takes_its_side_itself():
    line = Line(text="Left chest tube is seen.", phrase="left chest tube")
    (sentence, *_) = annotate_report(report(line), doc_key="s")
    assert entities(sentence) == {"left": "concept", "chest tube": "devices_present"}
    assert relations(sentence) == {("left", "modify", "chest")}


def test_words_of_course_are_concepts_without_relations():
    (sentence, *_) = annotate_report(report(Line(text="This has progressed since the prior study.")), doc_key="s")
    assert (entities(sentence), sentence.edges) == ({"progressed": "concept"}, ())


def test_a_line_that_is_said_twice_is_annotated_twice():
    line = Line(text="Possible edema.", phrase="edema", certainty="uncertain")
    found = annotate_report(report(line, line), doc_key="s")
    assert [entities(sentence) for sentence in found[:2]] == [{"edema": "disorder_present"}] * 2


def test_keys_name_the_study_and_the_sentence_as_the_text_is_split(sentences: list[LabelledSentence]):
    assert sentences[0].doc_key == "p19990000000-s0_0"
    assert len({sentence.doc_key for sentence in sentences}) == len(sentences)


def test_the_words_are_those_that_the_back_end_will_read():
    study = _study(Fact(name="lung lesion", side="left", zone="upper", shape=(0.5,) * 8))
    written = write_report(study, classes=WORLD.findings, rng=np.random.default_rng(0))
    found = annotate_report(written, doc_key="s")
    assert [sentence.words for sentence in found] == [sentence.tokens for sentence in split(written.text)]


def test_every_word_of_every_phrase_has_a_type():
    for number in range(200):
        world = PhantomWorld(seed=number % 3, max_findings=6)
        rng = np.random.default_rng(number)
        study = _study(*(_fact(name, rng) for name in world.findings if name != "pneumonia" and rng.random() < 0.3))
        written = write_report(study, classes=world.findings, rng=rng)
        marked = {
            (sentence.doc_key, place)
            for sentence in annotate_report(written, doc_key="s")
            for span in sentence.spans
            for place in range(span.start, span.end + 1)
        }
        wanted = sum(len(line.phrase.split()) for line in written.lines)
        assert len(marked) == wanted, written.text


def test_all_relations_and_all_types_the_world_has_occur(sentences: list[LabelledSentence]):
    types = Counter(span.label for sentence in sentences for span in sentence.spans)
    assert set(types) == {
        "size",
        "anatomy",
        "disorder_present",
        "disorder_notpresent",
        "concept",
        "devices_present",
        "devices_notpresent",
    }
    assert {edge.label for sentence in sentences for edge in sentence.edges} == {
        "located_at",
        "suggestive_of",
        "modify",
    }


def test_relations_join_entities_of_their_sentence_in_the_direction_of_the_guideline(
    sentences: list[LabelledSentence],
):
    sources = {
        "located_at": {"disorder_present", "disorder_notpresent"},
        "modify": {"concept", "size"},
        "suggestive_of": {"disorder_present"},
    }
    for sentence in sentences:
        assert all(edge.head in sentence.spans and edge.tail in sentence.spans for edge in sentence.edges)
        assert all(edge.head.label in sources[edge.label] for edge in sentence.edges)
        assert all(span.end - span.start < MAX_SPAN_WORDS for span in sentence.spans)
        assert len({(span.start, span.end) for span in sentence.spans}) == len(sentence.spans)


def test_a_finding_suggests_what_it_is_and_a_size_is_one_entity(sentences: list[LabelledSentence]):
    suggestion = next(s for s in sentences if any(edge.label == "suggestive_of" for edge in s.edges))
    edge = next(edge for edge in suggestion.edges if edge.label == "suggestive_of")
    assert edge.head.start < edge.tail.start
    sized = next(s for s in sentences if any(span.label == "size" for span in s.spans))
    size = next(text for text, label in entities(sized).items() if label == "size")
    assert size.split()[1::2] == [".", "cm"]


def test_the_same_world_gives_the_same_sentences_and_splits_share_none_of_their_patients():
    first = annotated_reports(20, split_name="train", world=WORLD)
    assert annotated_reports(20, split_name="train", world=WORLD) == first
    other = annotated_reports(20, split_name="test", world=WORLD)
    assert {s.doc_key.split("-")[0] for s in first}.isdisjoint({s.doc_key.split("-")[0] for s in other})
    assert len({s.doc_key.rpartition("_")[0].partition("r")[0] for s in first}) == 20


def _fact(name: str, rng: np.random.Generator) -> Fact:
    side = (
        None if name in ("enlarged cardiomediastinum", "cardiomegaly", "edema") else ("left", "right")[rng.integers(2)]
    )
    zone = ("upper", "mid", "lower")[rng.integers(3)] if name in ("lung opacity", "consolidation") else None
    subtype = {"support devices": "endotracheal tube", "fracture": ("rib", "clavicle")[rng.integers(2)]}.get(name, "")
    certainty = "uncertain" if rng.random() < 0.3 else "present"
    return Fact(
        name=name,
        side=None if name == "support devices" else side,
        zone=zone,
        subtype=subtype,
        certainty=certainty,
        shape=(0.5,) * 8,
    )


def _study(*facts: Fact) -> Study:
    study = draw_patient(WORLD, 0, split="train").studies[0]
    return Study(index=0, offset_days=0, technique=study.technique, facts=facts, infection_cue=True)
