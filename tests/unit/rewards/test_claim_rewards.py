from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import NORMAL, OPEN, attempt, score, trace, value

from radrl.errors import ConfigError
from radrl.graph.extract import extract
from radrl.rewards.reasoning import Claim, claims, mentions, reasoning, stated_graph
from radrl.types import Triplet

BOTH = replace(OPEN, reference=trace(("Left pleural effusion. Cardiomegaly. No pneumothorax.", "x")))
CLEAR = replace(NORMAL, reference=trace(("No pleural effusion. No pneumothorax.", "no finding")))


def thinking(thought):
    return trace((thought, "x"))


def factuality(sample, thought, **kwargs):
    return value("grounded_factuality", sample, thinking(thought), **kwargs)


def test_factuality_is_the_f_measure_of_asserted_findings_with_their_side():
    assert factuality(BOTH, "Cardiomegaly. Left effusion.") == 1.0
    assert factuality(BOTH, "Cardiomegaly.") == pytest.approx(2 / 3)  # P 1, R 1/2
    assert factuality(BOTH, "Cardiomegaly. Edema of the left lung.") == pytest.approx(1 / 2)
    assert factuality(BOTH, "Cardiomegaly. Right effusion.") == pytest.approx(1 / 2)


def test_factuality_resists_listing_silence_denial_and_hedging():
    everything = "Left effusion, cardiomegaly, left pneumothorax, left atelectasis, left pneumonia, left fracture."
    assert factuality(BOTH, everything) < 0.6
    assert factuality(BOTH, "Nothing to say.") == 0.0
    assert factuality(BOTH, "No effusion. No cardiomegaly. No pneumothorax.") == 0.0
    assert factuality(BOTH, "Possible left pneumonia.") == 0.0


def test_denials_beyond_the_gold_graph_are_free():
    assert factuality(BOTH, "Left effusion, cardiomegaly. No fracture. No edema.") == 1.0


def test_where_the_gold_graph_only_denies_its_denials_are_the_facts():
    assert factuality(CLEAR, "No pleural effusion. No pneumothorax.") == 1.0
    assert factuality(CLEAR, "No effusion.") == pytest.approx(2 / 3)
    assert factuality(CLEAR, "No effusion. No pneumothorax. Cardiomegaly.") == 0.0
    assert factuality(CLEAR, "hm") == 0.0


def test_factuality_abstains_without_gold_facts():
    assert factuality(replace(OPEN, reference=trace(("hm", "atelectasis"))), "Cardiomegaly.") is None


def test_beta_moves_between_precision_and_recall():
    # One of two findings, nothing untrue: P 1, R 1/2; F = (1 + b2) P R / (b2 P + R)
    assert factuality(BOTH, "Cardiomegaly.", beta=2.0) == pytest.approx(5 * 0.5 / (4 + 0.5))
    assert factuality(BOTH, "Cardiomegaly.", beta=0.5) == pytest.approx(1.25 * 0.5 / (0.25 + 0.5))
    with pytest.raises(ConfigError, match=r"'beta'.*greater than 0"):
        factuality(BOTH, "", beta=0.0)


def test_findings_count_by_their_risk():
    # 3 of 4 parts found, nothing untrue: P 1, R 3/4
    assert factuality(BOTH, "Left effusion.", risks="pleural effusion: 3") == pytest.approx(2 * 0.75 / 1.75)
    assert factuality(BOTH, "Left effusion.", risks="cardiomegaly: 0") == 1.0
    assert factuality(BOTH, "No pneumothorax.", risks="cardiomegaly: 0, pleural effusion: 0") == 1.0
    with pytest.raises(ConfigError, match="'effusions' is no finding"):
        factuality(BOTH, "", risks="effusions: 3")
    with pytest.raises(ConfigError, match="'risks'"):
        factuality(BOTH, "", risks="edema: many")


def test_the_samples_own_triplets_are_the_gold():
    own = replace(BOTH, triplets=(Triplet(head="edema", relation="located_at", tail="left lung"),))
    assert factuality(own, "Edema of the left lung.") == 1.0
    assert factuality(own, "Left effusion, cardiomegaly.") == 0.0


def test_the_evidence_stands_at_the_mentions():
    text = trace(("  Cardiomegaly.", "x"), ("No left effusion. Left pneumothorax.", "y"))
    evidence = score("grounded_factuality", BOTH, text).evidence
    assert [(text[e.start : e.end].lower(), e.verdict, e.note) for e in evidence] == [
        ("cardiomegaly", "right", "cardiomegaly asserted"),
        ("effusion", "wrong", "pleural effusion denied: the reference asserts it"),
        ("pneumothorax", "wrong", "pneumothorax asserted: not in the reference"),
    ]


def laterality(sample, thought):
    return value("laterality", sample, thinking(thought))


def test_laterality_is_minus_the_mean_share_of_wrong_sides():
    assert laterality(BOTH, "Left pleural effusion.") == 0.0
    assert laterality(BOTH, "Right pleural effusion.") == -1.0
    assert laterality(BOTH, "Bilateral pleural effusions.") == -0.5
    two = replace(BOTH, reference=thinking("Left effusion. Right pneumothorax."))
    assert laterality(two, "Left effusion. Left pneumothorax.") == -0.5


def test_what_is_left_out_made_up_denied_or_without_a_side_is_no_matter_of_laterality():
    for thought in ("hm", "Right pneumothorax.", "No right effusion.", "Pleural effusion.", "Cardiomegaly."):
        assert laterality(BOTH, thought) == 0.0
    bilateral = replace(BOTH, reference=thinking("Bilateral pleural effusions."))
    assert laterality(bilateral, "Left effusion.") == 0.0


def test_laterality_abstains_where_the_gold_graph_asserts_no_side():
    assert laterality(CLEAR, "Left effusion.") is None
    assert laterality(replace(BOTH, reference=thinking("Cardiomegaly.")), "Left effusion.") is None


def test_the_evidence_of_a_wrong_side_says_which_is_right():
    text = thinking("Right effusion.")
    (evidence,) = score("laterality", BOTH, text).evidence
    assert evidence.note == "pleural effusion asserted: it is left, not right"


def contradiction(sample, thought):
    return value("contradiction", sample, thinking(thought))


def test_contradiction_is_minus_the_share_of_contradicted_findings_that_can_be_checked():
    assert contradiction(BOTH, "Left effusion. Cardiomegaly. No pneumothorax.") == 0.0
    # Pneumothorax is denied on both sides: of three checkable findings two agree.
    assert contradiction(BOTH, "Left effusion. Cardiomegaly. Left pneumothorax.") == pytest.approx(-1 / 3)
    assert contradiction(BOTH, "No left effusion. No cardiomegaly.") == -1.0


def test_a_finding_asserted_and_denied_at_one_place_contradicts_itself():
    unknown = replace(BOTH, reference=thinking("hm"))
    assert contradiction(unknown, "Left effusion. There is no left effusion.") == -1.0
    assert contradiction(unknown, "Left effusion. There is no right effusion.") == 0.0


def test_a_contradiction_is_not_thinned_out_by_denials_nobody_asked_for():
    flipped = contradiction(BOTH, "No left effusion.")
    assert contradiction(BOTH, "No left effusion. No edema. No left fracture. No pneumonia.") == flipped == -1.0


def test_what_the_reference_itself_asserts_and_denies_is_left_out():
    torn = replace(BOTH, reference=thinking("Left effusion. There is no left effusion."))
    assert contradiction(torn, "Left effusion. There is no left effusion.") == 0.0


def test_claims_are_findings_with_place_and_polarity():
    assert claims(extract("No left effusion. Cardiomegaly.")) == {
        Claim(finding="pleural effusion", place="left pleural space", holds=False),
        Claim(finding="cardiomegaly", place="cardiac silhouette", holds=True),
    }
    assert Claim(finding="edema", place="left lung", holds=True).side == "left"
    assert Claim(finding="cardiomegaly", place="cardiac silhouette", holds=True).side == ""


@given(st.lists(st.sampled_from(["edema", " no edema", "", "mild\n edema ", "heart. edema!"]), max_size=5))
def test_places_of_mentions_are_places_in_the_completion(thoughts):
    one = attempt(OPEN, "".join(trace((thought, "x")) + " junk " for thought in thoughts))
    evidence = mentions(
        one, stated_graph(one, extractor="rules"), verdicts={("edema", True): "", ("edema", False): "wrong"}
    )
    assert {one.text[e.start : e.end] for e in evidence} <= {"edema"}
    assert len(evidence) == reasoning(one).count("edema")


def test_places_in_answer_first_data_are_places_in_the_completion():
    first = replace(OPEN, reference="Yes. There is edema.")
    one = attempt(first, " Yes.  There is edema. ")
    (evidence,) = mentions(one, stated_graph(one, extractor="rules"), verdicts={("edema", True): ""})
    assert one.text[evidence.start : evidence.end] == "edema"
