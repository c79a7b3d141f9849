"""How the sampler comes by what the actor has learnt: shared weights, an adapter's files, or tensor by tensor."""

import collections
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from radrl.engines.transport import ReceivingEnd, SendingEnd
from radrl.errors import ConfigError, SyncError
from radrl.models.checkpoint_names import checkpoint_names
from radrl.models.lora import active_adapters, is_adapter_weight, lora_layers, merged_tensors, plain_name, save_lora

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


def choose_sync(engine: str, setting: Literal["auto", "adapter", "merged"], learnt: Learnt) -> SyncChoice:
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
    follow each other. The model itself is not changed. A tied head is left out, as it is in the checkpoint. Where ranks
    hold shards of the weights all of them have to push, and each has a few whole weights at a time.
    """

    name = "merged tensors"

    def __init__(self, model: PreTrainedModel, engine: Receiver, *, dtype: torch.dtype | None = None) -> None:
        """Numbers are handed over as `dtype`, if given, and else in the type that they are held in."""
        self._model = model
        self._engine = engine
        self._dtype = dtype
        self._names = checkpoint_names(model).in_checkpoint

    def push(self) -> None:
        """Stream the weights into the engine."""
        self._engine.load_weights(self.tensors())

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Checkpoint name and value of every weight."""
        yield from checkpoint_tensors(self._model, self._names, dtype=self._dtype)


class StreamSync:
    """Sends every weight to engines in other processes, which take them by `StreamedWeights` at the same time.

    Names, order and merging are those of `MergedSync`. Where ranks hold shards of the weights all of them have to push,
    and the one with a sending end sends.
    """

    name = "streamed tensors"

    def __init__(self, model: PreTrainedModel, end: SendingEnd | None, *, dtype: torch.dtype | None = None) -> None:
        """`end` is None on a rank that only puts its shards to the others'."""
        self._model = model
        self._end = end
        self._dtype = dtype
        self._names = checkpoint_names(model).in_checkpoint
        self.version = 0
        """Of the weights that were sent last."""

    def push(self) -> None:
        """Send the weights under the next version."""
        self.publish(self.version + 1)

    def publish(self, version: int) -> None:
        """Send the weights under this version; when this returns, the engines sample from them."""
        tensors = checkpoint_tensors(self._model, self._names, dtype=self._dtype)
        if self._end is None:
            collections.deque(tensors, maxlen=0)
        else:
            self._end.send(tensors, version=version)
        self.version = version


class StreamedWeights:
    """Takes what `StreamSync` sends, and puts it into the engine of this process."""

    name = "streamed tensors"

    def __init__(
        self, end: ReceivingEnd, load: Callable[[Iterable[tuple[str, Tensor]]], None], *, expected: frozenset[str]
    ) -> None:
        """`load` is an engine's `load_weights`, and `expected` are the names that the model's checkpoint has."""
        self._end = end
        self._load = load
        self._expected = expected
        self.version = 0
        """Of the weights that came last."""

    def push(self) -> None:
        """Wait for the weights and load them. Raises SyncError where they are not the whole model's."""
        self.version = self._end.receive(self._load, expected=self._expected)


def checkpoint_tensors(
    model: PreTrainedModel, names: Mapping[str, str], *, dtype: torch.dtype | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Checkpoint name and value of every weight that `names` has, adapters merged in, one at a time."""
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if is_adapter_weight(name) or plain_name(name) in names
    }
    for name, tensor in merged_tensors(model, wanted, dtype=dtype):
        yield names[name], tensor


@torch.no_grad()
def load_by_name(model: PreTrainedModel, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Copy weights with the names of the checkpoint into a model of this process, as an engine would take them.

    Raises SyncError for a name that the model has not.
    """
    names, held = checkpoint_names(model).in_model, model.state_dict()
    for name, tensor in tensors:
        if name not in names:
            raise SyncError(f"the weight {name} was sent, which this model does not have. Give both the same folder.")
        held[names[name]].copy_(tensor)
