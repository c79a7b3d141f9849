"""Phi-4-multimodal folders: the vision LoRA beside its base, and checkpoints of Microsoft's remote code."""

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import Phi4MultimodalConfig, Phi4MultimodalForCausalLM, PreTrainedModel

from radrl.errors import ConfigError
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.families.phi4_names import is_remote_code, native_config, native_name, remote_name
from radrl.models.families.phi4_processor import NAMED_TOKENS, open_tokenizer
from radrl.models.lora import (
    WEIGHTS_FILE,
    adapter_tensors,
    attach_lora,
    is_adapter_weight,
    load_lora,
    merged_tensors,
)

log = logging.getLogger(__name__)

VISION = "vision"
"""Name of the adapter that reads radiographs."""
VISION_FOLDER = "vision-lora"
"""Where a native folder has it."""
_LM_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
_PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCheckpoint:
    """A checkpoint of the remote code, in transformers' terms."""

    config: Phi4MultimodalConfig
    base: dict[str, Tensor]
    """Weights of the model without adapters; empty where they were not asked for."""
    vision: dict[str, Tensor]
    """Factors of the vision LoRA under the keys that PEFT writes; empty where the checkpoint has none."""
    rank: int
    """Of the vision LoRA."""
    alpha: float
    """Its scale is alpha / rank."""


def open_vision_lora(model: PreTrainedModel, folder: Path) -> None:
    """Attach the vision LoRA in a `vision-lora` folder and let it work from now on, for every prompt.

    The remote code switches it off for prompts without images; here a row may hold prompts with and without, and what
    is trained is the model with its adapter. Raises ConfigError when its weights do not fit.
    """
    load_lora(model, folder, name=VISION)


def save_vision_lora(model: PreTrainedModel, folder: Path) -> None:
    """Write the vision LoRA as PEFT does, into a `vision-lora` folder that `open_vision_lora` opens."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: tensor.contiguous() for key, tensor in adapter_tensors(model, VISION).items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config: Any = model.peft_config[VISION]
    dataclasses.replace(config, inference_mode=True).save_pretrained(str(folder))


def save_native(model: PreTrainedModel, folder: Path) -> None:
    """Write base and vision LoRA side by side, as transformers has the model: `folder` and `folder/vision-lora`."""
    with torch.device("meta"):
        plain = type(model)(model.config)
    plain.load_state_dict(dict(_base_tensors(model)), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    plain.save_pretrained(folder)
    save_vision_lora(model, folder / VISION_FOLDER)


def is_remote_folder(source: Path) -> bool:
    """Whether a folder's `config.json` is the remote code's."""
    file = source / "config.json"
    return file.exists() and is_remote_code(json.loads(file.read_text(encoding="utf-8")))


def read_remote_checkpoint(source: Path, *, weights: bool = True) -> RemoteCheckpoint:
    """Read a checkpoint of the remote code under the names of the native class; the speech LoRA is left out.

    Without `weights` there is nothing in `base`. Raises ConfigError for files of another form, and for a head that
    differs from the embedding it should be tied to.
    """
    log.warning("%s is read by a conversion of names that is unverified on a real checkpoint of Phi-4's code", source)
    remote = json.loads((source / "config.json").read_text(encoding="utf-8"))
    ids = open_tokenizer(source).get_vocab()
    config = Phi4MultimodalConfig(
        **native_config(
            remote,
            image_token_id=ids[NAMED_TOKENS["image_token"]],
            audio_token_id=ids[NAMED_TOKENS["audio_token"]],
        )
    )
    base, vision, num_left_out = _split(source, with_base=weights)
    log.info("left out %d tensors of the speech adapter", num_left_out)
    if config.tie_word_embeddings and weights:
        _drop_tied_head(base, source)
    return RemoteCheckpoint(
        config=config,
        base=base,
        vision=vision,
        rank=remote["vision_lora"]["r"],
        alpha=float(remote["vision_lora"]["lora_alpha"]),
    )


def open_remote_base(checkpoint: RemoteCheckpoint, *, dtype: torch.dtype) -> Any:
    """Return the model without adapters and transformers' report of what was missing or unexpected, as it does."""
    return Phi4MultimodalForCausalLM.from_pretrained(
        None,
        config=checkpoint.config,
        state_dict=checkpoint.base,
        dtype=dtype,
        attn_implementation="sdpa",
        output_loading_info=True,
    )


def put_vision_lora(model: PreTrainedModel, checkpoint: RemoteCheckpoint, *, source: Path) -> None:
    """Attach the checkpoint's vision LoRA, if it has one. Raises ConfigError when it does not fit the model."""
    if not checkpoint.vision:
        return
    attach_lora(model, targets=Phi4Multimodal.lora_targets, rank=checkpoint.rank, alpha=checkpoint.alpha, name=VISION)
    own = adapter_tensors(model, VISION)
    wrong = sorted(own.keys() ^ checkpoint.vision.keys())
    if wrong:
        raise ConfigError(
            f"{len(wrong)} factors of the vision LoRA at {source} are missing or unknown, the first {wrong[0]}. "
            "Give a complete checkpoint of Phi-4-multimodal."
        )
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(checkpoint.vision[key])


def remote_tensors(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Name and value of every weight as the remote code's checkpoint calls it, with the adapters merged in.

    This is what vLLM, which serves that form only, is to load: it takes `base_layer` out of names and knows no LoRA. A
    head that is tied to the embedding is not sent, as the checkpoint does not have it.
    """
    for name, tensor in merged_tensors(model):
        if name != _LM_HEAD or not model.config.tie_word_embeddings:
            yield remote_name(name), tensor


def _split(source: Path, *, with_base: bool) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """Weights of the base, factors of the vision LoRA, and how many tensors of other adapters there are."""
    base: dict[str, Tensor] = {}
    vision: dict[str, Tensor] = {}
    num_left_out = 0
    for name, read in _tensors_of(source):
        native = native_name(name)
        if native.adapter is None:
            if with_base:
                base[native.name] = read()
        elif native.adapter == VISION:
            vision[_PEFT_PREFIX + native.name] = read()
        else:
            num_left_out += 1
    return base, vision, num_left_out


def _tensors_of(source: Path) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Name of every tensor and what reads it, while the next one has not been asked for."""
    files = sorted(source.glob("model*.safetensors"))
    if not files:
        raise ConfigError(f"{source} has no model*.safetensors. Save the checkpoint in the safetensors format.")
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                yield name, partial(opened.get_tensor, name)


def _drop_tied_head(base: dict[str, Tensor], source: Path) -> None:
    head = base.pop(_LM_HEAD, None)
    if head is not None and not torch.equal(head, base[_EMBEDDING]):
        raise ConfigError(
            f"the checkpoint at {source} has an lm_head other than its embedding, and its config.json says that they "
            "are one (tie_word_embeddings). Set tie_word_embeddings to false there if the head was trained apart."
        )


def _base_tensors(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in model.state_dict().items():
        if not is_adapter_weight(name):
            yield name.replace(".base_layer.", "."), tensor.cpu()
