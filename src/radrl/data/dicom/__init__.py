"""DICOM radiographs in, as 8-bit films: the one order of steps, and what is known of each film without its owner.

pydicom is an extra (`pip install 'radrl[dicom]'`), so nothing here imports it before the first film is read.
"""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from radrl.config.data import DicomPreset
from radrl.data.dicom.film import Dicom, Spacing, Turn
from radrl.errors import DataError

__all__ = [
    "Dicom",
    "DicomPreset",
    "Spacing",
    "Turn",
    "check_dicom",
    "decode_dicom",
    "dicom_size",
    "is_dicom",
    "open_dicom",
    "read_dicom",
]

MAX_BYTES = 1 << 30
"""Larger files are not read: a film is some ten megabytes, and a long run of frames is no film."""

_PREAMBLE = 128


def is_dicom(source: Path | bytes) -> bool:
    """Whether `DICM` stands at byte 128. The name says nothing: films come as .dcm, .dicom, or without a suffix."""
    if isinstance(source, bytes):
        return source[_PREAMBLE : _PREAMBLE + 4] == b"DICM"
    with source.open("rb") as file:
        return is_dicom(file.read(_PREAMBLE + 4))


def open_dicom(path: Path, *, preset: DicomPreset = "voi") -> Image.Image:
    """The film as an 8-bit grey image (mode L). Raises DataError naming the file."""
    return read_dicom(path, preset).image


def read_dicom(path: Path, preset: DicomPreset = "voi") -> Dicom:
    """The film with what its header tells, see `Dicom`. Raises DataError naming the file and what is wrong with it."""
    return decode_dicom(_content(path), source=str(path), preset=preset)


def decode_dicom(content: bytes, *, source: str, preset: DicomPreset = "voi") -> Dicom:
    """The same of a file's bytes; `source` is what messages call them."""
    _need_dicom(content, source=source)
    from radrl.data.dicom.decode import decode

    return decode(content, source=source, preset=preset)


def check_dicom(content: bytes, *, source: str) -> None:
    """Refuse a film that cannot be decoded, as far as that shows without decoding it."""
    _need_dicom(content, source=source)
    from radrl.data.dicom.decode import check

    check(content, source=source)


def dicom_size(path: Path) -> tuple[int, int]:
    """Width and height of the film as `open_dicom` gives it; only the header is read."""
    with path.open("rb") as file:
        _need_dicom(file.read(_PREAMBLE + 4), source=str(path))
        file.seek(0)
        from radrl.data.dicom.header import read_header

        header = read_header(file, source=str(path)).header
    if header.turn.is_transposed:
        return header.rows, header.columns
    return header.columns, header.rows


def _content(path: Path) -> bytes:
    try:
        num_bytes = path.stat().st_size
        if num_bytes > MAX_BYTES:
            raise DataError(
                f"{path} has {num_bytes >> 20} MiB, and a film has at most {MAX_BYTES >> 20}. Leave the file out."
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check path and permissions.") from error


def _need_dicom(content: bytes, *, source: str) -> None:
    if not is_dicom(content):
        raise DataError(
            f"{source} is no DICOM file: DICM does not stand at byte 128. Replace the file or drop its row."
        )
    if find_spec("pydicom") is None:
        raise DataError(f"{source} is a DICOM file, which pydicom reads. Run pip install 'radrl[dicom]'.")
