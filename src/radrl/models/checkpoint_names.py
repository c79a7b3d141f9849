"""What each weight is called in a model and in its checkpoint: transformers 5 renames them while it loads.

Qwen2.5-VL's `model.language_model.layers.0.mlp.up_proj.weight` is `model.layers.0.mlp.up_proj.weight` in the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

from radrl.errors import ConfigError
from radrl.models.lora import is_adapter_weight, plain_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNames:
    """Names of everything that `save_pretrained` writes for a model without its adapters, both ways.

    Example: `CheckpointNames(in_checkpoint={"model.language_model.norm.weight": "model.norm.weight"},
                              tied=frozenset({"lm_head.weight"}))`
    """

    in_checkpoint: Mapping[str, str]
    """Name in the model's `state_dict` (that of the layer, not of what LoRA wraps it in) -> name in the file."""
    tied: frozenset[str]
    """Names in the `state_dict` that the file leaves out: a head that is the embedding matrix."""

    @property
    def in_model(self) -> Mapping[str, str]:
        """Name in the file -> name in the model."""
        return {written: name for name, written in self.in_checkpoint.items()}


def checkpoint_names(model: PreTrainedModel) -> CheckpointNames:
    """Ask transformers for the names it would write, with stand-ins that have no memory.

    It takes and returns whole dictionaries of tensors and says nothing of which became which, so each stand-in tells
    by its length. Raises ConfigError for a model whose checkpoint stores other tensors than the model holds, such as
    experts in one piece.
    """
    tied = frozenset(model.all_tied_weights_keys)
    names = [name for name in _plain_names(model) if name not in tied]
    stand_ins = {name: torch.empty(number, device="meta") for number, name in enumerate(names)}
    written = {key: names[len(tensor)] for key, tensor in revert_weight_conversion(model, stand_ins).items()}
    if sorted(written.values()) != sorted(names):
        raise ConfigError(
            f"the checkpoint of a {model.config.model_type!r} model does not hold its weights one by one, so that they "
            "cannot be handed to another engine by name. Set worker.rollout.name=native."
        )
    return CheckpointNames(in_checkpoint={name: key for key, name in written.items()}, tied=tied)


def _plain_names(model: PreTrainedModel) -> list[str]:
    """Names in the `state_dict` as they were before LoRA was attached."""
    names = (plain_name(name) for name in model.state_dict() if not is_adapter_weight(name))
    return list(dict.fromkeys(names))
