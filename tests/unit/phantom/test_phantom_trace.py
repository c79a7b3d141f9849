import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radrl.graph.extract import extract
from radrl.phantom.balance import Ledger
from radrl.phantom.case import Case
from radrl.phantom.export import export
from radrl.phantom.items import reported_part
from radrl.phantom.questions import Question, Subject, open_question, presence_question
from radrl.phantom.report import phantom_reports, write_report
from radrl.phantom.sampling import draw_patient, generator
from radrl.phantom.scene import Fact, Study
from radrl.phantom.trace import write_trace
from radrl.phantom.world import PhantomWorld
from radrl.text import parse_trace
from radrl.types import Triplet

WORLD = PhantomWorld(seed=9, style="short", findings=("cardiomegaly", "pneumothorax", "pleural effusion"))
SHAPE = (0.5,) * 8


def _study(*facts: Fact, world: PhantomWorld = WORLD) -> Study:
    return replace(draw_patient(world, 0, split="train").studies[0], facts=facts, infection_cue=False)


def _questions(world: PhantomWorld, *, patients: int) -> Iterator[tuple[Question, Study]]:
    ledger = Ledger(world, split="train")
    for index in range(patients):
        patient = draw_patient(world, index, split="train")
        for study in patient.studies:
            sure = tuple(fact for fact in study.facts if fact.certainty == "present")
            rng = generator(world, index, study.index, purpose="question")
            question = ledger.ask(Case(patient=patient, study=study, visible=sure), rng)
            if question is not None:
                yield question, study


def _f1(pairs: Iterator[tuple[set[Triplet], set[Triplet]]]) -> float:
    right = total = 0
    for gold, extracted in pairs:
        right += 2 * len(gold & extracted)
        total += len(gold) + len(extracted)
    return right / total


EFFUSION = Fact(name="pleural effusion", side="left", severity=2, shape=SHAPE)


def test_a_short_presence_trace_judges_the_finding_and_concludes():
    question = presence_question(WORLD, _study(), Subject(name="pleural effusion", side="left"))
    assert question.text == "Is there a left pleural effusion?"
    trace = write_trace(question, _study(EFFUSION), trace="interleaved", style="short")
    assert trace.text == (
        "<think>moderate left pleural effusion</think><answer>left pleural effusion ✅</answer>"
        "<think>summary</think><answer>yes</answer>"
    )
    assert trace.triplets == (
        Triplet(head="pleural effusion", relation="located_at", tail="left pleural space"),
        Triplet(head="moderate", relation="modify", tail="pleural effusion"),
    )


def test_an_open_trace_lists_the_candidates_judges_each_and_ends_in_the_list():
    trace = write_trace(open_question(WORLD, _study()), _study(EFFUSION), trace="interleaved", style="short")
    answers = [step.answer.text for step in parse_trace(trace.text).steps]
    assert answers == [
        "Differential Diagnoses: [cardiomegaly, pneumothorax, pleural effusion]",
        "cardiomegaly ❌",
        "pneumothorax ❌",
        "pleural effusion ✅",
        "pleural effusion",
    ]


def test_a_normal_study_ends_in_no_finding():
    trace = write_trace(open_question(WORLD, _study()), _study(), trace="interleaved", style="short")
    assert trace.text.endswith("<answer>no finding</answer>")


def test_a_plain_trace_is_one_pair():
    trace = write_trace(open_question(WORLD, _study()), _study(EFFUSION), trace="plain", style="short")
    assert trace.text == (
        "<think>no cardiomegaly. no pneumothorax. moderate left pleural effusion.</think>"
        "<answer>pleural effusion</answer>"
    )


@pytest.mark.parametrize("style", ["short", "full"])
@pytest.mark.parametrize("trace", ["interleaved", "plain"])
def test_the_rule_extractor_reads_from_gold_thoughts_what_they_state(style: str, trace: str):
    world = replace(PhantomWorld(seed=11), style=style, trace=trace)

    def pairs() -> Iterator[tuple[set[Triplet], set[Triplet]]]:
        for question, study in _questions(world, patients=60):
            written = write_trace(question, study, trace=world.trace, style=world.style)
            steps = parse_trace(written.text).steps
            yield set(written.triplets), {t for step in steps for t in extract(step.think.text).triplets}

    assert _f1(pairs()) >= 0.98


def test_the_rule_extractor_reads_from_reports_what_they_state():
    reports = phantom_reports(PhantomWorld(seed=12), num=120)
    assert _f1((set(report.triplets), set(extract(report.text).triplets)) for report in reports) >= 0.98


def test_reports_by_number_are_those_of_the_scenes(tmp_path: Path):
    world = PhantomWorld(seed=12, size_px=32, difficulty=0.0, max_studies=1)
    export(world, tmp_path, splits={"val": 5})
    lines = (tmp_path / "scenes" / "val.jsonl").read_text(encoding="utf-8").splitlines()
    scenes = [json.loads(line) for line in lines]
    reports = {report.text: report for report in phantom_reports(world, num=20, split="val")}
    assert len(scenes) == 5
    for scene in scenes:
        stated = [(t.head, t.relation, t.tail, t.certainty) for t in reports[scene["report"]].triplets]
        assert stated == [tuple(triplet) for triplet in scene["triplets"]]


def test_every_reference_is_strictly_well_formed():
    for question, study in _questions(PhantomWorld(seed=13), patients=60):
        assert parse_trace(write_trace(question, study, trace="interleaved", style="full").text).is_strict


def test_short_thoughts_have_five_words_or_six_with_the_zone_of_a_two_word_finding():
    world = PhantomWorld(seed=14)
    for question, study in _questions(replace(world, kinds={"closed": 1, "presence": 1}), patients=60):
        text = write_trace(question, study, trace="interleaved", style="short").text
        thoughts = re.findall("<think>(.*?)</think>", text)
        assert all(len(thought.split()) <= (6 if "zone lung" in thought else 5) for thought in thoughts)


def test_an_under_reporting_author_drops_the_same_finding_everywhere():
    world = replace(WORLD, under_report=0.5)
    dropped = 0
    for index in range(60):
        patient = draw_patient(world, index, split="train")
        for study in patient.studies:
            seen = reported_part(world, patient, study)
            assert reported_part(world, patient, study) == seen
            assert set(seen.facts) <= set(study.facts)
            dropped += len(study.facts) - len(seen.facts)
            text = write_trace(open_question(world, study), seen, trace="interleaved", style="short").text
            for name in {fact.name for fact in study.facts} - {fact.name for fact in seen.facts}:
                assert f"<think>no {name}</think><answer>{name} ❌</answer>" in text
                assert name not in parse_trace(text).steps[-1].answer.text
    assert dropped > 20


def test_a_report_hedges_what_is_uncertain_and_denies_what_is_absent():
    unsure = replace(EFFUSION, certainty="uncertain")
    report = write_report(_study(unsure), classes=WORLD.findings, rng=np.random.default_rng(0))
    assert report.text.startswith("FINDINGS: ")
    assert "\nIMPRESSION: 1. " in report.text
    certainties = {(t.head, t.certainty) for t in report.triplets}
    assert ("pleural effusion", "uncertain") in certainties
    assert ("pneumothorax", "absent") in certainties


def test_a_fact_is_phrased_in_three_ways_at_least():
    study = _study(EFFUSION)
    texts = {write_report(study, classes=(), rng=np.random.default_rng(seed)).findings for seed in range(40)}
    assert len(texts) >= 3
