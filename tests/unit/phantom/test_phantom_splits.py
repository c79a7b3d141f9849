"""Splits that show what training never does, each a range of patient numbers."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from radrl.errors import ConfigError
from radrl.graph.extract import extract
from radrl.phantom.command import read_splits
from radrl.phantom.export import export
from radrl.phantom.picturing import picture_patient
from radrl.phantom.render import draw_layer, exposed, lay_film
from radrl.phantom.report import phantom_reports
from radrl.phantom.sampling import draw_patient, world_of
from radrl.phantom.scene import Fact, mirrored
from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import KINDS, MAX_PATIENTS, MORE_KINDS, SPLITS, PhantomWorld

WORLD = PhantomWorld(seed=7, size_px=64)
EFFUSION = Fact(name="pleural effusion", side="left", severity=3, shape=(0.5,) * 8)


def patients(split, number=40, world=WORLD):
    return [draw_patient(world, index, split=split) for index in range(number)]


def test_every_split_is_a_range_of_patient_numbers_of_its_own():
    for place, split in enumerate(SPLITS):
        numbers = {patient.number // MAX_PATIENTS for patient in patients(split, 5)}
        assert numbers == {place}
    assert SPLITS[:4] == ("train", "val", "test", "ood")


def test_mirrored_patients_are_drawn_turned_over_with_their_findings_on_their_own_side():
    patient = patients("ood_mirrored", 1)[0]
    assert patient.anatomy.is_mirrored
    technique = patient.studies[0].technique
    film = lay_film(patient.anatomy, technique, size_px=64, difficulty=0.1)
    usual = lay_film(replace(patient.anatomy, is_mirrored=False), technique, size_px=64, difficulty=0.1)
    layer, other = draw_layer(film, EFFUSION), draw_layer(usual, mirrored(EFFUSION))
    np.testing.assert_array_equal(exposed(film, (layer,)), exposed(usual, (other,))[:, ::-1])
    assert layer.boxes[0].label == "left pleural effusion"
    assert layer.boxes[0].x0 > 0.5


def test_the_heart_of_a_mirrored_patient_points_to_their_right():
    def lean(split):
        patient = patients(split, 1)[0]
        film = lay_film(patient.anatomy, patient.studies[0].technique, size_px=64, difficulty=0.0)
        shown = exposed(film, ())[32:48]
        return float(shown[:, 32:].mean() - shown[:, :32].mean())

    assert lean("train") > 0 > lean("ood_mirrored")


def test_an_edema_of_a_mirrored_patient_has_a_box_on_each_side():
    patient = patients("ood_mirrored", 1)[0]
    film = lay_film(patient.anatomy, patient.studies[0].technique, size_px=64, difficulty=0.0)
    right, left = draw_layer(film, Fact(name="edema", shape=(0.5,) * 8)).boxes
    assert (right.x0 + right.x1) / 2 < 0.5 < (left.x0 + left.x1) / 2


@pytest.mark.parametrize("field", ["rotation_deg", "scale", "exposure", "gamma"])
def test_techniques_of_their_split_lie_outside_the_range_of_training(field):
    def values(split):
        return [getattr(study.technique, field) for patient in patients(split, 200) for study in patient.studies]

    low, high = min(values("train")), max(values("train"))
    assert all(not low <= value <= high for value in values("ood_technique"))


def test_the_harder_split_has_more_noise_and_fewer_findings_that_stand_out():
    assert world_of(WORLD, split="ood_difficulty").difficulty == pytest.approx(0.2 + 0.3 * 0.8)

    def visible(split):
        shown = [p for index in range(25) for p in picture_patient(WORLD, index, split=split)]
        sure = [fact for p in shown for fact in p.original.study.facts if fact.certainty == "present"]
        return sum(len(p.original.visible) for p in shown) / len(sure)

    assert visible("ood_difficulty") < visible("test")


def test_crowded_films_hold_one_finding_more_than_any_of_training():
    world = replace(WORLD, max_findings=2)
    counts = {len(study.facts) for patient in patients("ood_crowded", world=world) for study in patient.studies}
    assert counts == {3}
    trained = [len(study.facts) for patient in patients("train", world=world) for study in patient.studies]
    assert max(trained) == 2


def test_other_splits_than_the_first_keep_the_zones_of_training():
    for split in SPLITS[4:]:
        zones = {(f.name, f.zone) for p in patients(split, 100) for study in p.studies for f in study.facts}
        assert ("consolidation", "upper") not in zones


@pytest.mark.parametrize("kind", [*KINDS, *(kind for kind in MORE_KINDS if kind not in ("grounding", "box_phrase"))])
def test_no_question_of_the_split_in_other_words_is_put_as_in_training(kind):
    world = replace(WORLD, kinds={kind: 1.0})

    def stems(split):
        return {" ".join(item.question.text.split()[:40]) for item in ask_undrawn(world, split=split, num_questions=25)}

    assert not stems("train") & stems("ood_phrasing")


def test_no_sentence_of_its_reports_is_one_of_training():
    def sentences(split):
        reports = islice(phantom_reports(WORLD, num=150, split=split), 150)
        return {line.text for report in reports for line in report.lines}

    assert sentences("train") & sentences("val")
    assert not sentences("train") & sentences("ood_phrasing")


def test_an_export_writes_any_split_by_its_name(tmp_path):
    files = export(replace(WORLD, size_px=32), tmp_path, splits=dict.fromkeys(SPLITS[4:], 4))
    for split, path in files.items():
        assert path.name == f"{split}.jsonl"
        assert len([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]) == 4


def test_splits_are_read_from_texts():
    assert read_splits(("ood_mirrored=100", "ood_crowded=0")) == {"ood_mirrored": 100, "ood_crowded": 0}
    for text in ("ood_sideways=5", "ood_mirrored", "ood_mirrored=-1"):
        with pytest.raises(ConfigError, match="SPLIT=NUMBER"):
            read_splits((text,))


def test_the_page_names_every_kind_and_every_split():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "phantom.md").read_text(encoding="utf-8")
    assert [name for name in (*KINDS, *MORE_KINDS, *SPLITS) if f"`{name}`" not in page] == []


def test_the_rule_extractor_reads_reports_in_words_that_it_was_not_made_for():
    reports = list(phantom_reports(WORLD, num=60, split="ood_phrasing"))
    pairs = [(set(report.triplets), set(extract(report.text).triplets)) for report in reports]
    shared = sum(len(stated & read) for stated, read in pairs)
    assert 2 * shared / sum(len(stated) + len(read) for stated, read in pairs) >= 0.98


def test_a_crowded_split_needs_enough_findings(tmp_path):
    world = PhantomWorld(size_px=32, findings=("cardiomegaly", "edema"), max_findings=2)
    with pytest.raises(ConfigError, match="Add findings"):
        export(world, tmp_path, splits={"ood_crowded": 3})
