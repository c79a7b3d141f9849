"""LoRA (arXiv 2106.09685): small factors beside frozen weights, y = W x + B A x * alpha / rank.

The layers, their names and the files are PEFT's, put into the model in place, so that every path into it stays.
"""

import contextlib
import copy
import dataclasses
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import cast

import peft
import torch
from jaxtyping import Float
from peft.tuners.lora import Linear
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from radrl.errors import ConfigError
from radrl.models.shards import is_shard, whole, whole_together

DEFAULT = "default"
"""The adapter whose files are in a folder itself; those of others are in subfolders of their names, as PEFT does."""
CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
GATHERED_BYTES = 512 << 20
"""How much of a sharded model is put together at once to be handed on, at least one weight."""
_PREFIX = "base_model.model."
"""What PEFT writes before a parameter's name: where the model is within its own wrapper."""


class LoraLinear(Linear):
    """PEFT's layer around a linear one; its factors stay float32 and are multiplied in the activations' type.

    PEFT's own forward casts the activations to the factors' type instead, which over bfloat16 weights makes the
    largest tensors of a pass float32. In float32 the two are the same up to the order of one multiplication.
    """

    def forward(self, x: Float[Tensor, "*N I"]) -> Float[Tensor, "*N O"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Add the product of every active adapter; the scale goes to the narrow side."""
        out = self.base_layer(x)
        for name in self.working():
            narrow = functional.linear(x, self.a(name).to(x.dtype)) * self.scaling[name]
            out = out + functional.linear(narrow, self.b(name).to(x.dtype))
        return out

    def a(self, name: str) -> Float[Tensor, "r I"]:
        """The factor that reads the layer's input."""
        return cast("Tensor", self.lora_A[name].weight)

    def b(self, name: str) -> Float[Tensor, "O r"]:
        """The factor that writes to its output."""
        return cast("Tensor", self.lora_B[name].weight)

    def activate(self, names: Sequence[str]) -> None:
        """Let these adapters work. PEFT's own call also changes which of their weights learn; this does not."""
        self._active_adapter = list(names)

    def merged_weight(self) -> Float[Tensor, "O I"]:
        """The weight with its active adapters in it, summed in float32 and rounded once to the weight's type."""
        return self.merge(self.state_dict())

    @torch.no_grad()
    def merge(self, tensors: Mapping[str, Tensor], *, prefix: str = "") -> Float[Tensor, "O I"]:
        """The same of tensors that stand in for the layer's own, under the names of its `state_dict`."""
        weight = whole(tensors[f"{prefix}base_layer.weight"])
        total = weight.float()
        for name in self.working():
            a, b = (whole(tensors[f"{prefix}lora_{factor}.{name}.weight"]).float() for factor in "AB")
            total = total + b @ a * self.scaling[name]
        return total.to(weight.dtype)

    def working(self) -> list[str]:
        """Names of the adapters whose products are added."""
        names = () if self.disable_adapters else self.active_adapters
        return [name for name in names if name in self.lora_A]


def lora_layers(model: nn.Module) -> dict[str, LoraLinear]:
    """Adapted layers by their names; empty for a model without LoRA."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLinear)}


def active_adapters(model: nn.Module) -> tuple[str, ...]:
    """Names of the adapters that work, in the order in which they were attached."""
    return tuple(dict.fromkeys(name for layer in lora_layers(model).values() for name in layer.active_adapters))


def working_adapters(model: nn.Module) -> tuple[str, ...]:
    """Names of the adapters that work now; all adapted layers have the same."""
    first = next((layer for layer in model.modules() if isinstance(layer, LoraLinear)), None)
    return () if first is None else tuple(first.working())


def attach_lora(
    model: PreTrainedModel, *, targets: str, rank: int, alpha: float | int, name: str = DEFAULT, seed: int = 0
) -> None:
    """Put a new adapter beside every linear layer whose whole name matches `targets`; nothing else learns any more.

    A is drawn from U(-1 / sqrt(inputs), 1 / sqrt(inputs)) and B is 0, so the model still computes what it did. Adapters
    that were there go on working. Raises ConfigError when no layer matches, or one that cannot be adapted.
    """
    config = peft.LoraConfig(r=rank, target_modules=targets, lora_dropout=0.0)
    # PEFT calls it an integer and divides by the rank.
    config.lora_alpha = int(alpha) if float(alpha).is_integer() else alpha  # pyright: ignore[reportAttributeAccessIssue]
    _inject(model, config, name=name)
    generator = torch.Generator().manual_seed(seed)
    for layer in _layers_with(model, name).values():
        factor = layer.a(name)
        drawn = torch.empty(factor.shape, dtype=torch.float32)
        nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
        with torch.no_grad():
            factor.copy_(drawn)


def load_lora(model: PreTrainedModel, folder: Path, *, name: str = DEFAULT) -> None:
    """Attach the adapter in a PEFT folder, or take over its weights where the model has one of that name.

    Raises ConfigError for a kind of adapter other than LoRA, and for weights that do not fit the model.
    """
    config = _read_config(folder)
    if name not in getattr(model, "peft_config", {}):
        _inject(model, config, name=name)
    # transformers' conversion of Phi-4 writes its adapters without the prefix.
    given = {_PREFIX + key.removeprefix(_PREFIX): each for key, each in load_file(folder / WEIGHTS_FILE).items()}
    own = adapter_tensors(model, name)
    wrong = sorted(key for key in given.keys() | own.keys() if key not in given or key not in own)
    wrong += [key for key in own if key in given and own[key].shape != given[key].shape]
    if wrong:
        raise ConfigError(
            f"the adapter in {folder} does not fit the model: {len(wrong)} of its {len(own)} weights are missing, "
            f"unknown or of another shape, the first {wrong[0]}. Give the base that it was trained on, which its "
            f"{CONFIG_FILE} names: {config.base_model_name_or_path}."
        )
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(given[key])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFiles:
    """An adapter as PEFT stores it, taken from a model that may go on learning."""

    name: str
    tensors: Mapping[str, Tensor]
    """By the keys that PEFT writes."""
    config: peft.LoraConfig

    def write(self, folder: Path) -> None:
        """Write it so that `PeftModel.from_pretrained` opens the folder, or the one of its name within it."""
        place = adapter_folder(folder, self.name)
        place.mkdir(parents=True, exist_ok=True)
        tensors = {key: tensor.contiguous() for key, tensor in self.tensors.items()}
        save_file(tensors, place / WEIGHTS_FILE, metadata={"format": "pt"})
        self.config.save_pretrained(str(place))


def adapter_files(model: PreTrainedModel, tensors: Mapping[str, Tensor] | None = None) -> list[AdapterFiles]:
    """Every active adapter, of the model or of tensors that stand in for those of its `state_dict`."""
    files: list[AdapterFiles] = []
    for name in active_adapters(model):
        config = dataclasses.replace(
            cast("peft.LoraConfig", model.peft_config[name]),
            inference_mode=True,
            base_model_name_or_path=_base_name(model),
        )
        own = {key: whole(each) for key, each in adapter_tensors(model, name, tensors).items()}
        files.append(AdapterFiles(name=name, tensors=own, config=config))
    return files


def save_lora(model: PreTrainedModel, folder: Path) -> None:
    """Write every active adapter as PEFT does."""
    for files in adapter_files(model):
        files.write(folder)


def adapter_folder(folder: Path, name: str) -> Path:
    """Where the files of an adapter are."""
    return folder if name == DEFAULT else folder / name


def adapters_in(folder: Path) -> tuple[str, ...]:
    """Names of the adapters that `save_lora` wrote to a folder; none where a folder holds a whole model."""
    if (folder / "config.json").exists():
        return ()
    own = (DEFAULT,) if (folder / CONFIG_FILE).exists() else ()
    return own + tuple(sorted(file.parent.name for file in folder.glob(f"*/{CONFIG_FILE}")))


def base_of(folder: Path) -> str:
    """Path or hub name of the model that the adapters in a folder were trained on. Raises ConfigError without one."""
    file = adapter_folder(folder, adapters_in(folder)[0])
    base = _read_config(file).base_model_name_or_path
    if not base:
        raise ConfigError(
            f"{file / CONFIG_FILE} does not name the model that the adapter was trained on. Write its folder or hub "
            "name there as base_model_name_or_path."
        )
    return base


def adapter_tensors(
    model: nn.Module, name: str = DEFAULT, tensors: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """The weights of one adapter under the keys that PEFT writes; they share the memory of the model or of `tensors`.

    Example: `base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight`
    """
    held = model.state_dict() if tensors is None else tensors
    return {
        f"{_PREFIX}{path}.lora_{factor}.weight": held[f"{path}.lora_{factor}.{name}.weight"]
        for path in _layers_with(model, name)
        for factor in "AB"
    }


def merged_tensors(
    model: nn.Module, tensors: Mapping[str, Tensor] | None = None, *, dtype: torch.dtype | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Name and value of everything in the model's `state_dict` as if it had never been adapted, with the adapters in.

    One tensor at a time is merged, and where ranks hold shards `GATHERED_BYTES` are put together at once; the model
    stays as it is. Tied weights come under each of their names. `tensors` stand in for those of the `state_dict`.
    Numbers come as `dtype`, if given, and else in the type that they are held in.
    """
    layers = lora_layers(model)
    held = model.state_dict() if tensors is None else tensors
    for names in _runs(held):
        wholes = dict(zip(names, whole_together([_to_send(name, held[name], dtype) for name in names]), strict=True))
        for name, tensor in wholes.items():
            path, is_adapted, rest = name.rpartition(".base_layer.")
            if is_adapted:
                merged = layers[path].merge(wholes, prefix=f"{path}.") if rest == "weight" else tensor
                yield f"{path}.{rest}", merged.to(dtype or merged.dtype)
            elif not is_adapter_weight(name):
                yield name, tensor.to(dtype or tensor.dtype)


def _runs(held: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Names in runs of `GATHERED_BYTES` or little more; what is merged with one another is in the same."""
    run: list[str] = []
    num_bytes = 0
    for _, names in groupby(held, key=_adapted_path):
        together = list(names)
        run += together
        num_bytes += sum(held[name].nbytes for name in together)
        if num_bytes >= GATHERED_BYTES:
            yield run
            run, num_bytes = [], 0
    if run:
        yield run


def _adapted_path(name: str) -> str:
    """Name of the layer that LoRA has wrapped, for all that is in it; any other weight's own name."""
    for inner in (".base_layer.", ".lora_A.", ".lora_B."):
        path, is_within, _ = name.rpartition(inner)
        if is_within:
            return path
    return name


def _to_send(name: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A shard in the type that is asked for, except where something is merged first, which is done in float32."""
    is_merged = _adapted_path(name) != name
    return tensor.to(dtype) if dtype and is_shard(tensor) and not is_merged else tensor


@torch.no_grad()
def merge_in_place(model: nn.Module) -> None:
    """Put the active adapters into the weights, and let them rest."""
    for layer in lora_layers(model).values():
        cast("Tensor", layer.get_base_layer().weight).copy_(layer.merged_weight())
        layer.activate([])


def merged_model(model: PreTrainedModel, tensors: Mapping[str, Tensor] | None = None) -> PreTrainedModel:
    """A model that knows nothing of LoRA, with the adapters in its weights, on the CPU.

    Weights without adapters are the very tensors of the model, or those that stand in for them.
    """
    with torch.device("meta"):
        plain = type(model)(copy.deepcopy(model.config))
    plain.load_state_dict({key: tensor.cpu() for key, tensor in merged_tensors(model, tensors)}, assign=True)
    plain.tie_weights()
    plain.generation_config = copy.deepcopy(model.generation_config)
    return plain


def save_merged(model: PreTrainedModel, folder: Path) -> None:
    """Write the model with its adapters in its weights, as a folder that knows nothing of LoRA."""
    merged_model(model).save_pretrained(folder)


def plain_name(name: str) -> str:
    """What a weight is called where LoRA has wrapped nothing."""
    return name.replace(".base_layer.", ".")


def is_adapter_weight(name: str) -> bool:
    """Whether a parameter is a factor of some adapter, by its name."""
    return ".lora_A." in name or ".lora_B." in name


@contextlib.contextmanager
def switched_off(model: nn.Module, name: str) -> Iterator[None]:
    """Compute without one adapter while the block runs; which weights learn does not change."""
    layers = list(_layers_with(model, name).values())
    before = [list(layer.active_adapters) for layer in layers]
    try:
        for layer, names in zip(layers, before, strict=True):
            layer.activate([other for other in names if other != name])
        yield
    finally:
        for layer, names in zip(layers, before, strict=True):
            layer.activate(names)


def _inject(model: PreTrainedModel, config: peft.LoraConfig, *, name: str) -> None:
    """Put the layers in, their factors in float32 whatever the weights are, all adapters so far at work."""
    if name in getattr(model, "peft_config", {}):
        raise ConfigError(
            f"the model has an adapter called {name} already. Give the new one another name in "
            "worker.actor.model.lora.name, or leave worker.actor.model.lora out to go on with the one that is there."
        )
    before = active_adapters(model)
    # PEFT's table for layers that it does not know, or, as here, that are to be of another class.
    config._register_custom_module({nn.Linear: LoraLinear})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        try:
            peft.inject_adapter_in_model(config, model, name)
        except ValueError as error:
            raise ConfigError(
                f"cannot adapt {config.target_modules!r} (worker.actor.model.lora.targets): {error}"
            ) from error
    _check_layers(model, name)
    for layer in _layers_with(model, name).values():
        layer.lora_A[name].float()
        layer.lora_B[name].float()
    for layer in lora_layers(model).values():
        layer.activate([*before, name])


def _check_layers(model: PreTrainedModel, name: str) -> None:
    head = model.get_output_embeddings()
    for path, module in model.named_modules():
        if not isinstance(module, peft.tuners.lora.LoraLayer) or name not in module.lora_A:
            continue
        if not isinstance(module, LoraLinear):
            raise ConfigError(
                f"{path} is no plain linear layer, and LoRA is for these. Narrow worker.actor.model.lora.targets."
            )
        if module is head:
            raise ConfigError(
                f"{path} is the head, whose weight is read without passing through a layer. Leave it out of "
                "worker.actor.model.lora.targets; worker.actor.model.trainable can name it beside the adapter."
            )


def _layers_with(model: nn.Module, name: str) -> dict[str, LoraLinear]:
    return {path: layer for path, layer in lora_layers(model).items() if name in layer.lora_A}


def _base_name(model: PreTrainedModel) -> str:
    """Where the base is, from wherever the folder is opened: a whole path, or a hub name."""
    name = str(model.name_or_path)
    return str(Path(name).resolve()) if Path(name).exists() else name


def _read_config(folder: Path) -> peft.LoraConfig:
    if not (folder / CONFIG_FILE).exists():
        raise ConfigError(f"{folder} holds no {CONFIG_FILE}. Give the folder of an adapter in PEFT's format.")
    config = peft.PeftConfig.from_pretrained(str(folder))
    if not isinstance(config, peft.LoraConfig):
        raise ConfigError(f"the adapter in {folder} is of type {config.peft_type}. Give one of type LORA.")
    unusual = [
        key
        for key in (
            "use_dora",
            "lora_bias",
            "modules_to_save",
            "rank_pattern",
            "alpha_pattern",
            "trainable_token_indices",
        )
        if getattr(config, key, None)
    ]
    if config.bias != "none" or unusual:
        raise ConfigError(
            f"the adapter in {folder} has {', '.join(unusual) or 'biases'}, which is not LoRA as it is computed here. "
            "Merge it into its base with PEFT, and give the merged folder as worker.actor.model.model_path."
        )
    # Dropout is for training alone, and the model stays in evaluation mode; without it the layers are the same.
    return dataclasses.replace(config, lora_dropout=0.0, inference_mode=False)
