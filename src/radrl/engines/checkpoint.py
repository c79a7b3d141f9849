"""Weights and optimizer state as torch distributed checkpoints, readable at any number of processes.

Weights that do not learn are those of the model that the run starts from, and are not written. What is alike on all
ranks is written once, shards by the ranks that hold them.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import PreTrainedModel

from radrl.checkpoints import Writing
from radrl.engines.optimizer import MASTER, Optimizer
from radrl.engines.parallel import Parallel
from radrl.errors import CheckpointError
from radrl.models.lora import is_adapter_weight, lora_layers
from radrl.models.shards import is_shard, whole

STATE, COUNTERS = "state", "optimizer.json"
"""What a learner's folder holds: the torch checkpoint of its tensors, and the counters of its optimizer."""
HUGGINGFACE = "huggingface"
"""Beside them, the policy as a folder that other tools open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How the state of a learner is written.

    Example: `Saving(in_background=True)`
    """

    in_background: bool = False
    """Whether it is copied to host memory, and written while the next step runs; otherwise it is written at once."""
    model_only: bool = False
    """Whether only what is needed to use the model is written; a run cannot go on from that."""

    def begin(self, writing: Writing) -> Writing | None:
        """Return what is still to be written, or write it."""
        if self.in_background:
            return writing
        writing()
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The state of a learner as it was at one moment."""

    model: Mapping[str, Tensor]
    """What learns and all buffers, by the names of the module's `state_dict`: copies where writing is to be later."""
    write: Writing


class TrainedState:
    """What learns in a module, its moments and counters, saved and loaded by all ranks together."""

    def __init__(self, module: nn.Module, optimizer: Optimizer, *, parallel: Parallel, saving: Saving) -> None:
        self._module = module
        self._optimizer = optimizer
        self._parallel = parallel
        self._saving = saving
        self._files = StateFiles()

    def take(self, folder: Path) -> Taken:
        """Take the state as it is now, for a folder that all ranks share."""
        tensors = self._tensors()
        if self._saving.model_only:
            del tensors["optimizer"]
        if self._saving.in_background:
            tensors = copied(tensors)
        counters = json.dumps(self._optimizer.state_dict())

        def write() -> None:
            if self._saving.model_only:
                return
            self._files.save(folder / STATE, tensors)
            if self._parallel.is_writer:
                (folder / COUNTERS).write_text(counters, encoding="utf-8")

        return Taken(model=tensors["model"], write=write)

    def load(self, folder: Path) -> None:
        """Take over, in place, what was written at this number of ranks or another.

        Raises CheckpointError for a checkpoint that holds the model alone.
        """
        if not (folder / STATE).is_dir():
            raise CheckpointError(
                f"checkpoint {folder} holds a model and no optimizer (trainer.save_model_only), so that no run can go "
                f"on from it as if nothing had happened. Start another run from its weights: give "
                f"{folder / HUGGINGFACE} as worker.actor.model.model_path, and another trainer.experiment_name or "
                "trainer.fresh=true."
            )
        self._files.load(folder / STATE, self._tensors())
        self._optimizer.load_state_dict(json.loads((folder / COUNTERS).read_text(encoding="utf-8")))

    def _tensors(self) -> dict[str, Any]:
        """The tensors themselves; a float32 copy stands in for the weight that it is behind.

        Ranks may hold their shards in float32 and need no copies, and go on from the checkpoint of a process with them.
        """
        model = trained_tensors(self._module)
        moments = {name: dict(held) for name, held in self._optimizer.tensors().items()}
        for name, held in moments.items():
            if MASTER in held:
                model[name] = held.pop(MASTER)
        return {"model": model, "optimizer": moments}


class StateFiles:
    """Nested dictionaries of tensors in a folder that all ranks share."""

    def __init__(self) -> None:
        # Writing goes on in the background, between the messages of the next step, and so takes a group of its own.
        self._group = distributed.new_group(backend="gloo") if distributed.is_initialized() else None
        if self._group is None:
            # For the whole process: filters that hold for a block are not safe where several threads work.
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")

    def save(self, folder: Path, tensors: Mapping[str, Any]) -> None:
        """Write this rank's part, onto the disk itself. Raises OSError, or what else a rank ran into, on every rank."""
        self._reporting(partial(save, dict(tensors), checkpoint_id=folder))

    def load(self, folder: Path, tensors: Mapping[str, Any]) -> None:
        """Read this rank's part into the tensors that are given."""
        self._reporting(partial(load, dict(tensors), checkpoint_id=folder))

    def _reporting(self, call: Callable[..., object]) -> None:
        """Let the error of the first rank that has one come through as it is.

        torch reports errors as a CheckpointException, which is no Exception and whose text is one traceback a process.
        """
        try:
            call(process_group=self._group, no_dist=self._group is None)
        except CheckpointException as error:
            own, _ = next(iter(error.failures.values()))
            # A file that could not be written cannot be ended either; what the disk said is behind that second error.
            raise (own.__context__ if isinstance(own.__context__, OSError) else own) from None


def trained_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The tensors themselves, not copies: parameters that learn, a tied one under its first name, and all buffers."""
    first = dict(module.named_parameters())
    left_out = {
        name
        for name, each in module.named_parameters(remove_duplicate=False)
        if not each.requires_grad or name not in first
    }
    return {name: tensor for name, tensor in module.state_dict().items() if name not in left_out}


def copied(tensors: Any) -> Any:
    """Copies in host memory, of tensors that are there already too: the next step changes these in place."""
    if isinstance(tensors, Mapping):
        return {name: copied(each) for name, each in tensors.items()}
    return tensors.detach().to("cpu", copy=True)


def whole_tensors(module: PreTrainedModel, taken: Mapping[str, Tensor], *, is_writer: bool) -> dict[str, Tensor]:
    """What a Hugging Face folder of the module is written from, by its names; empty on ranks that write none.

    It is `taken`, in the types of the model's passes, and beside it what does not learn. Shards are put together one
    tensor at a time, in which all ranks must take part. Of a module in which adapters alone learn these are enough.
    """
    learning = [name for name, each in module.named_parameters() if each.requires_grad]
    adapters_alone = bool(lora_layers(module)) and all(map(is_adapter_weight, learning))
    tensors: dict[str, Tensor] = {}
    for name, tensor in module.state_dict().items():
        if adapters_alone and not is_adapter_weight(name):
            continue
        value = whole(tensor.detach()) if is_shard(tensor) else taken.get(name, tensor).detach()
        if is_writer:
            keeps_type = not is_shard(tensor) or is_adapter_weight(name) or not tensor.is_floating_point()
            dtype = tensor.dtype if keeps_type else cast("torch.dtype", module.config.dtype)
            tensors[name] = value.to("cpu", dtype, copy=is_shard(tensor))
    return tensors


def saved_model(folder: Path) -> dict[str, Tensor]:
    """The weights and buffers that `TrainedState` wrote to a learner's folder, whole, read in one process."""
    state = FileSystemReader(folder / STATE).read_metadata().state_dict_metadata
    model = {
        name.removeprefix("model."): torch.empty(kept.size, dtype=kept.properties.dtype)
        for name, kept in state.items()
        if name.startswith("model.") and isinstance(kept, TensorStorageMetadata)
    }
    StateFiles().load(folder / STATE, {"model": model})
    return model
