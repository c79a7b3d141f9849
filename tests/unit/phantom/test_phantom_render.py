from dataclasses import replace

import numpy as np
import pytest

from radrl.phantom.anatomy import draw_chest
from radrl.phantom.render import Film, develop, draw_layer, exposed, lay_film
from radrl.phantom.sampling import DEVICES, draw_fact, draw_patient
from radrl.phantom.scene import FINDINGS, Fact
from radrl.phantom.visibility import is_visible, signal_to_noise
from radrl.phantom.world import PhantomWorld
from radrl.types import Box

WORLD = PhantomWorld(seed=2, size_px=96)
DRAWN = [name for name in FINDINGS if name != "pneumonia"]


def _film(*, index: int = 0, size_px: int = 96, difficulty: float = 0.1) -> Film:
    patient = draw_patient(WORLD, index, split="train")
    return lay_film(patient.anatomy, patient.studies[0].technique, size_px=size_px, difficulty=difficulty)


def _fact(name: str, *, seed: int = 0, **changes: object) -> Fact:
    fact = draw_fact(WORLD, np.random.default_rng(seed), name=name, split="train")
    return replace(fact, certainty="present", **changes)


def _inside(boxes: tuple[Box, ...], size: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    for box in boxes:
        corners = [round(size * value) for value in (box.y0, box.y1, box.x0, box.x1)]
        mask[corners[0] : corners[1], corners[2] : corners[3]] = True
    return mask


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_boxes_hold_95_percent_of_what_a_finding_changes_in_the_image(name: str, seed: int):
    film, fact = _film(index=seed), _fact(name, seed=seed)
    layer = draw_layer(film, fact)
    change = np.abs(exposed(film, (layer,)) - exposed(film, ()))
    within = change[_inside(layer.boxes, 96)].sum()
    assert within >= 0.95 * change.sum()
    assert change.sum() > 0


@pytest.mark.parametrize("name", ["consolidation", "pleural effusion", "pneumothorax", "lung lesion", "atelectasis"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_finding_lies_on_its_own_side_of_the_patient(name: str, side: str):
    box = draw_layer(_film(), _fact(name, side=side)).boxes[0]
    # The patient's right is the image's left.
    assert (box.x0 + box.x1) / 2 > 0.5 if side == "left" else (box.x0 + box.x1) / 2 < 0.5


def test_zones_lie_below_each_other():
    film = _film()
    centers = []
    for zone in ("upper", "mid", "lower"):
        box = draw_layer(film, _fact("consolidation", side="left", zone=zone)).boxes[0]
        centers.append((box.y0 + box.y1) / 2)
    assert centers[0] + 0.1 < centers[1] < centers[2] - 0.1


def test_an_effusion_rises_towards_the_chest_wall_and_leaves_the_abdomen_alone():
    film = _film()
    chest = film.chest
    layer = draw_layer(film, _fact("pleural effusion", side="right", severity=2)).plane
    top = [int(np.argmax(column > 0.05)) for column in layer.T if (column > 0.05).any()]
    lateral, middle, medial = (top[len(top) * share // 8] for share in (1, 4, 7))
    # Concave: it falls steeply at the wall and runs out flat.
    assert middle - lateral > medial - middle >= 0
    below = chest.y > chest.base("right") + 0.03
    assert np.abs(layer[below]).max() < 0.02


@pytest.mark.parametrize("name", ["cardiomegaly", "pleural effusion", "consolidation", "pneumothorax", "edema"])
def test_more_severe_findings_change_more(name: str):
    film = _film()
    change = [float(np.abs(draw_layer(film, _fact(name, severity=grade)).plane).sum()) for grade in (1, 2, 3)]
    assert change[0] < change[1] < change[2]


def test_a_heart_is_enlarged_beyond_half_of_the_chest_and_a_healthy_one_is_not():
    for index in range(8):
        patient = draw_patient(WORLD, index, split="train")
        technique = replace(patient.studies[0].technique, view="PA", rotation_deg=0.0)
        chest = draw_chest(patient.anatomy, technique, size_px=256)
        film = Film(chest=chest, technique=technique, difficulty=0.0)
        large = chest.heart + (draw_layer(film, _fact("cardiomegaly", severity=1)).plane > 0.05)
        widths = [np.ptp(np.nonzero((mask > 0.5).any(axis=0))[0]) / 256 for mask in (chest.heart, large)]
        thorax = 2 * patient.anatomy.thorax_half_width * technique.scale
        assert widths[0] / thorax < 0.5 < widths[1] / thorax


def test_without_noise_a_layer_changes_no_pixel_outside_itself():
    film = _film()
    layer = draw_layer(film, _fact("consolidation", side="left", zone="mid"))
    difference = exposed(film, (layer,)) != exposed(film, ())
    assert not difference[layer.plane == 0].any()


def test_the_same_film_develops_to_the_same_pixels():
    first, second = (develop(film, exposed(film, ())) for film in (_film(index=4), _film(index=4)))
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
    assert 40 < first.mean() < 200


def test_difficulty_lowers_contrast_and_raises_noise():
    fact = _fact("pleural effusion", severity=2)
    easy, hard = _film(difficulty=0.1), _film(difficulty=0.9)
    ratios = []
    for film in (easy, hard):
        layer = draw_layer(film, fact)
        ratios.append(signal_to_noise(film, (layer,), layer, shown=exposed(film, (layer,))))
    assert ratios[1] < ratios[0] / 20


def test_what_drowns_in_noise_is_not_visible():
    fact = _fact("lung lesion", severity=1, side="right", zone="mid")
    seen = []
    for difficulty in (0.1, 1.0):
        film = _film(size_px=64, difficulty=difficulty)
        layer = draw_layer(film, fact)
        seen.append(is_visible(film, (layer,), layer, shown=exposed(film, (layer,))))
    assert seen == [True, False]


def test_an_uncertain_finding_is_fainter():
    film, fact = _film(), _fact("consolidation")
    sure = np.abs(draw_layer(film, fact).plane).sum()
    unsure = np.abs(draw_layer(film, replace(fact, certainty="uncertain")).plane).sum()
    assert unsure == pytest.approx(0.45 * sure, rel=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_is_drawn_brighter_than_what_it_lies_on(device: str):
    film = _film(size_px=128)
    side = None if device in ("endotracheal tube", "enteric tube") else "left"
    layer = draw_layer(film, _fact("support devices", subtype=device, side=side))
    assert layer.plane.max() > 0.05
    assert layer.plane.min() > -1e-6
