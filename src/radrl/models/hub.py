"""Models by name: folders that Hugging Face's hub offers, or ModelScope's where the environment says so."""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub

from radrl.config.environment import MODELSCOPE, uses_modelscope
from radrl.errors import ConfigError

WEIGHTS = "*.safetensors"
SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja", "*.py")
"""What a model folder holds beside its weights: the same weights in other formats are not fetched."""


def model_folder(name: str | Path, *, weights: bool = True, environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of a model: itself, or that of a hub's model, which is fetched or found in the hub's cache.

    Without `weights` only what describes the model is fetched. Raises ConfigError for what is neither a folder nor a
    model, and for a hub whose package is missing.
    """
    if not str(name):
        raise ConfigError(
            "no model is given. Set worker.actor.model.model_path (model, in radrl evaluate) to a Hugging Face folder "
            "or hub name."
        )
    if Path(name).is_dir():
        return Path(name)
    files = [*SETTINGS, *([WEIGHTS] if weights else [])]
    if uses_modelscope(environment):
        return _from_modelscope(str(name), files)
    return _from_hugging_face(str(name), files)


def _from_hugging_face(name: str, files: list[str]) -> Path:
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=files))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{name} is neither a folder nor a model that the hub offers ({error}). Set worker.actor.model.model_path."
        ) from error


def _from_modelscope(name: str, files: list[str]) -> Path:
    if find_spec("modelscope") is None:
        raise ConfigError(
            f"{MODELSCOPE}=1 asks for {name} from ModelScope, whose package is not installed. Run pip install "
            f"'radrl[modelscope]', name a folder instead, or unset {MODELSCOPE}."
        )
    hub, errors = import_module("modelscope"), import_module("modelscope.hub.errors")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=files))
    except (OSError, ValueError, errors.HubError) as error:
        raise ConfigError(
            f"{name} is neither a folder nor a model that ModelScope offers ({error}). Set "
            f"worker.actor.model.model_path, or unset {MODELSCOPE} to ask Hugging Face's hub."
        ) from error
