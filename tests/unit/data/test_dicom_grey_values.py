"""Stored values of DICOM films become grey ones in the one right order, against arrays worked by hand."""

import numpy as np
import pytest
from dicom_files import film, lut, save
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from radrl.data.dicom import open_dicom, read_dicom
from radrl.data.dicom.grey import equalised

RAMP = [0, 1000, 2000, 3000, 4000]
"""Values of 12 bits; the window 2000/2001 maps them to 0, 0, 128, 255, 255 and a little."""


def grey(tmp_path, dataset, preset="voi"):
    return read_dicom(save(dataset, tmp_path / "film"), preset).pixels.tolist()


def ramp(dtype=np.uint16, **tags):
    return film(np.array([RAMP], dtype), bits=12, **tags)


# A window of center 2000.5 and width 2001 runs from 1000 to 3000: 2000 is half way, 127.5, which rounds to even.
WINDOW = {"WindowCenter": 2000.5, "WindowWidth": 2001}


@pytest.mark.parametrize(
    ("photometric", "shape", "expected"),
    [
        ("MONOCHROME2", None, [0, 0, 128, 255, 255]),
        ("MONOCHROME2", "IDENTITY", [0, 0, 128, 255, 255]),
        ("MONOCHROME1", None, [255, 255, 127, 0, 0]),
        ("MONOCHROME1", "IDENTITY", [255, 255, 127, 0, 0]),
        ("MONOCHROME2", "INVERSE", [255, 255, 127, 0, 0]),
        # The standard has INVERSE stand beside MONOCHROME1: both say that low is white, and it is inverted once.
        ("MONOCHROME1", "INVERSE", [255, 255, 127, 0, 0]),
    ],
)
def test_a_film_is_inverted_once_after_its_window_where_low_values_are_white(tmp_path, photometric, shape, expected):
    tags = {"PresentationLUTShape": shape} if shape else {}
    assert grey(tmp_path, ramp(photometric=photometric, **WINDOW, **tags)) == [expected]


def test_without_a_window_the_percentiles_of_pixels_that_are_not_zero_are_one(tmp_path):
    stored = np.arange(202, dtype=np.uint16).reshape(2, 101)
    # Of 1 to 201 the percentiles 0.5 and 99.5 are 2 and 200: 101 is half way between.
    pixels = read_dicom(save(film(stored), tmp_path / "film")).pixels.ravel()
    assert pixels[[0, 1, 2, 101, 200, 201]].tolist() == [0, 0, 0, 128, 255, 255]


def test_borders_of_zeros_do_not_change_how_the_rest_is_shown(tmp_path):
    inner = np.arange(1, 202, dtype=np.uint16).reshape(3, 67)
    bordered = np.pad(inner, 40)
    shown = read_dicom(save(film(bordered), tmp_path / "film")).pixels[40:-40, 40:-40]
    assert shown.tolist() == grey(tmp_path, film(inner))


@pytest.mark.parametrize(
    "window",
    [{"WindowCenter": 2048, "WindowWidth": 4096}, {"WindowCenter": 2047, "WindowWidth": 4095}],
    ids=["all values", "all but the last"],
)
def test_a_window_over_all_values_that_could_be_stored_is_no_window(tmp_path, window):
    stored = np.arange(1, 202, dtype=np.uint16).reshape(3, 67)
    assert grey(tmp_path, film(stored, bits=12, **window)) == grey(tmp_path, film(stored, bits=12))


def test_a_window_over_all_values_after_the_rescaling_is_no_window(tmp_path):
    stored = np.arange(1, 202, dtype=np.uint16).reshape(3, 67)
    scaled = {"RescaleSlope": -2, "RescaleIntercept": 100}
    # Values from 0 to 4095 become 100 down to -8090: the window 100 to -8090 leaves all of them in.
    all_in = film(stored, bits=12, WindowCenter=-3995, WindowWidth=8192, **scaled)
    assert grey(tmp_path, all_in) == grey(tmp_path, film(stored, bits=12, **scaled))


def test_a_negative_slope_turns_the_film_round_before_the_window(tmp_path):
    tags = {"RescaleSlope": -1, "RescaleIntercept": 4000, **WINDOW}
    assert grey(tmp_path, ramp(**tags)) == [[255, 255, 128, 0, 0]]


def test_values_of_eight_bits_are_windowed_alike(tmp_path):
    stored = np.array([[0, 50, 100, 150, 255]], np.uint8)
    # From 50 to 150: 100 is half way.
    assert grey(tmp_path, film(stored, WindowCenter=100.5, WindowWidth=101)) == [[0, 0, 128, 255, 255]]


def test_values_of_sixteen_bits_are_windowed_alike(tmp_path):
    stored = np.array([[0, 10000, 30000, 50000, 65535]], np.uint16)
    assert grey(tmp_path, film(stored, WindowCenter=30000.5, WindowWidth=40001)) == [[0, 0, 128, 255, 255]]


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_keep_their_sign(tmp_path, bits):
    stored = np.array([[-2000, -1000, 0, 1000, 2000]], np.int16)
    mask = np.uint16((1 << bits) - 1)
    # What stands above the bits in use is not sign but nothing, as some devices write it.
    dataset = film(stored.view(np.uint16) & mask, bits=bits, signed=True, WindowCenter=0.5, WindowWidth=2001)
    assert grey(tmp_path, dataset) == [[0, 0, 128, 255, 255]]


def test_bits_above_the_highest_in_use_are_no_part_of_a_value(tmp_path):
    overlaid = np.array([RAMP], np.uint16) | np.uint16(0x8000)
    assert grey(tmp_path, film(overlaid, bits=12, **WINDOW)) == [[0, 0, 128, 255, 255]]


def test_values_in_the_upper_bits_are_brought_down(tmp_path):
    shifted = np.array([RAMP], np.uint16) << 4
    assert grey(tmp_path, film(shifted, bits=12, HighBit=15, **WINDOW)) == [[0, 0, 128, 255, 255]]


def test_a_missing_high_bit_is_the_last_of_the_stored_ones_and_noted(tmp_path):
    shown = read_dicom(save(ramp(HighBit=None, **WINDOW), tmp_path / "film"))
    assert shown.pixels.tolist() == [[0, 0, 128, 255, 255]]
    assert "no HighBit: taken as 11" in shown.notes


def test_of_several_windows_the_first_is_taken_and_recorded(tmp_path):
    shown = read_dicom(save(ramp(WindowCenter=[2000.5, 10], WindowWidth=[2001, 20]), tmp_path / "film"))
    assert shown.pixels.tolist() == [[0, 0, 128, 255, 255]]
    assert shown.window == "LINEAR window 2000.5/2001 (1 of 2)"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # From 1000 to 3000: 1500 is a quarter of the way, 63.75.
        ("LINEAR_EXACT", [0, 0, 64, 128, 255, 255]),
        # 1 / (1 + exp(-4 (x - 2000) / 2000)): exponents 4, 2, 1, 0, -2, -4.
        ("SIGMOID", [5, 30, 69, 128, 225, 250]),
    ],
)
def test_the_function_of_the_window_is_honoured(tmp_path, function, expected):
    stored = np.array([[0, 1000, 1500, 2000, 3000, 4000]], np.uint16)
    dataset = film(stored, bits=12, WindowCenter=2000, WindowWidth=2000, VOILUTFunction=function)
    assert grey(tmp_path, dataset) == [expected]


def test_a_window_of_one_value_is_a_threshold(tmp_path):
    assert grey(tmp_path, ramp(WindowCenter=2000, WindowWidth=1)) == [[0, 0, 255, 255, 255]]


def test_a_window_that_shows_nothing_is_not_used_and_said(tmp_path):
    shown = read_dicom(save(ramp(WindowCenter=2000, WindowWidth=0), tmp_path / "film"))
    assert shown.window.startswith("no window: percentiles")
    assert "a window of width 0 at 2000 shows nothing and is not used" in shown.warnings


@pytest.mark.parametrize("packed", [False, True], ids=["words", "bytes"])
def test_a_voi_lut_goes_before_the_window(tmp_path, packed):
    table = lut(1000, [0, 51, 102, 255], bits=8, packed=packed)
    dataset = film(np.array([[0, 1000, 1001, 1002, 1003, 4000]], np.uint16), bits=12, VOILUTSequence=table, **WINDOW)
    assert grey(tmp_path, dataset) == [[0, 0, 51, 102, 255, 255]]


def test_a_voi_lut_of_twelve_bits_is_scaled_by_what_it_could_hold(tmp_path):
    # 2048 of 4095 is 127.53.
    dataset = film(np.array([[0, 1, 2]], np.uint16), bits=12, VOILUTSequence=lut(0, [0, 2048, 4095], bits=12))
    assert grey(tmp_path, dataset) == [[0, 128, 255]]


def test_a_voi_lut_is_inverted_after_it_was_applied(tmp_path):
    table = lut(0, [0, 51, 102], bits=8)
    dataset = film(np.array([[0, 1, 2]], np.uint16), photometric="MONOCHROME1", VOILUTSequence=table)
    assert grey(tmp_path, dataset) == [[255, 204, 153]]


def test_a_modality_lut_goes_before_the_window_and_instead_of_the_rescaling(tmp_path):
    table = lut(-1, [4000, 3000, 2000, 1000, 0], bits=12)
    dataset = film(
        np.array([[-5, -1, 0, 1, 2, 3, 9]], np.int16), bits=12, signed=True, ModalityLUTSequence=table, **WINDOW
    )
    assert grey(tmp_path, dataset) == [[255, 255, 255, 128, 0, 0, 0]]


def test_windows_agree_with_the_librarys_own_to_the_last_grey_value(tmp_path):
    rng = np.random.default_rng(0)
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        stored = rng.integers(0, 4096, (20, 20)).astype(np.uint16)
        tags = {"RescaleSlope": 1.5, "RescaleIntercept": -300, "WindowCenter": 2000, "WindowWidth": 1234.5}
        dataset = film(stored, bits=12, VOILUTFunction=function, **tags)
        shown = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        # The library's windows end in the lowest and highest value that the film could hold.
        low, high = -300, 4095 * 1.5 - 300
        expected = np.rint((shown - low) / (high - low) * 255)
        assert np.abs(np.array(grey(tmp_path, dataset)) - expected).max() <= 1


def test_minmax_runs_from_the_darkest_to_the_brightest_pixel(tmp_path):
    stored = np.array([[1000, 2000, 3000]], np.uint16)
    assert grey(tmp_path, film(stored, **WINDOW), "minmax") == [[0, 128, 255]]
    assert grey(tmp_path, film(stored, photometric="MONOCHROME1"), "minmax") == [[255, 127, 0]]


def test_the_mimic_preset_is_that_sets_recipe(tmp_path):
    # Minus 100 and by 400: 0, 63.75, 127.5, 255, cut to whole numbers; each level once, equalised by thirds of 255.
    stored = np.array([[100, 200, 300, 500]], np.uint16)
    assert grey(tmp_path, film(stored, **WINDOW), "mimic_jpg") == [[0, 85, 170, 255]]
    assert grey(tmp_path, film(stored, photometric="MONOCHROME1"), "mimic_jpg") == [[255, 170, 85, 0]]
    # Two at the darkest: one pixel of two above it is half way.
    assert grey(tmp_path, film(np.array([[100, 100, 300, 500]], np.uint16)), "mimic_jpg") == [[0, 0, 128, 255]]


def test_the_chexpert_preset_scales_by_the_highest_value_only(tmp_path):
    # By 255 / 510: 200, 200.5 and 255; a half goes to the even one, so the first two are one level of two.
    stored = np.array([[400, 401, 510, 510]], np.uint16)
    assert grey(tmp_path, film(stored), "chexpert") == [[0, 0, 255, 255]]
    # Between lowest and highest they are 0, 2.3 and 255, which are three.
    assert grey(tmp_path, film(stored), "mimic_jpg") == [[0, 85, 255, 255]]


@pytest.mark.parametrize("preset", ["mimic_jpg", "chexpert"])
def test_the_sets_recipes_look_at_neither_window_nor_lut_shape(tmp_path, preset):
    stored = np.array([[100, 200, 300, 500]], np.uint16)
    plain = grey(tmp_path, film(stored), preset)
    assert grey(tmp_path, film(stored, PresentationLUTShape="INVERSE", RescaleSlope=-1, **WINDOW), preset) == plain


def test_equalising_gives_each_level_the_share_of_what_is_not_the_darkest():
    # 0 0 | 3 of 4 pixels up to the second level: 191.25 | 4 of 4.
    assert equalised(np.array([[7, 7, 9, 9, 9, 200]], np.uint8)).tolist() == [[0, 0, 191, 191, 191, 255]]
    assert equalised(np.array([[7, 7]], np.uint8)).tolist() == [[7, 7]]


def test_a_film_of_one_value_is_said(tmp_path):
    shown = read_dicom(save(film(np.full((4, 4), 100, np.uint16)), tmp_path / "film"))
    assert "every pixel has the same value" in shown.warnings


def test_corners_brighter_than_the_middle_are_said_and_left(tmp_path):
    negative = np.full((32, 32), 4000, np.uint16)
    negative[8:24, 8:24] = 1
    shown = read_dicom(save(film(negative, bits=12), tmp_path / "film"))
    assert [warning for warning in shown.warnings if "negative" in warning]
    assert shown.pixels[0, 0] > shown.pixels[16, 16]
    upright = read_dicom(save(film(negative, bits=12, photometric="MONOCHROME1"), tmp_path / "film"))
    assert not [warning for warning in upright.warnings if "negative" in warning]


def test_the_image_is_grey_and_of_the_films_size(tmp_path):
    image = open_dicom(save(film(np.zeros((3, 5), np.uint16)), tmp_path / "film"), preset="minmax")
    assert (image.mode, image.size) == ("L", (5, 3))
