"""Writes small DICOM films with pydicom, for the tests."""

from pathlib import Path

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

SECRETS = ("Doe^Jane", "4711-22", "20190203", "General Hospital", "Dr^House", "1.2.3.4.5.6.7")
"""What a file holds that may never come out of it."""


def film(stored, *, bits=None, signed=False, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, **tags):
    """A data set that shows `stored`, which is 8 or 16 bits as its type says. A tag of None is left out."""
    stored = np.asarray(stored)
    allocated = stored.dtype.itemsize * 8
    bits = bits or allocated
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = DigitalXRayImageStorageForPresentation, "1.2.3.4.5.6.7"
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "Doe^Jane", "4711-22", "20190203"
    dataset.InstitutionName, dataset.ReferringPhysicianName = "General Hospital", "Dr^House"
    dataset.Modality, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = "DX", 1, photometric
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    content = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    kind = "OB" if allocated == 8 else "OW"
    dataset["PixelData"] = DataElement("PixelData", kind, content + b"\0" * (len(content) % 2))
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return as_file(dataset, syntax=syntax)


def as_file(dataset, *, syntax=ExplicitVRLittleEndian):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = syntax, generate_uid()
    return FileDataset(
        "",
        dataset,
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )


def lut(first, entries, *, bits, packed=False):
    """A sequence of one table, its entries in words, or in bytes."""
    item = Dataset()
    kind = "SS" if first < 0 else "US"
    item.add_new("LUTDescriptor", kind, [len(entries), first, bits])
    item.add_new("LUTData", "OW", np.array(entries, np.uint8 if packed else "<u2").tobytes())
    return Sequence([item])


def save(dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path
