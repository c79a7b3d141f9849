from dataclasses import replace

import pytest
from reward_builders import NORMAL, OPEN, SAMPLES, attempt, rubric, score, trace, value

from radrl.config.schema import RewardConfig
from radrl.errors import ConfigError, PluginError
from radrl.graph.extract import extract
from radrl.rewards import reasoning
from radrl.rewards.api import bind
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


def test_the_evidence_stands_at_the_mentions_and_says_what_is_missing():
    sample = replace(SAMPLE, triplets=(EFFUSION, HEART))
    text = trace(("Cardiomegaly.", "x"), ("Left pneumothorax.", "y"))
    right, wrong, missing = score("graph_f1", sample, text).evidence
    assert text[right.start : right.end] == "Cardiomegaly"
    assert (right.verdict, right.note) == ("right", "cardiomegaly asserted")
    assert text[wrong.start : wrong.end] == "pneumothorax"
    assert (wrong.verdict, wrong.note) == (
        "wrong",
        "pneumothorax asserted: not in the reference: pneumothorax located_at left pleural space (present)",
    )
    assert (missing.start, missing.end) == (text.index("Cardio"), text.rindex("</think>"))
    assert missing.note == "not stated: pleural effusion located_at left pleural space (present)"


def test_row_16_severities_may_count_less_or_not_at_all():
    graded = replace(SAMPLE, reference=thinking("Mild left pleural effusion."))
    plain = thinking("Left pleural effusion.")
    # Full: nodes 2 of 3 and facts 1 of 2. At half weight: 2 of 2.5 and 1 of 1.5.
    assert value("graph_jaccard", graded, plain) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert value("graph_jaccard", graded, plain, concept_weight=0.5) == pytest.approx((2 / 2.5 + 1 / 1.5) / 2)
    assert value("graph_jaccard", graded, plain, concept_weight=0.0) == 1.0
    with pytest.raises(ConfigError, match="concept_weight"):
        value("graph_jaccard", graded, plain, concept_weight=-1.0)


def test_row_16_triplet_mode_compares_findings_at_places_alone():
    graded = replace(SAMPLE, reference=thinking("Mild left pleural effusion. Cardiomegaly."))
    text = thinking("Severe left pleural effusion.")
    assert value("graph_f1", graded, text, mode="triplets") == pytest.approx(2 / 3)
    assert value("graph_jaccard", graded, text, mode="triplets") == pytest.approx(1 / 2)
    with pytest.raises(ConfigError, match="'mode'"):
        value("graph_f1", graded, text, mode="nodes")


@pytest.mark.parametrize("name", REWARDS)
def test_row_16_what_two_empty_graphs_earn_is_an_argument(name):
    nothing = replace(OPEN, reference=trace(("hm", "edema")))
    for when_empty in (0.0, 1.0):
        assert value(name, nothing, thinking("hm"), when_empty=when_empty) == when_empty
        assert value(name, nothing, thinking("Cardiomegaly."), when_empty=when_empty) == 0.0


@pytest.mark.parametrize("name", REWARDS)
def test_denials_are_welcome_on_a_normal_film_whose_reference_states_nothing(name):
    normal = replace(NORMAL, reference=trace(("hm", "no finding")))
    assert value(name, normal, thinking("No effusion. No pneumothorax.")) == 1.0
    assert value(name, normal, thinking("No effusion. Left pneumothorax.")) == 0.0


def test_all_texts_of_a_step_are_read_before_they_are_scored_one_by_one(monkeypatch):
    read = []
    monkeypatch.setattr(reasoning, "extract_all", lambda texts, extractor: read.append((sorted(texts), extractor)))
    attempts = [attempt(SAMPLE, thinking("Cardiomegaly.")), attempt(replace(SAMPLE, triplets=(HEART,)), thinking("hm"))]
    bind("graph_f1", kwargs={"extractor": "json:graphs.jsonl"}).prepare(attempts)
    assert read == [(["Cardiomegaly.", "Left pleural effusion.", "hm."], "json:graphs.jsonl")]


def test_an_extractor_that_cannot_be_opened_is_refused_with_the_rubric(tmp_path):
    with pytest.raises(PluginError, match="nowhere"):
        rubric(RewardConfig(name="graph_f1", kwargs={"extractor": f"rexkg:{tmp_path / 'nowhere'}"}))


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_triplets_taken_from_the_reference_change_nothing(name, sample):
    given = replace(sample, triplets=tuple(extract(think_text(parse_trace(sample.reference))).triplets))
    text = thinking("Left pleural effusion, no edema.")
    if given.triplets:
        assert value(name, given, text) == value(name, sample, text)
