import numpy as np
import pytest
from PIL import Image

from radrl.answers.quantities import Rectangle
from radrl.data.perturb import AMOUNTS, MEANINGS, MOVING, Perturbation, meaning
from radrl.types import ImageRef

FILM = ImageRef(path="/films/a.png", sha256="9f2c")
SQUARE = Rectangle(x0=0.25, y0=0.5, x1=0.5, y1=0.75)


def grey(value: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    return Image.new("L", size, value)


def with_square(size: tuple[int, int] = (32, 32)) -> Image.Image:
    """A black film with a white square where `SQUARE` says."""
    pixels = np.zeros((size[1], size[0]), dtype=np.uint8)
    pixels[size[1] // 2 : 3 * size[1] // 4, size[0] // 4 : size[0] // 2] = 255
    return Image.fromarray(pixels)


def values(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def bright_box(image: Image.Image) -> list[float]:
    rows, columns = np.nonzero(values(image)[..., 0] > 127)
    height, width = image.height, image.width
    return [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]


def corners(box: Rectangle | None) -> list[float]:
    assert box is not None
    return [box.x0, box.y0, box.x1, box.y1]


def test_brightness_adds_grey_values_and_cuts_off_at_white():
    brighter = Perturbation(name="brightness", amount=51)
    assert np.unique(values(brighter.apply(grey(100)))).tolist() == [151]
    assert np.unique(values(brighter.apply(grey(240)))).tolist() == [255]


def test_contrast_multiplies_the_distance_from_mid_grey():
    weaker = Perturbation(name="contrast", amount=0.8)
    assert np.unique(values(weaker.apply(grey(27)))).tolist() == [47]
    assert np.unique(values(weaker.apply(grey(228)))).tolist() == [208]


def test_noise_has_the_stated_spread_and_is_the_same_in_all_colours():
    noisy = values(Perturbation(name="noise", amount=8, seed=3).apply(grey(128, (200, 200)))).astype(float)
    assert noisy.std() == pytest.approx(8, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)
    assert (noisy[..., 0] == noisy[..., 2]).all()


def test_a_crop_keeps_the_pixels_at_its_corner():
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    cropped = Perturbation(name="crop", amount=0.8, corner=(0.99, 0.4)).apply(Image.fromarray(pixels))
    assert cropped.size == (8, 8)
    assert (values(cropped)[..., 0] == pixels[1:9, 2:10]).all()


def test_jpeg_changes_fine_detail_and_leaves_even_grey_alone():
    checks = Image.fromarray((np.indices((32, 32)).sum(0) % 2 * 200).astype(np.uint8))
    packed = Perturbation(name="jpeg", amount=25)
    assert np.unique(values(packed.apply(grey(128)))).tolist() == [128]
    assert np.abs(values(packed.apply(checks))[..., 0].astype(int) - np.asarray(checks)).max() > 20


def test_blur_spreads_a_point_by_its_standard_deviation_and_keeps_its_mass():
    point = np.zeros((33, 33), dtype=np.uint8)
    point[16, 16] = 255
    blurred = values(Perturbation(name="blur", amount=2).apply(Image.fromarray(point)))[..., 0].astype(float)
    places = np.arange(33) - 16
    assert np.sqrt((blurred.sum(0) * places**2).sum() / blurred.sum()) == pytest.approx(2, rel=0.2)


def test_a_quarter_turn_is_counter_clockwise_and_carries_the_box():
    turned = Perturbation(name="rotate", amount=90)
    assert corners(turned.move(SQUARE, (32, 32))) == pytest.approx([0.5, 0.5, 0.75, 0.75])
    assert bright_box(turned.apply(with_square())) == pytest.approx([0.5, 0.5, 0.75, 0.75], abs=1 / 32)


def test_mirroring_twice_is_the_identity_on_pixels_and_boxes():
    flip = Perturbation(name="flip", amount=1)
    film = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8))
    assert (values(flip.apply(flip.apply(film)))[..., 0] == np.asarray(film)).all()
    once = flip.move(SQUARE, (32, 32))
    assert corners(once) == [0.5, 0.5, 0.75, 0.75]
    assert flip.move(once, (32, 32)) == SQUARE


@pytest.mark.parametrize("name", sorted(MOVING))
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_box_goes_with_its_pixels(name, level):
    size = (160, 96)
    for sha in ("a", "b", "c"):
        moved = Perturbation.drawn(name, level=level, seed=1, film=ImageRef(path="/x", sha256=sha))
        film = moved.apply(with_square(size))
        assert film.size == moved.size(size)
        found = bright_box(film)
        assert corners(moved.move(SQUARE, size)) == pytest.approx(found, abs=2 / 96), sha


def test_a_box_that_is_cut_off_is_gone_and_one_at_the_edge_is_cut():
    crop = Perturbation(name="crop", amount=0.5, corner=(0.999, 0.999))
    assert crop.move(Rectangle(x0=0.1, y0=0.1, x1=0.4, y1=0.4), (32, 32)) is None
    at_edge = crop.move(Rectangle(x0=0.25, y0=0.5, x1=0.75, y1=1.0), (32, 32))
    assert corners(at_edge) == pytest.approx([0.0, 0.0, 0.5, 1.0])


def test_what_a_film_undergoes_follows_from_seed_and_film_and_goes_both_ways():
    drawn = [
        Perturbation.drawn("rotate", level=2, seed=1, film=ImageRef(path="/x", sha256=str(number)))
        for number in range(20)
    ]
    assert {one.amount for one in drawn} == {5.0, -5.0}
    assert Perturbation.drawn("noise", level=1, seed=1, film=FILM) == Perturbation.drawn(
        "noise", level=1, seed=1, film=FILM
    )
    assert Perturbation.drawn("noise", level=1, seed=2, film=FILM).seed != drawn[0].seed


def test_contrast_goes_down_by_a_factor_or_up_by_its_inverse():
    films = (ImageRef(path="/x", sha256=str(number)) for number in range(20))
    amounts = {Perturbation.drawn("contrast", level=2, seed=1, film=film).amount for film in films}
    assert amounts == {0.8, 1.25}


@pytest.mark.parametrize("name", sorted(AMOUNTS))
def test_a_perturbation_says_what_it_does(name):
    sentences = [meaning(name, level=level) for level in (1, 2, 3)]
    assert all("{" not in sentence for sentence in sentences)
    assert len(set(sentences)) == (1 if name == "flip" else 3)
    assert AMOUNTS.keys() == MEANINGS.keys()
