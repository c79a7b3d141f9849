"""Pixel data decoded, and the film put together."""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, RLELossless

from radrl.config.data import DicomPreset
from radrl.data.dicom.film import Dicom
from radrl.data.dicom.grey import to_grey
from radrl.data.dicom.header import BROKEN, Header, Parsed, read_header
from radrl.errors import DataError

_JPEG_2000: Final = b"\xff\x4f\xff\x51"
"""A JPEG 2000 codestream begins with its size."""
_JPEG: Final = b"\xff\xd8"
_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers that a JPEG frame's size follows; 0xF7 is JPEG-LS."""


def decode(content: bytes, *, source: str, preset: DicomPreset) -> Dicom:
    """The film in a file's bytes."""
    parsed = _checked(content, source=source)
    header = parsed.header
    grey = to_grey(_stored_values(parsed, source=source), header, preset)
    return Dicom(
        pixels=header.turn.pixels(grey.pixels),
        meta=header.meta,
        view=header.view,
        turn=header.turn,
        spacing=header.spacing,
        preset=preset,
        window=grey.window,
        is_inverted=grey.is_inverted,
        notes=header.notes,
        warnings=(*header.warnings, *grey.warnings),
    )


def check(content: bytes, *, source: str) -> None:
    """Refuse a film whose header, length or decoder shows that it cannot be decoded."""
    _checked(content, source=source)


def _checked(content: bytes, *, source: str) -> Parsed:
    parsed = read_header(BytesIO(content), source=source, with_pixels=True)
    try:
        _check_pixels(parsed.dataset, parsed.header, source=source)
    except DataError:
        raise
    except BROKEN as error:
        raise _undecodable(source, error) from error
    return parsed


def _check_pixels(dataset: Dataset, header: Header, *, source: str) -> None:
    data: object = dataset.get("PixelData")
    if not isinstance(data, bytes) or not data:
        raise DataError(f"{source} has no pixel data: it is a report or a presentation state. Leave it out.")
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        wanted = header.rows * header.columns * header.bits_allocated // 8 * header.num_frames
        if len(data) < wanted:
            raise DataError(
                f"{source} is cut off: it has {len(data):,} of {wanted:,} bytes of pixels. Fetch it again, or drop "
                "its row."
            )
        return
    _need_decoder(syntax, source=source)
    if syntax != RLELossless:
        _check_coded_size(get_frame(data, 0, number_of_frames=header.num_frames), header, source=source)


def _need_decoder(syntax: UID, *, source: str) -> None:
    decoder = get_decoder(syntax)
    if not decoder.is_available:
        raise DataError(
            f"{source} is encoded as {syntax.name}, for which no decoder is installed. Run pip install "
            "'radrl[dicom]' for JPEG 2000; for lossless JPEG and JPEG-LS either pip install python-gdcm, or pip "
            "install 'radrl[dicom-gpl]', whose pylibjpeg-libjpeg is under the GPL."
        )


def _check_coded_size(frame: bytes, header: Header, *, source: str) -> None:
    """Refuse a picture of another size than the header's before its decoder makes room for it."""
    coded = _coded_size(frame)
    if coded != (header.rows, header.columns):
        found = "no picture that can be read" if coded is None else f"a picture of {coded[0]} x {coded[1]} pixels"
        raise DataError(
            f"{source} claims {header.rows} x {header.columns} pixels and holds {found}. Fetch it again, or drop its "
            "row."
        )


def _coded_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG or JPEG 2000 stream says it has; None for anything else."""
    if frame.startswith(_JPEG_2000) and len(frame) >= 24:
        right, bottom, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
        return bottom - top, right - left
    if not frame.startswith(_JPEG):
        return None
    at = len(_JPEG)
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _JPEG_FRAMES:
            return int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9])
        # 0xFF before a marker is filling; any other segment says how long it is.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4])
    return None


def _stored_values(parsed: Parsed, *, source: str) -> NDArray[np.int32]:
    header, dataset = parsed.header, parsed.dataset
    # The decoder assumes nothing, so it is told what the header assumed.
    dataset.BitsStored, dataset.SamplesPerPixel = header.bits_stored, 1
    dataset.PixelRepresentation = int(header.is_signed)
    try:
        # The library's own correction takes the lowest bits, whatever the highest in use is.
        raw = pixel_array(dataset, index=0, raw=True, correct_unused_bits=False)
    except BROKEN as error:
        raise _undecodable(source, error) from error
    return _bits_in_use(raw, header)


def _undecodable(source: str, error: Exception) -> DataError:
    """One sentence of what a decoder said, which sees pixel data only."""
    said = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"the pixels of {source} cannot be decoded ({said[:200]}). Replace the file or drop its row.")


def _bits_in_use(raw: NDArray[np.integer], header: Header) -> NDArray[np.int32]:
    """The value that stands in the bits up to the highest in use; what stands in the others is no pixel."""
    num_bits = raw.dtype.itemsize * 8
    stored = raw.astype(np.int32)
    above, below = num_bits - 1 - header.high_bit, header.high_bit + 1 - header.bits_stored
    if above == 0 and below == 0:
        return stored
    kept = stored >> below & (1 << header.bits_stored) - 1
    sign = 1 << header.bits_stored - 1
    return (kept ^ sign) - sign if header.is_signed else kept
