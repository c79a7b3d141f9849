"""Films in the file formats of data sets."""

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radrl.errors import ConfigError
from radrl.phantom.exporters.identifiers import age_years, hex_id
from radrl.phantom.lots import Shown


def grey(film: Shown, *, size_px: int | None = None) -> Image.Image:
    """The film in 8 bits, at its own size or enlarged to a square of `size_px`."""
    image = Image.open(io.BytesIO(film.picture.png)).convert("L")
    return image if size_px is None else image.resize((size_px, size_px), Image.Resampling.BILINEAR)


def write_png(path: Path, film: Shown, *, size_px: int | None = None) -> None:
    """An 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey(film, size_px=size_px).save(path, compress_level=1)


def write_deep_png(path: Path, film: Shown) -> None:
    """A 16-bit PNG: 255 becomes 65535."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(grey(film), dtype=np.uint16) * np.uint16(257)).save(path, compress_level=1)


def write_jpeg(path: Path, film: Shown) -> None:
    """A JPEG as good as MIMIC-CXR-JPG's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey(film).save(path, quality=95)


def write_dicom(
    path: Path, film: Shown, *, bits_stored: int, is_inverted: bool = False, size_px: int | None = None
) -> None:
    """An uncompressed DICOM film of 8 bits, or of `bits_stored` in 16; inverted it is MONOCHROME1, air white.

    Raises ConfigError where pydicom is not installed.
    """
    if find_spec("pydicom") is None:
        raise ConfigError(f"{path.name} is a DICOM film, which pydicom writes. Run pip install 'radrl[dicom]'.")
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(grey(film, size_px=size_px), dtype=np.uint16)
    _write_dicom(path, film, (255 - pixels) if is_inverted else pixels, bits_stored=bits_stored, inverted=is_inverted)


def _write_dicom(path: Path, film: Shown, pixels: NDArray[np.uint16], *, bits_stored: int, inverted: bool) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    uid = UID(f"2.25.{int(hex_id(film), 16)}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dicom = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dicom.SOPClassUID, dicom.SOPInstanceUID = meta.MediaStorageSOPClassUID, uid
    dicom.Modality = "DX"
    dicom.PatientSex, dicom.PatientAge = film.patient.anatomy.sex, f"{age_years(film):03d}Y"
    dicom.ViewPosition = film.study.technique.view
    dicom.Rows, dicom.Columns = pixels.shape
    dicom.SamplesPerPixel, dicom.PixelRepresentation = 1, 0
    dicom.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dicom.BitsStored, dicom.HighBit = bits_stored, bits_stored - 1
    dicom.BitsAllocated = 8 if bits_stored == 8 else 16
    stored = pixels.astype(np.uint8) if bits_stored == 8 else (pixels.astype(np.uint16) << (bits_stored - 8))
    dicom.PixelData = stored.tobytes()
    dicom.save_as(path, enforce_file_format=True)
