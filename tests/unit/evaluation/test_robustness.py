"""Robustness rows with models that read the pixels, or do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_builders import answering, judged, listing, presence
from PIL import Image

from radrl.config.evaluation import PerturbationName
from radrl.data.images import image_ref, image_size, open_image
from radrl.evaluation.contact_sheet import contact_sheet
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.perturbed import Perturber
from radrl.evaluation.records import Judged
from radrl.evaluation.robustness import robustness_rows
from radrl.types import AnswerKind, Box, Sample

BOOTSTRAP = Bootstrap(resamples=50, seed=1)


def film(folder: Path, name: str, *, box: tuple[int, int, int, int], size: tuple[int, int] = (64, 64)):
    """A dark film with a white rectangle at left, top, right, bottom."""
    pixels = np.full((size[1], size[0]), 20, dtype=np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    Image.fromarray(pixels).save(folder / f"{name}.png")
    return image_ref(folder / f"{name}.png")


LEFT, RIGHT = (44, 20, 60, 40), (4, 20, 20, 40)
"""Where a finding of the patient's left and right is: on the film, the patient's left is to the right."""


def side_questions(folder: Path) -> list[Sample]:
    """Whose effusion is on which side: the film tells."""
    return [
        replace(
            listing(number, gold=[f"{side} pleural effusion"]),
            images=(film(folder, f"p{number}", box=LEFT if side == "left" else RIGHT),),
        )
        for number, side in enumerate(["left", "right", "left", "left"])
    ]


def seen_side(sample: Sample) -> str:
    columns = np.asarray(open_image(sample.images[0]).convert("L")).mean(axis=0)
    return "left" if columns[len(columns) // 2 :].sum() > columns[: len(columns) // 2].sum() else "right"


def looks(samples, name: str) -> list[Judged]:
    return [judged(sample, answering(f"{seen_side(sample)} pleural effusion")) for sample in samples]


def does_not_look(samples, name: str) -> list[Judged]:
    return [judged(sample, answering("left pleural effusion")) for sample in samples]


def rows(samples, model, *names: PerturbationName, level: int = 1):
    return robustness_rows(model(samples, "main"), names, level=level, ask=model, bootstrap=BOOTSTRAP)


def test_a_model_that_looks_follows_a_mirrored_film(tmp_path):
    row = rows(side_questions(tmp_path), looks, "flip")["flip"]
    assert (row.accuracy.value, row.minus.value, row.changed.value) == (1, 0, 0)
    assert row.mirrored is not None
    assert (row.mirrored.followed.value, row.mirrored.stuck.value, row.mirrored.num_questions) == (1, 0, 4)


def test_a_model_that_does_not_look_is_stuck_and_its_answers_count_as_changed(tmp_path):
    row = rows(side_questions(tmp_path), does_not_look, "flip")["flip"]
    assert (row.accuracy.value, row.minus.value, row.changed.value) == (0.25, 0.5, 1)
    assert row.mirrored is not None
    assert (row.mirrored.followed.value, row.mirrored.stuck.value) == (0.25, 0.75)


def test_mild_perturbations_change_nothing_for_a_model_that_sees_the_whole_film(tmp_path):
    names: tuple[PerturbationName, ...] = ("brightness", "contrast", "noise", "crop", "jpeg", "blur", "rotate")
    for name, row in rows(side_questions(tmp_path), looks, *names).items():
        assert (row.accuracy.value, row.minus.value, row.changed.value, row.num_questions) == (1, 0, 0, 4), name
        assert row.mirrored is None


def test_minus_is_what_the_perturbation_costs_and_an_answer_that_gets_unreadable_has_changed(tmp_path):
    def falters(samples, name):
        answers = ["left pleural effusion", "right pleural effusion", "left pleural effusion", "left pleural effusion"]
        broken = answers if name == "main" else ["", "left pleural effusion", *answers[2:]]
        return [judged(sample, answering(text)) for sample, text in zip(samples, broken, strict=True)]

    row = rows(side_questions(tmp_path), falters, "noise")["noise"]
    assert (row.accuracy.value, row.minus.value, row.changed.value) == (0.5, 0.5, 0.5)


def grounding(folder: Path, number: int, *, size=(64, 48), pixels: bool = False) -> Sample:
    box = (16, 12, 32, 24)
    return replace(
        presence(number, gold="yes"),
        kind="grounding",
        question="<image>Where is the effusion?",
        images=(film(folder, f"g{number}", box=box, size=size),),
        answer=frozenset({"[0.25, 0.25, 0.5, 0.5]"}),
        answer_kind=AnswerKind.BOXES,
        boxes=(Box(label="effusion", x0=0.25, y0=0.25, x1=0.5, y1=0.5),),
        columns={"image_size": [640, 480]} if pixels else {},
    )


def points(samples, name: str) -> list[Judged]:
    """Draws a box around what is white, in fractions or in the pixels that the row asks for."""
    found = []
    for sample in samples:
        ys, xs = np.nonzero(np.asarray(open_image(sample.images[0]).convert("L")) > 127)
        width, height = image_size(sample.images[0])
        sx, sy = sample.columns.get("image_size", (1, 1))
        corners = (
            xs.min() / width * sx,
            ys.min() / height * sy,
            (xs.max() + 1) / width * sx,
            (ys.max() + 1) / height * sy,
        )
        found.append(judged(sample, answering("[" + ", ".join(f"{corner:.4f}" for corner in corners) + "]")))
    return found


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("name", ["crop", "rotate", "flip"])
def test_gold_boxes_go_with_the_film(tmp_path, name, pixels):
    samples = [grounding(tmp_path, number, pixels=pixels) for number in range(3)]
    row = rows(samples, points, name)[name]
    assert (row.accuracy.value, row.changed.value, row.num_questions) == (1, 0, 3)


def test_what_cannot_be_asked_of_a_moved_film_is_left_out_and_counted(tmp_path):
    two_films = replace(grounding(tmp_path, 1), images=(film(tmp_path, "a", box=LEFT), film(tmp_path, "b", box=LEFT)))
    by_place = replace(side_questions(tmp_path)[0], id="q9", question="<image>What is at [0.1, 0.2, 0.3, 0.4]?")
    without = replace(presence(5, gold="yes"), images=())
    at_edge = replace(grounding(tmp_path, 6), answer=frozenset({"[0.0, 0.0, 0.04, 0.04]"}))
    asked = Perturber(name="crop", level=3, seed=1, folder=tmp_path).ask([two_films, by_place, without, at_edge])
    assert asked.samples == ()
    assert sorted(asked.left_out.values()) == [1, 1, 1, 1]
    noise = Perturber(name="noise", level=3, seed=1, folder=tmp_path).ask([two_films, by_place, without, at_edge])
    assert (len(noise.samples), noise.left_out) == (3, {"they have no image": 1})


def test_a_row_says_what_was_left_out(tmp_path):
    samples = [*side_questions(tmp_path), replace(presence(9, gold="yes"), images=())]
    model = {"main": [answering("left pleural effusion")] * 4 + [answering("yes")]}

    def ask(samples, name):
        return [judged(sample, text) for sample, text in zip(samples, model.get(name, model["main"][:4]), strict=True)]

    row = rows(samples, ask, "blur")["blur"]
    assert row.notes == ("1 questions are left out: they have no image.",)
    assert row.to_json()["num_questions"] == 4


def test_every_film_of_a_question_is_perturbed_and_a_film_looks_the_same_in_all_its_questions(tmp_path):
    one, other = film(tmp_path, "one", box=LEFT), film(tmp_path, "other", box=RIGHT)
    both = replace(presence(1, gold="yes"), images=(one, other))
    asked = Perturber(name="noise", level=1, seed=1, folder=tmp_path).ask([both, replace(both, id="q2", images=(one,))])
    assert [len(sample.images) for sample in asked.samples] == [2, 1]
    assert asked.samples[0].images[0] == asked.samples[1].images[0] != one
    assert asked.samples[0].images[0].sha256 != asked.samples[0].images[1].sha256
    assert not (np.asarray(open_image(asked.samples[0].images[0])) == np.asarray(open_image(one))).all()


def test_perturbed_films_are_gone_when_their_questions_are_answered(tmp_path):
    seen = []

    def ask(samples, name):
        seen.extend(Path(ref.path) for sample in samples for ref in sample.images)
        assert all(path.exists() for path in seen)
        return does_not_look(samples, name)

    plain = does_not_look(side_questions(tmp_path), "main")
    robustness_rows(plain, ["blur"], level=1, ask=ask, bootstrap=BOOTSTRAP, folder=tmp_path)
    assert len(seen) == 4
    assert not any(path.exists() for path in seen)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png"] * 4


def test_the_contact_sheet_shows_the_film_as_it_is_and_under_every_perturbation(tmp_path):
    ref = film(tmp_path, "a", box=LEFT)
    sheet = np.asarray(contact_sheet(ref, ["flip", "brightness"], level=3, seed=1).convert("L"))
    plain, flipped = sheet[8:72, 8:72], sheet[8:72, 256:320]
    assert (plain == np.asarray(open_image(ref).convert("L"))).all()
    assert (flipped == plain[:, ::-1]).all()
    assert set(np.unique(sheet[8:72, 504:568])) in ({71, 255}, {0, 204})
