import subprocess
import sys
from dataclasses import replace

from evaluation_builders import answering, judged, listing, presence

from radrl.evaluation.blind import AnswerFrequencies, frequency_rows, question_text, shuffle_images, shuffled_row
from radrl.evaluation.intervals import Bootstrap

BOOTSTRAP = Bootstrap(resamples=100, seed=1)


def test_majority_gives_the_most_frequent_training_answer_of_the_kind():
    train = [presence(i, gold="no") for i in range(3)] + [presence(9, gold="yes")] + [listing(20, gold=["edema"])]
    frequencies = AnswerFrequencies.count(train)
    assert frequencies.majority(presence(50, gold="yes")) == {"no"}
    assert frequencies.majority(listing(51, gold=[])) == {"edema"}
    assert frequencies.majority(replace(listing(52, gold=[]), kind="view")) == {"no"}


def test_question_only_knows_the_question_text_and_falls_back_to_the_majority():
    train = [presence(i, gold="no") for i in range(3)]
    train += [presence(i, gold="yes", finding="fracture") for i in range(10, 12)]
    frequencies = AnswerFrequencies.count(train)
    assert frequencies.question_only(presence(50, gold="no", finding="fracture")) == {"yes"}
    assert frequencies.question_only(presence(51, gold="no", finding="edema")) == {"no"}


def test_image_marks_are_not_part_of_the_question():
    assert question_text(presence(1, gold="no")) == "Is there a left pleural effusion?"


def test_a_tie_does_not_depend_on_the_order_of_the_rows():
    train = [presence(1, gold="yes"), presence(2, gold="no")]
    assert AnswerFrequencies.count(train) == AnswerFrequencies.count(train[::-1])


def test_no_finding_can_be_the_majority():
    train = [listing(1, gold=[]), listing(2, gold=[]), listing(3, gold=["edema"])]
    assert AnswerFrequencies.count(train).majority(train[2]) == frozenset()


def test_frequency_rows_are_scored_like_a_model():
    asked = [judged(presence(i, gold=gold), answering("yes")) for i, gold in enumerate(["no", "no", "no", "yes"])]
    train = [presence(10, gold="no"), presence(11, gold="no"), presence(12, gold="yes")]
    row = frequency_rows(asked, AnswerFrequencies.count(train), bootstrap=BOOTSTRAP)["majority"]
    assert row.accuracy.value == 0.75
    assert row.minus.value == 0.25 - 0.75
    assert row.per_kind["presence"].value == 0.75
    assert row.num_questions == 4


def test_shuffling_takes_the_images_of_another_patient_and_nothing_else():
    samples = [presence(i, gold="yes", patient=f"p{i // 3}") for i in range(30)]
    for sample, moved in zip(samples, shuffle_images(samples, seed=1), strict=True):
        assert moved is not None
        assert moved.images != sample.images
        assert replace(moved, images=sample.images) == sample


def test_shuffling_draws_every_other_patient_about_as_often():
    samples = [presence(i, gold="yes", patient=f"p{i}") for i in range(4)]
    drawn = [shuffle_images(samples, seed=seed)[0].images[0].path for seed in range(300)]
    assert set(drawn) == {"/films/p1.png", "/films/p2.png", "/films/p3.png"}
    assert min(drawn.count(path) for path in set(drawn)) > 60


def test_shuffling_keeps_to_samples_of_as_many_images():
    one, other = presence(1, gold="yes"), presence(2, gold="yes")
    pair = replace(presence(3, gold="yes"), images=(*one.images, *other.images))
    text_only = replace(presence(4, gold="yes"), images=())
    moved = shuffle_images([one, other, pair, text_only], seed=1)
    assert [None if sample is None else sample.images for sample in moved] == [other.images, one.images, None, None]


def test_a_lone_patients_images_cannot_be_shuffled():
    assert (
        shuffle_images([presence(1, gold="yes", patient="p"), presence(2, gold="no", patient="p")], seed=1)
        == [None] * 2
    )


def test_shuffling_is_the_same_in_another_process_and_order_and_needs_no_torch():
    code = (
        "from evaluation_builders import presence; from radrl.evaluation.blind import shuffle_images;"
        "s = [presence(i, gold='yes') for i in range(20)][::-1];"
        "print([m.images[0].path for m in shuffle_images(s, seed=7)][::-1]);"
        "import sys; assert 'torch' not in sys.modules"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    here = shuffle_images([presence(i, gold="yes") for i in range(20)], seed=7)
    assert there.stdout.strip() == str([moved.images[0].path for moved in here if moved])


def test_questions_that_could_not_be_shuffled_are_left_out_on_both_sides():
    asked = [judged(presence(i, gold="yes"), answering("yes")) for i in range(2)]
    shuffled = [judged(presence(1, gold="yes"), answering("no"))]
    row = shuffled_row(asked, shuffled, bootstrap=BOOTSTRAP)
    assert (row.num_questions, row.accuracy.value, row.minus.value) == (1, 0.0, 1.0)
