"""Values of a DICOM data set as plain Python ones, and the few of them that may be kept."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

META: Final = (
    "Modality", "BodyPartExamined", "ViewPosition", "PatientOrientation", "PatientSex", "PatientAge", "Manufacturer",
    "ManufacturerModelName", "Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PhotometricInterpretation", "PresentationLUTShape", "RescaleSlope", "RescaleIntercept",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "PixelSpacing", "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "PixelSpacingCalibrationType", "BurnedInAnnotation",
    "LossyImageCompression",
)  # fmt: skip
"""Keywords of the tags that may be kept."""

_CODE: Final = re.compile(r"[A-Z0-9_ ]{0,16}")
_LIKE: Final = {
    "PatientSex": re.compile("[MFO]"),
    "PatientAge": re.compile("[0-9]{3}[DWMY]"),
    "PatientOrientation": re.compile(r"[A-Z]{1,3}\\[A-Z]{1,3}"),
    "Manufacturer": re.compile("[ -~]{1,64}"),
    "ManufacturerModelName": re.compile("[ -~]{1,64}"),
    **dict.fromkeys(
        ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PixelSpacing", "ImagerPixelSpacing"),
        re.compile(r"[0-9.eE+\\-]{1,200}"),
    ),
}
"""What a value has to look like to be kept, other tags like `_CODE`: hospitals write other things into these fields,
and where a length is wrong a value runs on into the tags that follow."""

_OLDEST: Final = "090Y"
"""Ages from 90 on are one class, as rules of de-identification want it."""


def values(dataset: Dataset, keyword: str) -> tuple[object, ...]:
    """Every value of a tag; none where it is missing or empty."""
    value: Any = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return tuple(cast("MultiValue[object]", value)) if isinstance(value, (MultiValue, list)) else (value,)


def text(dataset: Dataset, keyword: str) -> str:
    """A tag as text, several values with backslashes between; empty where it is missing."""
    return "\\".join(str(value).strip() for value in values(dataset, keyword))


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Every value of a tag as a number."""
    return tuple(float(str(value)) for value in values(dataset, keyword))


def whole(dataset: Dataset, keyword: str) -> int | None:
    """The first value of a tag as a whole number; None where it is missing."""
    found = values(dataset, keyword)
    return int(str(found[0])) if found else None


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none where it is missing."""
    sequence: Any = dataset.get(keyword)
    return tuple(cast("list[Dataset]", sequence)) if sequence else ()


def kept_tags(dataset: Dataset) -> Mapping[str, str | int | float]:
    """Tags of the list that the file has, in its order."""
    kept: dict[str, str | int | float] = {}
    for keyword in META:
        found = values(dataset, keyword)
        if len(found) == 1 and isinstance(found[0], (int, float)):
            kept[keyword] = int(found[0]) if isinstance(found[0], int) else float(found[0])
        elif _LIKE.get(keyword, _CODE).fullmatch(value := text(dataset, keyword)) and value:
            kept[keyword] = min(value, _OLDEST) if keyword == "PatientAge" and value.endswith("Y") else value
    return kept


def shown(value: str) -> str:
    """A code as messages quote it; not quoted where it is none."""
    return repr(value) if _CODE.fullmatch(value) else "(no code)"
