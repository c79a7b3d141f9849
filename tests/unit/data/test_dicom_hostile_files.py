"""Files that are broken, or made to break the reader, each end in one sentence that names them."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from dicom_files import SECRETS, as_file, film, lut, save
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from radrl.data.dicom import check_dicom, dicom_size, read_dicom
from radrl.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

STORED = np.random.default_rng(0).integers(0, 4096, (32, 36)).astype(np.uint16)


def refused(path, match):
    """The file is refused with one sentence, before it is decoded as well."""
    with pytest.raises(DataError, match=match) as caught:
        read_dicom(path)
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert not [secret for secret in SECRETS if secret in said]
    with pytest.raises(DataError, match=match):
        check_dicom(path.read_bytes(), source=str(path))


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ({"photometric": "RGB"}, "photometric interpretation 'RGB'"),
        ({"photometric": "PALETTE COLOR"}, "'PALETTE COLOR'"),
        ({"photometric": "YBR_FULL_422"}, "'YBR_FULL_422'"),
        ({"photometric": "MONOCHROME3"}, "'MONOCHROME3'"),
        ({"PhotometricInterpretation": None}, "photometric interpretation ''"),
        ({"SamplesPerPixel": 3}, "in 3 samples a pixel"),
        ({"Modality": "CT"}, "has the modality 'CT'"),
        ({"Rows": 0}, "0 rows and 36 columns"),
        ({"Rows": None}, "None rows"),
        ({"Rows": 65535, "Columns": 65535}, "claims 65535 x 65535 pixels"),
        ({"Rows": 33}, "cut off: it has 2,304 of 2,376 bytes"),
        ({"NumberOfFrames": 1000000}, "cut off: it has 2,304 of 2,304,000,000 bytes"),
        ({"BitsAllocated": 32}, "of 32, and a film has 8 or 16"),
        ({"BitsAllocated": 12}, "of 12"),
        ({"BitsAllocated": None}, "of None"),
        ({"BitsStored": 17}, "stores 17 bits"),
        ({"HighBit": 3}, "up to bit 3"),
        ({"HighBit": 40}, "up to bit 40"),
        ({"PixelRepresentation": 7}, "neither 0 nor 1"),
        ({"PresentationLUTShape": "LIN OD"}, "PresentationLUTShape 'LIN OD'"),
        ({"VOILUTFunction": "CUBIC", "WindowCenter": 1, "WindowWidth": 9}, "VOILUTFunction 'CUBIC'"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "RescaleSlope 0 and RescaleIntercept 5, by which"),
        ({"PixelData": None}, "no pixel data"),
        ({"VOILUTSequence": [Dataset()]}, "without three descriptors"),
    ],
)
def test_a_header_that_no_film_has_is_refused_with_its_value(tmp_path, tags, match):
    refused(save(film(STORED, bits=12, **tags), tmp_path / "film"), match)


def test_a_table_shorter_than_it_says_is_refused(tmp_path):
    table = lut(0, [0, 1, 2, 3], bits=8)
    table[0].LUTDescriptor = [400, 0, 8]
    refused(
        save(film(STORED, VOILUTSequence=table), tmp_path / "film"), "8 entries in 8 bits, and its descriptor says 400"
    )


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless], ids=["plain", "JPEG 2000", "RLE"])
def test_a_file_cut_off_anywhere_is_refused_or_shows_its_film(tmp_path, syntax):
    dataset = film(STORED, bits=12)
    if syntax:
        dataset.compress(syntax)
    whole = save(dataset, tmp_path / "film").read_bytes()
    num_refused = 0
    for end in range(132, len(whole), 41):
        (tmp_path / "cut").write_bytes(whole[:end])
        try:
            assert read_dicom(tmp_path / "cut").pixels.shape == STORED.shape
        except DataError as error:
            num_refused += 1
            assert str(tmp_path / "cut") in str(error)
    assert num_refused >= (len(whole) - 132) // 41 - 2


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless], ids=["plain", "JPEG 2000", "RLE"])
def test_any_byte_may_be_wrong_and_nothing_but_a_refusal_comes_of_it(tmp_path, syntax):
    table = lut(0, list(range(64)), bits=8)
    tags = {"PatientOrientation": ["L", "F"], "PixelSpacing": [0.1, 0.1], "WindowCenter": [1, 2], "WindowWidth": [3, 4]}
    dataset = film(STORED, bits=12, ModalityLUTSequence=table, VOILUTSequence=table, **tags)
    if syntax:
        dataset.compress(syntax)
    whole = save(dataset, tmp_path / "film").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(132, len(whole), 100):
        wrong = bytearray(whole)
        wrong[place] = rng.integers(256)
        (tmp_path / "wrong").write_bytes(wrong)
        try:
            found = read_dicom(tmp_path / "wrong")
            said = repr((found.meta, found.notes, found.warnings, found.window))
        except DataError as error:
            said = str(error)
            assert str(tmp_path / "wrong") in said
        assert not [secret for secret in SECRETS if secret in said]


def test_a_picture_larger_than_the_header_says_is_refused_before_it_is_decoded(tmp_path):
    dataset = film(STORED, bits=12)
    dataset.compress(JPEG2000Lossless)
    whole = save(dataset, tmp_path / "film").read_bytes()
    size = whole.index(b"\xff\x4f\xff\x51") + 8
    bomb = whole[:size] + struct.pack(">II", 60000, 60000) + whole[size + 8 :]
    (tmp_path / "bomb").write_bytes(bomb)
    refused(tmp_path / "bomb", "claims 32 x 36 pixels and holds a picture of 60000 x 60000")


def test_what_is_no_picture_where_one_should_be_is_refused(tmp_path):
    dataset = film(STORED, bits=12)
    dataset.compress(JPEG2000Lossless)
    dataset.PixelData = encapsulate([b"not a picture!"])
    refused(save(dataset, tmp_path / "film"), "holds no picture that can be read")


def test_a_jpeg_is_decoded_and_its_size_is_held_against_the_header(tmp_path):
    ramp = np.tile(np.arange(0, 240, 15, dtype=np.uint8), (8, 1))
    coded = BytesIO()
    Image.fromarray(ramp).save(coded, "JPEG", quality=98)
    dataset = film(ramp, syntax=JPEGBaseline8Bit)
    dataset.PixelData = encapsulate([coded.getvalue()])
    dataset["PixelData"].VR = "OB"
    shown = read_dicom(save(dataset, tmp_path / "film"), "minmax").pixels.astype(int)
    assert np.abs(shown - ramp / 225 * 255).max() <= 4
    dataset.Rows = 9
    refused(save(dataset, tmp_path / "film"), "claims 9 x 16 pixels and holds a picture of 8 x 16")


LOSSLESS = bytes.fromhex(
    "ffd8ffc3000b100002000301011100ffc4001700010003000000000000000000000000000a070c10ffda0008010100010000cfa1f45bb87d"
    "12ff00ffd900"
)
"""A lossless JPEG of 0 1000 2000 above 3000 4000 4095."""


def test_a_lossless_jpeg_is_decoded_where_a_decoder_is_installed_and_otherwise_refused(tmp_path):
    dataset = film(np.zeros((2, 3), np.uint16), bits=12, syntax=JPEGLosslessSV1)
    dataset.PixelData = encapsulate([LOSSLESS])
    path = save(dataset, tmp_path / "film")
    if get_decoder(JPEGLosslessSV1).is_available:
        # By 255 / 4095.
        assert read_dicom(path, "minmax").pixels.tolist() == [[0, 62, 125], [187, 249, 255]]
    else:
        refused(path, "no decoder is installed")


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless], ids=["lossless JPEG", "JPEG-LS"])
def test_without_a_decoder_for_lossless_jpeg_both_are_named_with_their_licence(tmp_path, monkeypatch, syntax):
    dataset = film(STORED, bits=12, syntax=syntax)
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3"])
    path = save(dataset, tmp_path / "film")
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.is_available", property(lambda self: False))
    refused(path, r"python-gdcm, or pip install 'radrl\[dicom-gpl\]', whose pylibjpeg-libjpeg is under the GPL")


def test_a_deflated_file_is_refused_before_it_is_inflated(tmp_path):
    path = save(film(STORED, syntax=DeflatedExplicitVRLittleEndian), tmp_path / "film")
    refused(path, "deflated as a whole")
    whole = path.read_bytes()
    end = len(whole) - 200
    (tmp_path / "bomb").write_bytes(whole[:end] + zlib.compress(b"\0" * 10_000_000))
    with pytest.raises(DataError, match="deflated as a whole"):
        dicom_size(tmp_path / "bomb")


def test_a_file_without_a_transfer_syntax_is_refused(tmp_path):
    path = save(film(STORED), tmp_path / "film")
    whole = path.read_bytes()
    # The tag of the transfer syntax becomes one that nobody asks for.
    path.write_bytes(whole.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI", 1))
    refused(path, "names no transfer syntax")


def test_a_transfer_syntax_that_nobody_knows_is_refused(tmp_path):
    path = save(film(STORED), tmp_path / "film")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1))
    refused(path, "pixels of .* cannot be decoded")


def test_a_report_is_refused_as_no_radiograph(tmp_path):
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.3"
    dataset.Modality = "SR"
    refused(save(as_file(dataset), tmp_path / "report"), "has the modality 'SR'")


def test_a_file_too_large_for_a_film_is_not_read(tmp_path, monkeypatch):
    path = save(film(STORED), tmp_path / "film")
    monkeypatch.setattr("radrl.data.dicom.MAX_BYTES", 100)
    with pytest.raises(DataError, match="has 0 MiB"):
        read_dicom(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.dcm cannot be read \(No such file"):
        read_dicom(tmp_path / "gone.dcm")
