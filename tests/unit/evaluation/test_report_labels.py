"""Spec row 87: CheXpert labels of reports, read by the rules and scored as scikit-learn does."""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from text_builders import read_as, report, reported, values

from radrl.evaluation.families.report_labels import REPORT_LABELS
from radrl.evaluation.metrics.chexpert import (
    ABSENT,
    BLANK,
    FIVE,
    PRESENT,
    UNCERTAIN,
    is_positive,
    label_meanings,
    label_statistics,
    labels_of,
)
from radrl.evaluation.written import ReportReading
from radrl.graph.lexicon.findings import FINDINGS


def drawn(count, *, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([BLANK, PRESENT, ABSENT, UNCERTAIN], p=[0.6, 0.2, 0.1, 0.1], size=(count, 14))
    labels[: count // 8] = BLANK
    labels[:, FINDINGS.index("fracture")] = BLANK
    return labels.astype(np.int8)


@pytest.mark.parametrize("uncertain", ["as_positive", "as_negative", "ignore"])
def test_row_87_label_f1_is_that_of_scikit_learn(uncertain):
    said, gold = drawn(80, seed=1), drawn(80, seed=2)
    said[:40] = np.where(np.random.default_rng(3).random((40, 14)) < 0.7, gold[:40], said[:40])
    found = values(label_statistics(said, gold, prefix="x", uncertain=uncertain), 80)
    kept = gold != UNCERTAIN if uncertain == "ignore" else np.ones_like(gold, dtype=bool)
    claimed, wanted = (is_positive(labels, uncertain=uncertain) & kept for labels in (said, gold))
    for name, columns in {"14": list(range(14)), "5": [FINDINGS.index(one) for one in FIVE]}.items():
        p, g = claimed[:, columns], wanted[:, columns]
        supported = g.any(axis=0)
        assert found[f"x{name}_micro_f1"] == pytest.approx(f1_score(g, p, average="micro"))
        assert found[f"x{name}_macro_f1"] == pytest.approx(f1_score(g[:, supported], p[:, supported], average="macro"))
        assert found[f"x{name}_sample_f1"] == pytest.approx(f1_score(g, p, average="samples", zero_division=1))
    assert found["x14_positive_f1"] == pytest.approx(f1_score((gold == 1).ravel(), (said == 1).ravel()))
    denied = [labels[:, 1:].ravel() == ABSENT for labels in (gold, said)]
    assert found["x14_negative_f1"] == pytest.approx(f1_score(*denied))


def test_row_87_reports_are_read_and_scored_by_hand():
    # Gold: effusion and cardiomegaly present, pneumothorax denied. Said: effusion present, edema possible.
    judged = [
        reported(
            0,
            "FINDINGS: Left pleural effusion. Possible edema.",
            gold="FINDINGS: Left pleural effusion. Cardiomegaly. No pneumothorax.",
        )
    ]
    found = values(REPORT_LABELS.statistics(judged), 1)
    assert found["chexpert14_micro_f1"] == found["chexpert14_sample_f1"] == pytest.approx(2 / 4)
    assert found["chexpert14_macro_f1"] == pytest.approx((1 + 0) / 2)
    assert found["chexpert14_positive_f1"] == pytest.approx(2 / 3)
    assert found["chexpert14_negative_f1"] == 0


@pytest.mark.parametrize(("uncertain", "micro"), [("as_positive", 2 / 3), ("as_negative", 0.0), ("ignore", 0.0)])
def test_what_is_possible_counts_as_the_reading_says(uncertain, micro):
    sample = report(0, gold="Possible edema. Fracture.")
    said = read_as(sample, "<think>look</think><answer>Edema.</answer>", ReportReading(uncertain=uncertain))
    found = values(REPORT_LABELS.statistics([said]), 1)
    assert found["chexpert14_micro_f1"] == pytest.approx(micro)
    assert found["chexpert5_micro_f1"] == {"as_positive": 1.0, "as_negative": 0.0, "ignore": None}[uncertain]


def test_a_flipped_negation_hardly_changes_the_words_and_all_of_the_labels():
    from radrl.evaluation.families.text import TEXT

    gold = "There is no focal consolidation, pleural effusion or pneumothorax. The heart is normal in size."
    flipped = gold.replace("no focal", "focal")
    judged = [reported(0, flipped, gold=gold)]
    assert values(TEXT.statistics(judged), 1)["rouge_l"] > 0.95
    found = values(REPORT_LABELS.statistics(judged), 1)
    assert found["chexpert14_micro_f1"] == 0
    assert found["chexpert14_negative_f1"] < 0.75
    paraphrase = [reported(0, "Lungs without consolidation, effusion or pneumothorax. Normal heart size.", gold=gold)]
    assert values(TEXT.statistics(paraphrase), 1)["rouge_l"] < 0.6
    assert values(REPORT_LABELS.statistics(paraphrase), 1)["chexpert14_micro_f1"] == 1


def test_no_finding_is_said_by_a_report_that_denies_and_not_by_one_that_is_silent():
    labels = labels_of(["No pleural effusion.", "", "Endotracheal tube in place. No edema.", "Possible edema."])
    assert labels[:, FINDINGS.index("no finding")].tolist() == [PRESENT, BLANK, PRESENT, ABSENT]


def test_a_report_that_is_missing_misses_everything():
    sample = report(0, gold="Edema.")
    found = values(REPORT_LABELS.statistics([read_as(sample, "<think>Edema.</think>", ReportReading())]), 1)
    assert found["chexpert14_micro_f1"] == found["chexpert14_sample_f1"] == 0


def test_report_label_statistics_are_the_ones_that_have_a_meaning():
    found = REPORT_LABELS.statistics([reported(0, "Edema.", gold="Edema.")])
    assert [statistic.name for statistic in found] == list(REPORT_LABELS.metrics)
    assert set(label_meanings("chexbert", reader="a model's")) == {
        name.replace("chexpert", "chexbert") for name in REPORT_LABELS.metrics
    }
    assert REPORT_LABELS.statistics([]) == []
