"""Reads a configuration from YAML files and `a.b=c` arguments, and remembers where every value came from."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_args, get_origin

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from radrl.config.cx_mind import CX_MIND
from radrl.config.environment import environment_settings
from radrl.config.ms_swift import MS_SWIFT
from radrl.config.presets import preset_settings
from radrl.config.problems import describe, unknown_key
from radrl.config.rubrics import expand_within
from radrl.config.schema import Config
from radrl.config.seeds import Given, translate
from radrl.config.tree import alternatives, annotation_at, leaves, list_above, nested, place, section_in, takes_text
from radrl.errors import ConfigError

COMMAND_LINE = "command line"
DEFAULT = "default"

SchemaT = TypeVar("SchemaT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[SchemaT]):
    """A valid configuration and its history.

    Example: `loaded.config.trainer.seed` is 7 and `loaded.origins["trainer.seed"]` is `command line`.
    """

    config: SchemaT
    origins: Mapping[str, str]
    """Dotted key of every value -> `command line`, a file as it was named, or `default`."""
    warnings: tuple[str, ...] = ()
    """One sentence for each name of another system that was replaced or has no effect."""


def load_config(
    schema: type[SchemaT], args: Sequence[str], *, environment: Mapping[str, str] = os.environ
) -> Loaded[SchemaT]:
    """Read `config=FILE` and `a.b=c` arguments from left to right; what comes later stands.

    A value on the command line is read by its field's type: `lr=1e-6` is a number, `experiment_name=001` stays text,
    lists and dicts are YAML. Names of CX-Mind and ms-swift are replaced by ours, with a warning each, and so are the
    variables of the environment that their scripts set.

    Raises: ConfigError for a file that is no YAML, an unknown key or a value that its field refuses.

    >>> load_config(Config, ["config=run.yaml", "worker.actor.optim.lr=1e-5"]).config.worker.actor.optim.lr
    1e-05
    """
    given = [item for position, arg in enumerate(args) for item in _read_argument(schema, arg, position)]
    warnings: tuple[str, ...] = ()
    if issubclass(schema, Config):
        given, warnings = translate(given, (*CX_MIND, *MS_SWIFT))
        asked, noted = environment_settings(environment)
        given, warnings = [*asked, *given], (*warnings, *noted)
    given = [*preset_settings(given), *given]
    tree: dict[str, Any] = {}
    for item in given:
        _place(schema, tree, item)
    origin_of = partial(_origin_of, given)
    try:
        config = schema.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(describe(error, schema=schema, origin_of=origin_of)) from error
    return Loaded(config=config, origins={key: origin_of(key) for key in leaves(config)}, warnings=warnings)


def _read_argument(schema: type[BaseModel], arg: str, position: int) -> list[Given]:
    key, equals, text = arg.partition("=")
    if not equals or not key or key.startswith("-"):
        raise ConfigError(
            f"cannot read the argument {arg!r} (from {COMMAND_LINE}). "
            "Arguments are config=FILE and key=value, without dashes."
        )
    if key == "config":
        return [
            Given(key=key, value=value, origin=text, position=position)
            for key, value in nested(_read_yaml(text), schema)
        ]
    annotation = annotation_at(schema, key)
    value = _read_text(text, annotation=annotation, key=key)
    section = section_in(annotation)
    if section and isinstance(value, dict):
        pairs = list(nested(cast("dict[str, object]", value), section, prefix=f"{key}."))
    else:
        pairs = [(key, value)]
    return [Given(key=each, value=inner, origin=COMMAND_LINE, position=position) for each, inner in pairs]


def _read_yaml(file: str) -> Mapping[str, object]:
    if not Path(file).is_file():
        raise ConfigError(
            f"config file {file} (from {COMMAND_LINE}) does not exist. Give config=FILE an existing YAML file."
        )
    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ConfigError(
            f"{file}:{line} is not valid YAML: {error.problem}. Mend that line or the one before."
        ) from error
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"{file} cannot be read as a configuration: {error}. Give a YAML file of `key: value`."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{file} holds a list, not `key: value` pairs. See examples/ for the shape of a configuration."
        )
    return cast("dict[str, object]", content)


def _read_text(text: str, *, annotation: Any, key: str) -> object:
    """Read a value from the command line by the type of its field; a field that does not exist has the type None."""
    is_optional = alternatives(annotation) != (annotation,)
    if is_optional and text in ("null", "None"):
        return None
    if annotation is not None and takes_text(annotation):
        return text
    if get_origin(annotation) is tuple and not text.startswith("["):
        return text
    try:
        if get_origin(annotation) is tuple and takes_text(get_args(annotation)[0]):
            return yaml.load(text, Loader=yaml.BaseLoader)
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=True)
        return cast("dict[str, object]", parsed)["value"]
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(
            f"cannot read {key}={text} (from {COMMAND_LINE}): it is not valid YAML. Quote the argument."
        ) from error


def _place(schema: type[BaseModel], tree: dict[str, Any], item: Given) -> None:
    above = list_above(schema, item.key)
    if above is not None and _look_up(tree, above) is None:
        place(tree, above, _look_up(schema.model_construct().model_dump(mode="json"), above) or [])
    if above is not None:
        _expand_presets(tree, above)
    try:
        place(tree, item.key, item.value)
    except (IndexError, ValueError) as error:
        size = len(_look_up(tree, above or "") or [])
        raise ConfigError(
            f"{item.key} (from {item.origin}) is none of the {size} entries of {above}. "
            "Count from 0, or give the whole list."
        ) from error
    except (AttributeError, TypeError) as error:
        raise ConfigError(unknown_key(item.key, schema=schema, origin=item.origin)) from error


def _expand_presets(tree: dict[str, Any], key: str) -> None:
    """Write out the presets of a list that is about to be entered by index."""
    name = key.rpartition(".")[2]
    try:
        place(tree, key, expand_within({name: _look_up(tree, key)})[name])
    except ValueError as error:
        raise ConfigError(f"{key}: {error}.") from error


def _look_up(tree: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(tree, dict):
            return None
        tree = cast("dict[str, Any]", tree).get(name)
    return tree


def _origin_of(given: Sequence[Given], key: str) -> str:
    """Origin of the last thing said about a key, about what holds it, or about something in it."""
    for item in reversed(given):
        if f"{key}.".startswith(f"{item.key}.") or item.key.startswith(f"{key}."):
            return item.origin
    return DEFAULT
