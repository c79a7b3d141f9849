"""Ranks hold shards of the weights and gather a layer's for each pass: torch's FSDP2.

Each decoder layer is a unit that is gathered and freed as a whole. Everything else, image encoder included, belongs to
the root unit, and every pass runs within the root's forward. So the head and the embeddings are whole wherever a pass
looks at them, and which exchanges a rank takes part in never depends on whether its prompts have images.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from radrl.config.learning import FsdpConfig
from radrl.engines.parallel import on_cpu
from radrl.engines.replicated import gather_objects, sum_gradients
from radrl.engines.spread import Spread
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.shards import is_shard

T = TypeVar("T")


class Sharded:
    """Ranks with shards of one model. Gradients are summed, never averaged, as the losses expect."""

    def __init__(self, adapter: ModelAdapter, config: FsdpConfig, *, held: torch.dtype | None) -> None:
        """Takes the weights of rank 0 and divides them; call it once what learns has been chosen.

        Passes compute in the adapter's type. Weights that learn are held, and stepped on, as `held`; None holds them in
        the type that they have.
        """
        self.is_writer = distributed.get_rank() == 0
        self._keeps, self._sums_late = config.mode != "full", config.mode == "zero1"
        self._passes_left = 0
        self._tower = _Tower(adapter)
        self._root = _Root(adapter.model)
        self._units = _divide(self._root, adapter, config, spread=Spread(adapter.device, held=held))
        self._rests = self._root if config.offload_params else None
        with torch.no_grad():  # torch takes for the root what is called first, which a sampler would make a layer.
            self.call(lambda: torch.zeros(()))

    def call(self, function: Callable[[], T]) -> T:
        """Make a pass within the root's forward. It returns a tensor, or a dataclass of tensors."""
        if self._sums_late and torch.is_grad_enabled():
            self._passes_left -= 1
            self._settle(is_last=self._passes_left == 0)
        made: list[T] = []

        def make() -> tuple[Tensor, ...]:
            value = function()
            made.append(value)
            return self._tower.anchored(_tensors(value))

        tensors = self._root(make)
        if not torch.is_grad_enabled():
            self._free()
        return _rebuilt(made[0], tensors)

    def num_passes(self, own: int) -> int:
        """As many as the rank with the most."""
        most = torch.tensor(own)
        distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
        self._passes_left = int(most)
        return self._passes_left

    def add_up(self, weights: Sequence[nn.Parameter]) -> None:
        """Sum the gradients of weights that are not sharded, such as a value head's; passes have summed the others."""
        sum_gradients([weight for weight in weights if not is_shard(weight)])
        self._tower.forget_if_unseen()

    def gather(self, value: T) -> list[T]:
        """What every rank gives, by way of the CPU."""
        return gather_objects(value)

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Gather all units once and keep them: layers are then called as often as a rank likes, without the others."""
        for unit in self._units:
            unit.set_reshard_after_forward(False, recurse=False)
            unit.unshard()
        try:
            yield
        finally:
            for layer in self._units[:-1]:
                layer.set_reshard_after_forward(not self._keeps, recurse=False)
            self._free()

    def resting(self) -> AbstractContextManager[None]:
        """Move the shards, and what is not sharded."""
        return on_cpu(self._rests)

    def _settle(self, *, is_last: bool) -> None:
        """Sum gradients over the ranks and leave shards after the last pass of a step alone."""
        for unit in self._units:
            unit.set_requires_gradient_sync(is_last, recurse=False)
            unit.set_reshard_after_backward(is_last, recurse=False)

    def _free(self) -> None:
        """Leave shards alone. Without a backward pass nothing else would, and they may change before the next pass."""
        for unit in self._units:
            unit.reshard()


class _Root(nn.Module):
    """The model, as a module whose forward is any pass through it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Make the pass."""
        return function()


class _Tower:
    """The image encoder where it learns, which some ranks' passes do without.

    Ranks exchange gradients of weights that have one, and must agree on which these are. So every pass gives all of the
    tower's weights zeros beside what they may get from images.
    """

    def __init__(self, adapter: ModelAdapter) -> None:
        self._tower = adapter.family.vision_tower
        self._learns = self._tower is not None and any(each.requires_grad for each in self._tower.parameters())
        self._is_seen = False
        if self._tower is not None and self._learns:
            for inner in self._tower.modules():
                if any(each.requires_grad for each in inner.parameters(recurse=False)):
                    inner.register_forward_hook(self._note)

    def anchored(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What a pass returns, with the zeros hanging on the first tensor that learns."""
        # torch warns of views, whose change in place would lose its hook.
        found = [each.clone() if each._is_view() else each for each in tensors]
        if self._tower is not None and self._learns and torch.is_grad_enabled():
            number = next(number for number, each in enumerate(found) if each.requires_grad)
            weights = [each for each in self._tower.parameters() if each.requires_grad]
            found[number] = found[number] + sum(0 * weight.sum(dtype=torch.float32) for weight in weights)
        return tuple(found)

    def forget_if_unseen(self) -> None:
        """After a step in which no rank had an image, take the zeros away, for a single process would have none."""
        if self._tower is None or not self._learns:
            return
        if not any(gather_objects(self._is_seen)):
            self._tower.zero_grad(set_to_none=True)
        self._is_seen = False

    def _note(self, *_: object) -> None:
        self._is_seen = self._is_seen or torch.is_grad_enabled()


def shard_mesh(device: torch.device, fsdp_size: int) -> DeviceMesh:
    """All ranks in a line, or in rows of `fsdp_size` that each hold a copy. Raises ConfigError for uneven rows."""
    num_ranks = distributed.get_world_size()
    size = num_ranks if fsdp_size == -1 else fsdp_size
    if num_ranks % size:
        raise ConfigError(
            f"worker.actor.fsdp.fsdp_size is {size}, which does not divide the {num_ranks} ranks. Set it to a divisor, "
            "such as the number of GPUs of a node, or to -1 for all."
        )
    if size == num_ranks:
        return init_device_mesh(device.type, (num_ranks,), mesh_dim_names=("shard",))
    return init_device_mesh(device.type, (num_ranks // size, size), mesh_dim_names=("copy", "shard"))


def _divide(root: _Root, adapter: ModelAdapter, config: FsdpConfig, *, spread: Spread) -> list[FSDPModule]:
    """Place and shard one unit after the other, so that no more than one is whole on a device at a time.

    An image encoder that does not learn stays whole on every rank: its features are computed once a run.
    """
    layers = list(adapter.family.layers)
    mesh = shard_mesh(adapter.device, config.fsdp_size)
    # What passes from unit to unit keeps the type that it has in one process.
    types = MixedPrecisionPolicy(
        param_dtype=adapter.dtype, reduce_dtype=getattr(torch, config.reduce_dtype), cast_forward_inputs=False
    )
    for layer in layers:
        spread.place(layer)
        fully_shard(layer, mesh=mesh, mp_policy=types, reshard_after_forward=config.mode == "full")
    spread.place(root, besides=layers)
    tower = adapter.family.vision_tower
    held_whole = set[nn.Parameter]() if tower is None else set(tower.parameters())
    if any(each.requires_grad for each in held_whole):
        held_whole.clear()
    fully_shard(root, mesh=mesh, mp_policy=types, reshard_after_forward=False, ignored_params=held_whole)
    units = [cast("FSDPModule", each) for each in (*layers, root)]
    for number, unit in enumerate(units):
        # Sums by a plain sum: gloo knows no other, and NCCL is fastest at it.
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
        unit.set_modules_to_forward_prefetch(units[number + 1 : -1][: config.prefetch])
        unit.set_modules_to_backward_prefetch(units[max(0, number - config.prefetch) : number][::-1])
    return units


def _tensors(value: Any) -> tuple[Tensor, ...]:
    """The tensors of a value that is one, or a dataclass of them."""
    if isinstance(value, Tensor):
        return (value,)
    return tuple(getattr(value, field.name) for field in dataclasses.fields(value))


def _rebuilt(value: Any, tensors: Sequence[Tensor]) -> Any:
    """The value with these tensors in place of its own."""
    if isinstance(value, Tensor):
        return tensors[0]
    names = [field.name for field in dataclasses.fields(value)]
    return dataclasses.replace(value, **dict(zip(names, tensors, strict=True)))
