"""Adapters by name; a module is loaded when its data set is asked for."""

from importlib import import_module
from typing import Final

from radrl.data.adapters.api import Adapter
from radrl.errors import ConfigError

NAMES: Final = (
    "cx_mind",
    "chex_phi4mm",
    "mimic_cxr_vqa",
    "medical_diff_vqa",
    "mimic_cxr_jpg",
    "chexpert",
    "chexpert_plus",
    "nih",
    "vindr_cxr",
    "openi",
    "openi_kaggle",
    "padchest",
    "padchest_gr",
    "rexvqa",
    "slake",
    "vqa_rad",
    "ms_cxr",
    "ms_cxr_t",
    "chest_imagenome",
    "radgraph",
    "mimic_nle",
    "cxr_lt",
    "rsna",
    "siim",
)
"""Names that `--from` takes; each is a module of this package with a constant ADAPTER."""


def adapter_named(name: str) -> Adapter:
    """The adapter of a data set. Raises ConfigError for a name that there is none of."""
    if name not in NAMES:
        raise ConfigError(f"no data set is called {name!r} (--from). Known are {', '.join(NAMES)}.")
    adapter = import_module(f"radrl.data.adapters.{name}").ADAPTER
    assert isinstance(adapter, Adapter)
    assert adapter.name == name
    return adapter
