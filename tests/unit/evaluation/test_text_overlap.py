"""Spec row 87: BLEU and ROUGE of reports, against sacrebleu and rouge-score, and cases worked by hand."""

import math

import numpy as np
import pytest
from evaluation_builders import judged, listing
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from text_builders import report, reported, sentences, values

from radrl.evaluation.families.text import TEXT
from radrl.evaluation.metrics.overlap import corpus_bleu, overlap, rouge_l, rouge_n
from radrl.rewards.wording import words


def measured(said, gold):
    return values(
        TEXT.statistics([reported(i, s, gold=g) for i, (s, g) in enumerate(zip(said, gold, strict=True))]), len(said)
    )


def test_row_87_every_overlap_metric_of_two_reports_worked_by_hand():
    # "no fluid left today" / "no left fluid": words in common no, fluid, left; longest in order 2 (no fluid).
    # "clear lungs" / "clear lungs bilaterally today": 2 in common, 1 pair of neighbours in common.
    found = measured(["No fluid left, today.", "Clear lungs."], ["No left fluid!", "Clear lungs bilaterally today."])
    brevity = math.exp(1 - 7 / 6)
    assert found["bleu_1"] == pytest.approx(brevity * 5 / 6)
    assert found["bleu_2"] == pytest.approx(brevity * math.sqrt(5 / 6 * 1 / 4))
    assert found["bleu_3"] == found["bleu_4"] == 0
    assert found["sentence_bleu_1"] == pytest.approx((3 / 4 + math.exp(1 - 2)) / 2)
    assert found["rouge_1"] == found["token_f1"] == pytest.approx((6 / 7 + 4 / 6) / 2)
    assert found["rouge_2"] == pytest.approx((0 + 2 / 4) / 2)
    assert found["rouge_l"] == pytest.approx((4 / 7 + 4 / 6) / 2)
    assert found["token_precision"] == pytest.approx((3 / 4 + 1) / 2)
    assert found["token_recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert (found["answer_words"], found["gold_words"]) == (3, 3.5)
    assert found["cider_d"] is None, "two reports make no idf"


@pytest.mark.parametrize("tokenize", ["none", "13a"])
@pytest.mark.parametrize("shortest", [1, 8])
def test_row_87_corpus_bleu_is_that_of_sacrebleu_on_the_same_words(tokenize, shortest):
    said, gold = sentences(60, seed=1, shortest=shortest), sentences(60, seed=2, shortest=shortest)
    said[:20] = [f"{text} {other}." for text, other in zip(gold[:20], said[20:40], strict=True)]
    plain = [[" ".join(words(text)) for text in texts] for texts in (said, gold)]
    found = values(corpus_bleu([overlap(s, g) for s, g in zip(said, gold, strict=True)]), 60)
    for n in (1, 2, 3, 4):
        expected = BLEU(tokenize=tokenize, smooth_method="none", max_ngram_order=n).corpus_score(plain[0], [plain[1]])
        assert 0 < found[f"bleu_{n}"] == pytest.approx(expected.score / 100)


def test_row_87_rouge_is_that_of_rouge_score_without_stemming():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    said, gold = sentences(100, seed=3), sentences(100, seed=4)
    said[0], gold[0] = "", "clear"
    said[1], gold[1] = "T4 to T5: 2.5 cm, x-ray.", "At T4, 2.5cm (X-RAY)."
    for text, wanted in zip(said, gold, strict=True):
        expected = scorer.score(wanted, text)
        pair = overlap(text, wanted)
        assert rouge_n(pair, 1) == pytest.approx(expected["rouge1"].fmeasure)
        assert rouge_n(pair, 2) == pytest.approx(expected["rouge2"].fmeasure)
        assert rouge_l(pair) == pytest.approx(expected["rougeL"].fmeasure)


def test_overlap_does_not_depend_on_the_order_of_reports_and_is_whole_for_equal_ones():
    said, gold = sentences(30, seed=5, shortest=5), sentences(30, seed=6, shortest=5)
    forward, backward = measured(said, gold), measured(said[::-1], gold[::-1])
    assert forward == pytest.approx(backward)
    whole = measured(gold, gold)
    assert all(whole[name] == pytest.approx(1) for name in TEXT.metrics if "words" not in name and name != "cider_d")


def test_a_missing_answer_scores_nothing_and_stays_in_the_mean():
    there = reported(0, "Clear lungs.", gold="Clear lungs.")
    missing = judged(report(1, gold="Clear lungs."), "<think>Clear lungs.</think>")
    found = values(TEXT.statistics([there, missing]), 2)
    assert found["rouge_l"] == found["token_recall"] == 0.5
    assert found["bleu_1"] == pytest.approx(math.exp(1 - 4 / 2))
    assert values(TEXT.statistics([missing]), 1)["bleu_1"] == 0


def test_only_free_text_takes_part_and_without_any_there_is_no_metric():
    free = reported(0, "fluid", gold="fluid", kind="open")
    named = judged(listing(1, gold=["edema"]), "<think>look</think><answer>edema</answer>")
    assert values(TEXT.statistics([free, named]), 2)["rouge_1"] == 1
    assert TEXT.statistics([named]) == []


def test_text_statistics_are_the_ones_that_have_a_meaning():
    found = TEXT.statistics([reported(0, "fluid", gold="fluid", kind="difference")])
    assert [statistic.name for statistic in found] == list(TEXT.metrics)
    assert all(np.isfinite(statistic.terms).all() for statistic in found)
