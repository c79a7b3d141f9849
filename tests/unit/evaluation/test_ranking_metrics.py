"""Row 86: open questions, offline, in the order in which findings are named."""

from dataclasses import replace

import pytest
from evaluation_builders import answering, judged, listing

from radrl.evaluation.families.ranking import RANKING
from radrl.evaluation.metrics.ranking import hit_at, recall_at

NAMED = ("edema", "fracture", "pneumonia", "atelectasis")


def values(*completions) -> dict[str, float]:
    return {one.name: float(one.finish(one.terms.sum(axis=0))) for one in RANKING.statistics(completions)}


@pytest.mark.parametrize(("k", "recall", "hit"), [(1, 0.0, 0.0), (3, 0.5, 1.0), (5, 1.0, 1.0)])
def test_recall_counts_what_is_named_first_and_a_hit_is_any_of_it(k, recall, hit):
    gold = {"fracture", "atelectasis"}
    assert recall_at(NAMED, gold, k=k) == recall
    assert hit_at(NAMED, gold, k=k) == hit


@pytest.mark.parametrize("metric", [recall_at, hit_at])
def test_naming_nothing_is_right_where_there_is_nothing_and_unreadable_is_wrong(metric):
    assert metric((), frozenset(), k=1) == 1
    assert metric(("edema",), frozenset(), k=5) == 0
    assert metric((), {"edema"}, k=1) == 0
    assert metric(None, frozenset(), k=1) == 0
    assert metric(None, {"edema"}, k=1) == 0


def test_the_order_is_that_of_the_final_answer_as_it_is_written():
    sample = listing(1, gold=["fracture", "pleural effusion"])
    late = judged(sample, answering("fracture") + answering("Pneumonia, effusions; a fracture and fracture"))
    assert late.items == ("pneumonia", "pleural effusion", "fracture and fracture")
    once = judged(sample, answering("Pneumonia, effusions, fractures, fracture"))
    assert once.items == ("pneumonia", "pleural effusion", "fracture")
    found = values(once)
    assert (found["recall_at_1"], found["hit_at_1"], found["recall_at_3"]) == (0.0, 0.0, 1.0)


def test_the_mean_is_over_completions_and_unreadable_ones_count():
    sample = listing(1, gold=["edema", "fracture"])
    found = values(judged(sample, answering("edema, fracture")), judged(sample, "<think>edema"))
    assert found["recall_at_1"] == pytest.approx(0.5 / 2)
    assert found["hit_at_1"] == pytest.approx(1 / 2)


CANDIDATES = "<think>fluid</think><answer>Differential Diagnoses: [edema, pneumonia]</answer>"
REFERENCE = CANDIDATES + answering("edema ✅") + answering("pneumonia ❌") + answering("edema, fracture")


def opened(text: str):
    return judged(replace(listing(1, gold=["edema", "fracture"]), reference=REFERENCE), text)


def test_candidates_are_those_of_the_first_pair_whatever_the_answer_says():
    found = values(opened(REFERENCE))
    assert (found["candidate_recall"], found["num_candidates"]) == (0.5, 2)
    assert values(opened(answering("edema, fracture")))["candidate_recall"] == 0


def test_a_long_list_of_candidates_has_all_of_them_and_its_length_beside_it():
    everything = "<think>all</think><answer>edema, fracture, pneumonia, atelectasis</answer>"
    found = values(opened(everything + answering("edema")), opened(REFERENCE))
    assert (found["candidate_recall"], found["num_candidates"]) == (0.75, 3)


def test_questions_whose_reference_lists_no_candidates_take_no_part():
    plain = judged(listing(2, gold=["edema"]), CANDIDATES + answering("edema"))
    assert values(plain, opened(REFERENCE)) == pytest.approx(
        {**values(opened(REFERENCE)), "recall_at_1": 0.75, "recall_at_3": 1.0, "recall_at_5": 1.0}
    )
