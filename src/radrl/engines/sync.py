"""How the sampler comes by what the actor has learnt: shared weights, an adapter's files, or tensor by tensor."""

import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor
from transformers import PreTrainedModel

from radrl.errors import ConfigError
from radrl.models.checkpoint_names import checkpoint_names
from radrl.models.lora import active_adapters, is_adapter_weight, lora_layers, merged_tensors, save_lora

log = logging.getLogger(__name__)

SERVED = ("qwen2_5_vl", "qwen3_vl", "gemma3", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")
"""Kinds of models (`model_type`) that vLLM reads from our checkpoints, and whose decoders it serves with adapters.

It has Phi-4-multimodal in the layout of its remote code alone, whose weights have other names."""
SHARED_MEMORY = Path("/dev/shm")

SyncKind = Literal["shared", "adapter", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What learns in a policy, as far as the way to its sampler depends on it.

    Example: `Learnt(model_type="qwen2_5_vl", num_adapters=1, rank=16, adapts_outside=False, trains_base=False)`
    """

    model_type: str
    num_adapters: int
    rank: int
    """Largest rank of an adapter; 0 without."""
    adapts_outside: bool
    """Whether a layer outside the decoder is adapted, such as one of the image encoder."""
    trains_base: bool
    """Whether any weight but the adapters' learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncChoice:
    """How weights reach the sampler, and why that way."""

    kind: SyncKind
    reason: str


def choose_sync(
    engine: Literal["native", "vllm"], setting: Literal["auto", "adapter", "merged"], learnt: Learnt
) -> SyncChoice:
    """Choose the cheapest way that delivers everything that learns.

    Raises ConfigError where the engine cannot serve the model, or `setting` asks for a way that would lose something.
    """
    if engine == "native":
        return SyncChoice(kind="shared", reason="the sampler reads the policy's own weights")
    if learnt.model_type not in SERVED:
        raise ConfigError(
            f"vLLM cannot take the weights of a {learnt.model_type!r} model from here, only those of "
            f"{', '.join(SERVED)}. Set worker.rollout.name=native."
        )
    obstacle = _adapter_obstacle(learnt)
    if setting == "adapter" and obstacle:
        raise ConfigError(
            f"worker.rollout.sync is adapter, but {obstacle}, so that the sampler would miss a part of the policy. "
            "Set worker.rollout.sync=auto."
        )
    if setting == "merged" or obstacle:
        return SyncChoice(kind="merged", reason=obstacle or "worker.rollout.sync asks for it")
    return SyncChoice(kind="adapter", reason="one adapter, in the decoder, is all that learns")


def _adapter_obstacle(learnt: Learnt) -> str | None:
    """Why an adapter's files would not be the whole of what learns; None when they are."""
    if learnt.num_adapters == 0:
        return "the policy has no adapter"
    if learnt.trains_base:
        return "weights beside the adapter learn"
    if learnt.num_adapters > 1:
        return f"{learnt.num_adapters} adapters work at once, and vLLM applies one"
    if learnt.adapts_outside:
        return "layers outside the decoder are adapted, and vLLM adapts the decoder alone"
    return None


def learnt_by(model: PreTrainedModel, *, decoder: PreTrainedModel) -> Learnt:
    """What learns in a policy whose decoder is given."""
    layers = lora_layers(model)
    inside = set(lora_layers(decoder).values())
    ranks = [layer.r[name] for layer in layers.values() for name in layer.active_adapters if name in layer.r]
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return Learnt(
        model_type=model.config.model_type,
        num_adapters=len(active_adapters(model)),
        rank=max(ranks, default=0),
        adapts_outside=any(layer not in inside for layer in layers.values()),
        trains_base=any(not is_adapter_weight(name) for name in learning),
    )


@runtime_checkable
class Receiver(Protocol):
    """An engine with weights of its own."""

    def load_weights(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Replace all weights by these, which carry the names of the checkpoint."""
        ...

    def load_adapter(self, folder: Path) -> None:
        """Put the adapter in a folder in the place of the one before."""
        ...


@runtime_checkable
class WeightSync(Protocol):
    """One way for weights from the policy to an engine."""

    name: str
    """What messages call it."""

    def push(self) -> None:
        """Deliver the present weights; when this returns, the engine samples from them."""
        ...


class AdapterSync:
    """Writes the adapter as PEFT does and lets the engine read it: some megabytes, in memory where that is a folder."""

    name = "adapter folder"

    def __init__(self, model: PreTrainedModel, engine: Receiver, *, root: Path = SHARED_MEMORY) -> None:
        """Files go to a folder of this process's own under `root`, or under the system's where that is not there."""
        self._model = model
        self._engine = engine
        self._folder = tempfile.TemporaryDirectory(prefix="radrl-adapter-", dir=root if root.is_dir() else None)
        self._num_written = 0

    def push(self) -> None:
        """Write a folder beside the last one and rename it when it is whole, so that no half of it is ever read."""
        root = Path(self._folder.name)
        unfinished, folder = root / "unfinished", root / str(self._num_written)
        save_lora(self._model, unfinished)
        unfinished.rename(folder)
        self._num_written += 1
        self._engine.load_adapter(folder)
        for earlier in root.iterdir():
            if earlier != folder:
                shutil.rmtree(earlier)


class MergedSync:
    """Hands over every weight under its checkpoint name, adapters merged in one tensor at a time.

    Tensors come in the model's order, so that those which an engine fuses into one (query, key and value; gate and up)
    follow each other. The model itself is not changed. A tied head is left out, as it is in the checkpoint.
    """

    name = "merged tensors"

    def __init__(self, model: PreTrainedModel, engine: Receiver) -> None:
        self._model = model
        self._engine = engine
        self._names = checkpoint_names(model).in_checkpoint

    def push(self) -> None:
        """Stream the weights into the engine."""
        self._engine.load_weights(self.tensors())

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Checkpoint name and value of every weight."""
        for name, tensor in merged_tensors(self._model):
            if name in self._names:
                yield self._names[name], tensor
