from dataclasses import replace

import pytest
from evaluation_builders import answering, judged, presence

from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.subgroups import age_band, age_in_years, device_of, gap_among, groups_in, subgroupings
from radrl.evaluation.summary import Blind, Settings, summarise
from radrl.types import AnswerKind, ImageRef, Triplet

BOOTSTRAP = Bootstrap(resamples=200, seed=1)


@pytest.mark.parametrize(
    ("stated", "years"),
    [
        ("007Y", 7),
        ("058Y", 58),
        ("45", 45),
        (45, 45),
        (45.0, 45),
        ("45.0", 45),
        ("58 years", 58),
        ("006M", 0.5),
        ("0", 0),
        ("90", 90),
    ],
)
def test_ages_are_read_as_data_sets_write_them(stated, years):
    assert age_in_years(stated) == pytest.approx(years)


def test_days_and_weeks_are_parts_of_a_year():
    assert age_in_years("365D") == pytest.approx(1, abs=0.01)
    assert age_in_years("052W") == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("stated", ["", "unknown", "-3", "200", "45Z", None, True, [45]])
def test_what_is_no_age_is_unknown(stated):
    assert age_in_years(stated) is None


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "0-17"),
        (17.9, "0-17"),
        (18, "18-39"),
        (39, "18-39"),
        (40, "40-59"),
        (60, "60-79"),
        (79, "60-79"),
        (80, "80+"),
    ],
)
def test_bands_begin_at_their_first_year(years, band):
    assert age_band(years) == band


def groups_of(columns, **changes):
    sample = replace(presence(1, gold="yes"), columns=columns, **changes)
    return groups_in(sample, subgroupings([sample]))


@pytest.mark.parametrize(
    ("columns", "groups"),
    [
        ({"sex": "M", "age": 58, "view": "PA"}, {"sex": "M", "age_band": "40-59", "view": "PA"}),
        (
            {"PatientSex": "F", "PatientAge": "007Y", "ViewPosition": "AP"},
            {"sex": "F", "age_band": "0-17", "view": "AP"},
        ),
        ({"Patient Gender": "male", "View Position": "antero-posterior"}, {"sex": "M", "view": "AP"}),
        ({"views": ["PA", "LATERAL"]}, {"view": "several"}),
        ({"views": ["LL"]}, {"view": "lateral"}),
        ({"view": "RLO", "sex": "O", "age": None}, {}),
        ({"Support Devices": 1.0}, {"device": "with"}),
        ({"has_device": False}, {"device": "without"}),
        ({"labels": ["NSG tube", "normal"]}, {"device": "with"}),
        ({"labels": ["cardiomegaly"]}, {"device": "without"}),
        ({"labels": {"edema": 1, "support devices": 0}}, {"device": "without"}),
        ({"labels": {"edema": 1}}, {}),
    ],
)
def test_groups_are_found_under_the_names_that_data_sets_use(columns, groups):
    assert groups_of(columns) == groups


@pytest.mark.parametrize(
    ("head", "certainty", "expected"),
    [
        ("support devices", "present", "with"),
        ("pacemaker", "present", "with"),
        ("support devices", "absent", "without"),
        ("pacemaker", "absent", None),
        ("support devices", "uncertain", None),
        ("edema", "present", None),
    ],
)
def test_statements_of_the_reference_tell_of_devices(head, certainty, expected):
    """That there is no pacemaker does not say that there is no tube."""
    triplet = Triplet(head=head, relation="located_at", tail="chest", certainty=certainty)
    assert device_of(replace(presence(1, gold="yes"), triplets=(triplet,))) == expected


def test_what_one_question_tells_of_a_film_holds_for_its_other_questions():
    view = replace(
        presence(1, gold="yes", patient="a"), kind="view", answer=frozenset({"pa"}), answer_kind=AnswerKind.CHOICE
    )
    other, stranger = presence(2, gold="no", patient="a"), presence(3, gold="no", patient="b")
    groupings = subgroupings([view, other, stranger])
    assert [groups_in(sample, groupings) for sample in (view, other, stranger)] == [{"view": "PA"}, {"view": "PA"}, {}]


def test_the_sex_holds_for_the_patients_other_films_and_the_age_does_not():
    first = replace(presence(1, gold="yes", patient="a"), columns={"sex": "F", "age": 39})
    later = replace(presence(2, gold="yes", patient="a"), images=(ImageRef(path="/l.png", sha256="later"),))
    assert groups_in(later, subgroupings([first, later])) == {"sex": "F"}


def test_a_patient_of_two_sexes_is_in_no_group():
    samples = [replace(presence(n, gold="yes", patient="a"), columns={"sex": sex}) for n, sex in ((1, "F"), (2, "M"))]
    assert groups_in(samples[0], subgroupings(samples)) == {}


def said(*, women: list[int], men: list[int], unknown: int = 0):
    """One question a patient, right where 1 stands."""
    sexes = ["F"] * len(women) + ["M"] * len(men) + [None] * unknown
    rights = [*women, *men, *[1] * unknown]
    return [
        judged(
            replace(presence(number, gold="yes"), columns={"sex": sex}),
            answering("yes" if right else "no"),
        )
        for number, (sex, right) in enumerate(zip(sexes, rights, strict=True))
    ]


def gap_of(answers):
    groupings = subgroupings([one.sample for one in answers])
    return gap_among(answers, group_of=groupings["sex"], bootstrap=BOOTSTRAP)


def test_the_gap_is_the_largest_less_the_smallest_accuracy():
    """Women 15 of 20 right, men 5 of 25."""
    gap = gap_of(said(women=[1] * 15 + [0] * 5, men=[1] * 5 + [0] * 20, unknown=3))
    assert gap.difference.value == pytest.approx(0.75 - 0.2)
    assert gap.difference.low < 0.55 < gap.difference.high
    assert (gap.best, gap.worst) == ("F", "M")
    assert gap.worst_accuracy.value == pytest.approx(0.2)
    assert (gap.patients, gap.num_unknown) == ({"F": 20, "M": 25}, 3)


def test_the_gap_of_groups_that_are_alike_has_an_interval_above_zero():
    """Why the convention says so: in every resample one of the two is ahead."""
    gap = gap_of(said(women=[1, 0] * 10, men=[1, 0] * 10))
    assert gap.difference.value == 0
    assert gap.difference.high > 0


def test_a_group_of_fewer_than_twenty_patients_takes_no_part_in_the_gap():
    gap = gap_of(said(women=[1] * 19, men=[0] * 20))
    assert (gap.difference.value, gap.best, gap.worst_accuracy.value) == (None, None, None)
    assert gap.to_json()["notes"] == ["F: 19 patients, too few to take part in the gap."]


def test_the_summary_shows_small_groups_by_their_counts_alone():
    answers = said(women=[1] * 4, men=[1, 0, 1, 0, 1], unknown=2)
    summary = summarise(
        answers,
        settings=Settings(model="m", data=("d",), n=1, temperature=0.0, max_response_length=8, seed=1),
        bootstrap=BOOTSTRAP,
        blind=Blind(),
        subgroups=subgroupings([one.sample for one in answers]),
    )
    content = summary.to_json()
    women, men = content["per_group"]["sex"]["F"], content["per_group"]["sex"]["M"]
    assert (women["counts"]["patients"], women["metrics"]) == (4, {})
    assert men["metrics"]["accuracy"]["value"] == 0.6
    assert content["gaps"]["sex"]["num_unknown"] == 2
    assert "F: 4 patients, too few to say anything." in content["gaps"]["sex"]["notes"]
    assert "gaps" in content["conventions"]
