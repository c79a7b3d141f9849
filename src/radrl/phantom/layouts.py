"""The layouts that a world can be written in, by name: the recipes' row forms, and data sets as they are shipped."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from radrl.errors import ConfigError
from radrl.phantom.lots import Lot

LAYOUTS: Final[Mapping[str, str]] = {
    "cx_mind": "radrl.phantom.exporters.cx_mind",
    "chex_phi4mm": "radrl.phantom.exporters.chex_phi4mm",
    "mimic_cxr_vqa": "radrl.phantom.exporters.mimic_cxr_vqa",
    "medical_diff_vqa": "radrl.phantom.exporters.medical_diff_vqa",
    "mimic_cxr_jpg": "radrl.phantom.exporters.mimic_cxr_jpg",
    "chexpert": "radrl.phantom.exporters.chexpert",
    "chexpert_plus": "radrl.phantom.exporters.chexpert_plus",
    "nih": "radrl.phantom.exporters.nih",
    "vindr_cxr": "radrl.phantom.exporters.vindr_cxr",
    "openi": "radrl.phantom.exporters.openi",
    "openi_kaggle": "radrl.phantom.exporters.openi_kaggle",
    "padchest": "radrl.phantom.exporters.padchest",
    "padchest_gr": "radrl.phantom.exporters.padchest_gr",
    "rsna": "radrl.phantom.exporters.rsna",
    "siim": "radrl.phantom.exporters.siim",
    "cxr_lt": "radrl.phantom.exporters.cxr_lt",
    "rexvqa": "radrl.phantom.exporters.rexvqa",
    "slake": "radrl.phantom.exporters.slake",
    "vqa_rad": "radrl.phantom.exporters.vqa_rad",
    "ms_cxr": "radrl.phantom.exporters.ms_cxr",
    "ms_cxr_t": "radrl.phantom.exporters.ms_cxr_t",
    "chest_imagenome": "radrl.phantom.exporters.chest_imagenome",
    "radgraph": "radrl.phantom.exporters.radgraph",
    "mimic_nle": "radrl.phantom.exporters.mimic_nle",
}
"""Layout name -> module whose `write` writes one split and returns the file that names its questions or films."""


def writer(name: str) -> Callable[[Path, Lot], Path]:
    """What writes a layout. Raises ConfigError for a name that is not known."""
    if name not in LAYOUTS:
        raise ConfigError(f"layout is {name!r}; known layouts are {', '.join(LAYOUTS)}.")
    return cast("Callable[[Path, Lot], Path]", import_module(LAYOUTS[name]).write)
