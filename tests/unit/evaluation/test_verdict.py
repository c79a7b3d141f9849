"""What an evaluation's numbers say, in words."""

import io
import random
from dataclasses import replace
from pathlib import Path

from evaluation_builders import answering, judged, presence
from rich.console import Console

from radrl.evaluate import Evaluation, result_table, write_evaluation
from radrl.evaluation.calibration import Bin, Calibration
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.measures import Block, Counts
from radrl.evaluation.summary import Settings, Summary, make_blind, summarise
from radrl.evaluation.verdict import (
    AT_CHANCE,
    Rival,
    accuracy_sentence,
    against_blind,
    few_patients,
    lenient,
    too_sure,
    unequal,
    unreadable,
)
from radrl.report.evaluation_page import build_evaluation_page

BOOTSTRAP = Bootstrap(resamples=200, seed=1)
UNKNOWN = Estimate(value=None, low=None, high=None)


def an_estimate(value: float, *, half: float = 0.05) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def a_count(**numbers: int) -> Counts:
    counts = dict.fromkeys(Counts.__dataclass_fields__, 0)
    return Counts(**{**counts, "questions": 100, "completions": 100, "patients": 50, **numbers})


def a_rival(name: str, accuracy: float, *, low: float, high: float) -> Rival:
    return Rival(name=name, accuracy=an_estimate(accuracy), minus=Estimate(value=(low + high) / 2, low=low, high=high))


def an_evaluation(*, share_right: float, num: int = 60) -> Evaluation:
    """Yes/no questions, half of each, answered rightly with this chance; blind answers are right on half."""
    draw = random.Random(3)
    samples = [presence(number, gold=("yes", "no")[number % 2]) for number in range(num)]
    other = {"yes": "no", "no": "yes"}
    golds = [next(iter(sample.answer)) for sample in samples]
    said = [gold if draw.random() < share_right else other[gold] for gold in golds]
    found = [judged(sample, answering(text)) for sample, text in zip(samples, said, strict=True)]
    blind = make_blind(found, shuffled=(), train_samples=samples, bootstrap=BOOTSTRAP)
    settings = Settings(model="m", data=(), n=1, temperature=0.0, max_response_length=64, seed=1)
    summary = summarise(found, settings=settings, bootstrap=BOOTSTRAP, blind=blind)
    return Evaluation(summary=summary, records=tuple(one.record for one in found))


def printed(summary: Summary) -> str:
    out = io.StringIO()
    Console(width=400, file=out).print(result_table(summary))
    return " ".join(out.getvalue().split())


def page_of(evaluation: Evaluation, folder: Path) -> str:
    write_evaluation(evaluation, folder)
    return build_evaluation_page(folder).read_text(encoding="utf-8")


def test_records_at_chance_are_said_to_be_at_chance_by_verdict_file_table_and_page(tmp_path):
    evaluation = an_evaluation(share_right=0.5)
    summary = evaluation.summary
    assert summary.verdict[1].startswith(AT_CHANCE)
    assert "which includes 0" in summary.verdict[1]
    assert summary.to_json()["verdict"] == list(summary.verdict)
    assert AT_CHANCE in printed(summary)
    assert page_of(evaluation, tmp_path).count(f'<p class="warning">{AT_CHANCE}') == 1


def test_records_that_are_clearly_better_are_not(tmp_path):
    evaluation = an_evaluation(share_right=0.95)
    summary = evaluation.summary
    assert summary.verdict[1].startswith("It is better than answering without looking")
    assert "which does not include 0" in summary.verdict[1]
    assert AT_CHANCE not in printed(summary)
    assert AT_CHANCE not in page_of(evaluation, tmp_path)


def test_the_accuracy_is_said_with_how_sure_it_is():
    said = accuracy_sentence(an_estimate(0.48, half=0.04), a_count(questions=50), unit="patients")
    assert said == (
        "The final answer is exactly right in 48.0% of 100 answers to 50 questions "
        "(95% interval 44.0 to 52.0, over 50 patients)."
    )


def test_the_row_that_is_not_beaten_is_named_even_where_a_better_one_is_beaten():
    beaten = a_rival("question only", 0.5, low=0.01, high=0.09)
    unbeaten = a_rival("most frequent answer", 0.45, low=-0.02, high=0.22)
    said = against_blind(an_estimate(0.55), [beaten, unbeaten])
    assert said == (
        "This is at chance: it is not clearly better than answering without looking (most frequent answer, 45.0%; "
        "+10.0 points, 95% interval -2.0 to +22.0, which includes 0). Nothing here shows that the model reads the "
        "radiograph."
    )


def test_a_model_below_every_guess_is_worse_than_not_looking():
    said = against_blind(an_estimate(0.2), [a_rival("most frequent answer", 0.5, low=-0.4, high=-0.2)])
    assert said.startswith("This is at chance: it is worse than answering without looking")
    assert "which does not include 0" in said


def test_without_a_paired_interval_the_whole_interval_must_lie_above_the_row():
    row = Rival(name="question only", accuracy=an_estimate(0.5), minus=UNKNOWN)
    assert row.is_beaten_by(an_estimate(0.56)) and not row.is_beaten_by(an_estimate(0.54))


def test_a_result_without_a_blind_row_is_said_to_have_nothing_beside_it():
    assert against_blind(an_estimate(0.9), []).startswith("No row of answering without looking was made")


def test_few_patients_and_many_unreadable_answers_are_said():
    assert few_patients(a_count(patients=30), unit="patients") == ""
    assert few_patients(a_count(patients=29), unit="samples").startswith("Only 29 samples were asked about")
    assert unreadable(a_count(parse_failures=5)) == ""
    assert unreadable(a_count(parse_failures=6, truncated=4)) == (
        "6.0% of the answers (6 of 100) cannot be read and count as wrong: part of the result is form, not medicine. "
        "4 ran into the length limit."
    )


def test_confidence_that_is_off_by_five_points_or_more_is_said_either_way():
    def said(confidence: float) -> str:
        bins = (
            Bin(low=0, high=1, num=30, confidence=confidence, accuracy=0.4),
            Bin(low=1, high=1, num=10, confidence=confidence, accuracy=0.8),
        )
        return too_sure(Calibration(num_completions=40, num_without_confidence=0, bins=bins))

    assert said(0.54) == said(0.46) == ""
    assert said(0.7) == (
        "It is overconfident by 20.0 points: it gives its answers a probability of 70.0%, and 50.0% of those are right."
    )
    assert said(0.3).startswith("It is underconfident by 20.0 points")
    assert too_sure(Calibration(num_completions=4, num_without_confidence=4)) == ""


def test_a_lenient_rule_that_makes_much_more_of_the_answers_is_named():
    metrics = {"legacy_substring_accuracy": an_estimate(0.9), "legacy_word_jaccard": an_estimate(0.99)}
    said = lenient(an_estimate(0.5), metrics)
    assert "makes 90.0% of the same answers, 40.0 points more" in said and "(legacy_substring_accuracy)" in said
    assert lenient(an_estimate(0.88), metrics) == ""


def test_groups_whose_intervals_are_apart_are_named_and_small_ones_are_not_compared():
    def group(accuracy: float, *, patients: int = 40) -> Block:
        return Block(counts=a_count(patients=patients), metrics={"accuracy": an_estimate(accuracy)}, labels={})

    apart = {"AP": group(0.4), "PA": group(0.6), "lateral": group(0.05, patients=6)}
    assert unequal("view", apart) == (
        "By view the answers are unequal: 40.0% right for AP (95% interval 35.0 to 45.0), 60.0% for PA (55.0 to 65.0)."
    )
    assert unequal("view", {**apart, "PA": group(0.5)}) == ""
    assert unequal("view", {"AP": replace(group(0.4), metrics={}), "PA": group(0.6)}) == ""
