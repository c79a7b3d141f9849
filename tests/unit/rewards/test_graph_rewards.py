from dataclasses import replace

import pytest
from reward_builders import NORMAL, OPEN, SAMPLES, score, trace, value

from radrl.graph.extract import extract
from radrl.text import parse_trace, think_text
from radrl.types import Triplet

REWARDS = ("graph_f1", "graph_jaccard")
EFFUSION = Triplet(head="pleural effusion", relation="located_at", tail="left pleural space")
HEART = Triplet(head="cardiomegaly", relation="located_at", tail="cardiac silhouette")
SAMPLE = replace(OPEN, reference=trace(("Left pleural effusion.", "left pleural effusion")))


def thinking(thought: str, answer: str = "edema") -> str:
    return trace((thought, answer))


@pytest.mark.parametrize("name", REWARDS)
def test_the_same_facts_in_other_words_earn_full_marks(name):
    assert value(name, SAMPLE, thinking("There is an effusion on the left.")) == 1.0


def test_half_of_the_facts_by_hand():
    text = thinking("Left pleural effusion. Cardiomegaly.")
    # Entities: 2 shared of 4 stated and 2 wanted; relations: 1 of 2 and 1. F1 is 4/6 and 2/3, Jaccard 2/4 and 1/2.
    assert value("graph_f1", SAMPLE, text) == pytest.approx(2 / 3)
    assert value("graph_jaccard", SAMPLE, text) == pytest.approx(1 / 2)


@pytest.mark.parametrize("name", REWARDS)
def test_the_samples_own_triplets_stand_over_its_reference_text(name):
    sample = replace(SAMPLE, triplets=(HEART,))
    assert value(name, sample, thinking("Cardiomegaly.")) == 1.0
    assert value(name, sample, thinking("Left pleural effusion.")) == 0.0


@pytest.mark.parametrize("name", REWARDS)
def test_each_sample_is_compared_with_its_own_reference(name):
    other = replace(SAMPLE, id="other", reference=trace(("Cardiomegaly.", "cardiomegaly")))
    text = thinking("Cardiomegaly.")
    assert (value(name, SAMPLE, text), value(name, other, text)) == (0.0, 1.0)


@pytest.mark.parametrize("name", REWARDS)
def test_answers_and_tags_are_no_reasoning(name):
    assert value(name, SAMPLE, thinking("", "left pleural effusion")) == 0.0
    assert value(name, SAMPLE, thinking("Left pleural effusion.", "cardiomegaly")) == 1.0


@pytest.mark.parametrize("name", REWARDS)
def test_a_flipped_negation_and_a_swapped_side_earn_nothing_for_the_relation(name):
    assert value(name, SAMPLE, thinking("No left pleural effusion.")) == 0.0
    swapped = value(name, SAMPLE, thinking("Right pleural effusion."))
    assert swapped is not None
    assert swapped < 0.5


@pytest.mark.parametrize("name", REWARDS)
def test_a_denial_in_one_thought_does_not_reach_into_the_next(name):
    text = trace(("no edema", "edema ❌"), ("mild left pleural effusion", "effusion ✅"))
    sample = replace(SAMPLE, reference=trace(("no edema. mild left pleural effusion", "effusion")))
    assert value(name, sample, text) == 1.0


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("text", ["", "plain text", "<think></think><answer></answer>"])
def test_saying_nothing_earns_nothing(name, text):
    assert value(name, SAMPLE, text) == 0.0


@pytest.mark.parametrize("name", REWARDS)
def test_without_gold_facts_it_abstains_unless_the_film_is_normal(name):
    nothing = trace(("hm", "edema"))
    assert value(name, replace(OPEN, reference=nothing), thinking("Cardiomegaly.")) is None
    normal = replace(NORMAL, reference=trace(("hm", "no finding")))
    assert value(name, normal, thinking("hm")) == 1.0
    assert value(name, normal, thinking("Cardiomegaly.")) == 0.0


@pytest.mark.parametrize("name", REWARDS)
def test_answer_first_data_is_read_after_its_answer(name):
    sample = replace(SAMPLE, reference="Yes. There is a left pleural effusion.")
    assert value(name, sample, "Edema. There is a left pleural effusion.") == 1.0
    assert value(name, sample, "Left pleural effusion. Edema is absent.") == 0.0


def test_the_evidence_lists_what_is_missing_and_what_is_unsupported():
    sample = replace(SAMPLE, triplets=(EFFUSION,))
    (evidence,) = score("graph_f1", sample, thinking("Cardiomegaly.")).evidence
    assert evidence.note == (
        "not stated: pleural effusion located_at left pleural space (present); "
        "not in the reference: cardiomegaly located_at cardiac silhouette (present)"
    )


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_triplets_taken_from_the_reference_change_nothing(name, sample):
    given = replace(sample, triplets=tuple(extract(think_text(parse_trace(sample.reference))).triplets))
    text = thinking("Left pleural effusion, no edema.")
    if given.triplets:
        assert value(name, given, text) == value(name, sample, text)
