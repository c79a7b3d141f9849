import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from radrl.errors import ConfigError
from radrl.phantom.sampling import draw_patient
from radrl.phantom.scene import HELD_OUT, Fact, Patient, Study, sites, triplets
from radrl.phantom.world import PhantomWorld
from radrl.types import Triplet

WORLD = PhantomWorld(seed=5)


def _patients(split: str, *, number: int = 200, world: PhantomWorld = WORLD) -> list[Patient]:
    return [draw_patient(world, index, split=split) for index in range(number)]


def _studies(split: str, *, number: int = 200, world: PhantomWorld = WORLD) -> list[Study]:
    return [study for patient in _patients(split, number=number, world=world) for study in patient.studies]


def _effusion(**changes: object) -> Fact:
    fact = Fact(name="pleural effusion", side="left", severity=2, shape=(0.5,) * 8)
    return replace(fact, **changes)


def test_a_moderate_left_effusion_is_located_and_graded():
    assert triplets(_effusion(), certainty="present", graded=True) == (
        Triplet(head="pleural effusion", relation="located_at", tail="left pleural space"),
        Triplet(head="moderate", relation="modify", tail="pleural effusion"),
    )


def test_a_denial_without_a_side_denies_both_sides():
    denied = triplets(_effusion(side=None), certainty="absent", graded=False)
    assert {(t.tail, t.certainty) for t in denied} == {
        ("left pleural space", "absent"),
        ("right pleural space", "absent"),
    }


@pytest.mark.parametrize(
    ("name", "side", "zone", "expected"),
    [
        ("cardiomegaly", None, None, ("cardiac silhouette",)),
        ("enlarged cardiomediastinum", None, None, ("mediastinum",)),
        ("edema", None, None, ("left lung", "right lung")),
        ("consolidation", "right", "upper", ("right upper zone",)),
        ("consolidation", "right", None, ("right lung",)),
        ("fracture", "left", None, ("left ribs",)),
    ],
)
def test_every_finding_has_its_canonical_site(name: str, side: str, zone: str, expected: tuple[str, ...]):
    assert sites(_effusion(name=name, side=side, zone=zone)) == expected


def test_a_broader_finding_is_true_where_a_narrower_one_is():
    study = replace(_studies("train")[0], facts=(_effusion(name="atelectasis", zone="lower"),), infection_cue=False)
    assert study.matching("lung opacity", side="left")
    assert not study.matching("lung opacity", side="right")
    assert not study.matching("consolidation")


def test_a_consolidation_is_pneumonia_only_with_the_cue():
    patch = _effusion(name="consolidation", zone="mid")
    study = replace(_studies("train")[0], facts=(patch,), infection_cue=False)
    assert study.matching("pneumonia") == ()
    assert replace(study, infection_cue=True).matching("pneumonia") == (patch,)


def test_a_patient_is_the_same_whatever_was_drawn_before():
    alone = draw_patient(WORLD, 7, split="val")
    assert _patients("val", number=8)[7] == alone


def test_a_patient_is_the_same_in_another_process():
    code = (
        "from radrl.phantom.sampling import draw_patient; from radrl.phantom.world import PhantomWorld;"
        "print(repr(draw_patient(PhantomWorld(seed=5), 3, split='test')))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == repr(draw_patient(WORLD, 3, split="test"))


def test_another_seed_is_another_world():
    assert _patients("train", number=5) != _patients("train", number=5, world=replace(WORLD, seed=6))


def test_splits_share_no_patient():
    ids = [patient.id for split in ("train", "val", "test", "ood") for patient in _patients(split, number=50)]
    assert len(set(ids)) == 200


def test_held_out_pairs_are_in_every_ood_study_and_nowhere_else():
    def has_pair(study: Study) -> bool:
        return any((fact.name, fact.zone) in HELD_OUT for fact in study.facts)

    assert all(has_pair(study) for study in _studies("ood"))
    assert not any(has_pair(study) for split in ("train", "val", "test") for study in _studies(split))


def test_each_finding_has_the_prevalence_of_a_ward_and_a_third_of_films_are_normal():
    studies = _studies("train", number=1200)
    counts = Counter(name for study in studies for name in {fact.name for fact in study.facts})
    shares = {name: count / len(studies) for name, count in counts.items()}
    assert all(0.08 <= share <= 0.25 for share in shares.values()), shares
    normal = sum(not study.facts for study in studies) / len(studies)
    assert 0.25 <= normal <= 0.35


def test_tubes_of_the_bedridden_are_on_ap_films():
    tubes = {"endotracheal tube", "chest tube"}
    views = {s.technique.view for s in _studies("train") if any(f.subtype in tubes for f in s.facts)}
    assert views == {"AP"}


def test_edema_brings_cardiomegaly_along_more_often_than_chance_does():
    studies = _studies("train", number=1200)
    with_edema = [s for s in studies if s.matching("edema")]
    without = [s for s in studies if not s.matching("edema")]

    def share(group: list[Study]) -> float:
        return sum(bool(s.matching("cardiomegaly")) for s in group) / len(group)

    assert share(with_edema) > 1.5 * share(without)


def test_findings_of_a_patient_persist_from_study_to_study():
    pairs = [pair for p in _patients("train") for pair in zip(p.studies[:-1], p.studies[1:], strict=True)]
    kept = [any(f.label == g.label for g in after.facts) for before, after in pairs for f in before.facts]
    assert 0.4 < sum(kept) / len(kept) < 0.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"difficulty": 1.5}, "difficulty is 1.5"),
        ({"size_px": 8}, "size_px is 8"),
        ({"findings": ("cardiomegalie",)}, "Did you mean 'cardiomegaly'"),
        ({"findings": ()}, "findings is empty"),
        ({"findings": ("pneumonia",)}, "Add consolidation"),
        ({"kinds": {"presense": 1.0}}, "Did you mean 'presence'"),
        ({"kinds": {"open": 0.0}}, "positive sum"),
        ({"severities": (4,)}, "severities is"),
    ],
)
def test_a_world_that_cannot_be_says_why(changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        replace(WORLD, **changes)
