"""Weights that one rank has read, put on the device of every rank tensor by tensor, so that none is read twice."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from radrl.engines.replicated import gather_objects
from radrl.errors import ConfigError


class Spread:
    """Puts the weights of rank 0 on all ranks, a module at a time; what the others had in their place is dropped.

    They may have built the model on the meta device, and rank 0 may have it in host memory: a node then holds one copy
    there, and a device no more than the modules that were placed. Buffers come along, those that no checkpoint has
    too. Tied weights stay tied.
    """

    def __init__(self, device: torch.device, *, held: torch.dtype | None = None) -> None:
        """Weights that learn are held as `held`, if given, the others in the type that rank 0 has read."""
        self._device = device
        self._held = held
        self._placed: dict[int, Tensor] = {}

    def place(self, module: nn.Module, *, besides: Collection[nn.Module] = ()) -> None:
        """Place everything in the module except what is within `besides`. Raises ConfigError where ranks differ."""
        slots = list(_slots(module, besides={inner for each in besides for inner in each.modules()}))
        _check_alike([slot.shape() for slot in slots])
        for slot in slots:
            old = slot.tensor
            if id(old) not in self._placed:
                self._placed[id(old)] = self._received(old)
            setattr(slot.module, slot.name, self._placed[id(old)])

    @torch.no_grad()
    def _received(self, old: Tensor) -> Tensor:
        is_learnt = old.requires_grad and self._held is not None
        new = torch.empty(old.shape, dtype=self._held if is_learnt else old.dtype, device=self._device)
        if distributed.get_rank() == 0:
            new.copy_(old)
        distributed.broadcast(new, src=0)
        return nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """Where a module has a tensor."""

    module: nn.Module
    name: str
    tensor: Tensor

    def shape(self) -> str:
        return f"{self.name} {tuple(self.tensor.shape)} {self.tensor.dtype}"


def _slots(module: nn.Module, *, besides: Collection[nn.Module]) -> Iterator[_Slot]:
    """Every place of every parameter and buffer, tied ones included."""
    for inner in module.modules():
        if inner in besides:
            continue
        own = [*inner.named_parameters(recurse=False, remove_duplicate=False), *inner.named_buffers(recurse=False)]
        for name, tensor in own:
            yield _Slot(module=inner, name=name, tensor=tensor)


def _check_alike(shapes: list[str]) -> None:
    """Raise ConfigError where a rank has built another model than rank 0."""
    first, *others = gather_objects(shapes)
    for rank, other in enumerate(others, start=1):
        if other != first:
            differing = next((pair for pair in zip(first, other, strict=False) if pair[0] != pair[1]), None)
            raise ConfigError(
                f"rank {rank} has built another model than rank 0: {len(other)} tensors and {len(first)}"
                + (f", the first that differ {differing[1]} and {differing[0]}" if differing else "")
                + ". Give all nodes the same worker.actor.model.model_path and versions of packages."
            )
