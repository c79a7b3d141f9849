"""The policy that training must not drift from: the one it starts from, within the model that is being trained."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Float
from torch import Tensor

from radrl.batch import Batch
from radrl.config.schema import Config
from radrl.engines.learner import batch_logprobs
from radrl.engines.parallel import Parallel
from radrl.engines.plugged import plugged
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import trained_names
from radrl.models.lora import active_adapters, is_adapter_weight, switched_off
from radrl.models.shards import is_shard, own_part
from radrl.plugins import is_reference
from radrl.roles import Reference

log = logging.getLogger(__name__)


def open_reference(adapter: ModelAdapter, config: Config, *, parallel: Parallel | None = None) -> Reference | None:
    """Hold on to the policy as it is now, in the cheapest way that is exact; None where no KL term asks for it.

    Raises ConfigError when the adapter is to be switched off, but the policy would then be another than the first, and
    PluginError for a reference of the user's own that is none.
    """
    if config.algorithm.kl_coef == 0:
        log.info("no reference: algorithm.kl_coef is 0")
        return None
    name = config.worker.ref.name
    if is_reference(name):
        own = plugged(Reference, name, adapter, config, key="worker.ref.name")
        return own if parallel is None else ReferenceOverWhole(own, parallel)
    wanted, model = config.worker.ref.mode, config.worker.actor.model
    hindrance = _hindrance(adapter, is_new=model.lora.path is None and model.lora.rank > 0, name=model.lora.name)
    if wanted == "adapter_off" and hindrance:
        raise ConfigError(
            f"worker.ref.mode is adapter_off, but {hindrance}, so the policy without the adapter is not the one that "
            "the run starts from. Set worker.ref.mode=copy, or leave it out."
        )
    if hindrance or wanted == "copy":
        log.info("reference by a copy of what learns: %s", hindrance or "worker.ref.mode is copy")
        start = SwappedWeights(adapter.model, offload=config.worker.ref.offload)
        return StartingPolicy(adapter, config, start, parallel=parallel)
    log.info("reference by switching the adapter %s off: it is new, and nothing else learns", model.lora.name)
    return StartingPolicy(adapter, config, SwitchedAdapter(adapter.model, model.lora.name), parallel=parallel)


class ReferenceOverWhole:
    """A reference of a user's own, which finds the policy's weights whole whatever part of them this rank holds."""

    def __init__(self, reference: Reference, parallel: Parallel) -> None:
        self._reference = reference
        self._parallel = parallel

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token."""
        with self._parallel.whole():
            return self._reference.logprobs(batch)


class StartingPolicy:
    """Scores completions under the weights that an adapter had when this was made."""

    def __init__(
        self,
        adapter: ModelAdapter,
        config: Config,
        start: "SwitchedAdapter | SwappedWeights",
        *,
        parallel: Parallel | None = None,
    ) -> None:
        self._adapter = adapter
        self._parallel = parallel
        self._config = config.worker.actor
        self._start = start

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token, in nats at the batch's temperature."""
        with self._start.restored():
            return batch_logprobs(self._adapter, batch, self._config, parallel=self._parallel)


class SwitchedAdapter:
    """The start is the model without an adapter whose B was 0."""

    def __init__(self, model: torch.nn.Module, name: str) -> None:
        self._model = model
        self._name = name

    def restored(self) -> AbstractContextManager[None]:
        """Compute as at the start while the block runs."""
        return switched_off(self._model, self._name)


class SwappedWeights:
    """The start is a copy of the weights that learn: all that can ever differ from it.

    The copy is put in the weights' place rather than beside the model, so it is as large as what learns, and compiled
    layers and cached features serve both. Of shards the numbers are exchanged: what gathers them goes by their memory.
    """

    def __init__(self, model: torch.nn.Module, *, offload: bool) -> None:
        trained = trained_names(model)
        self._weights = [parameter for name, parameter in model.named_parameters() if name in trained]
        self._start = [_kept(own_part(parameter.detach()), on_cpu=offload) for parameter in self._weights]

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Compute as at the start while the block runs."""
        present = [own_part(each.detach()).clone() if is_shard(each) else each.data for each in self._weights]
        try:
            self._put(self._start)
            yield
        finally:
            self._put(present)

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._weights, values, strict=True):
            if is_shard(parameter):
                own_part(parameter).copy_(value, non_blocking=True)
            else:
                parameter.data = value.to(parameter.device, non_blocking=True)


def _hindrance(adapter: ModelAdapter, *, is_new: bool, name: str) -> str | None:
    """Why the policy without its adapter is not the one that the run starts from; None when it is."""
    if name not in active_adapters(adapter.model):
        return "no adapter learns"
    if not is_new:
        return f"the adapter {name} was trained before"
    others = sorted(
        each for each in trained_names(adapter.model) if not (is_adapter_weight(each) and f".{name}." in each)
    )
    return f"{len(others)} other weights learn too, such as {others[0]}" if others else None


def _kept(weight: Tensor, *, on_cpu: bool) -> Tensor:
    """A copy; on the CPU its memory is pinned where a GPU will fetch it."""
    if not on_cpu:
        return weight.clone()
    copy = torch.empty(weight.shape, dtype=weight.dtype, pin_memory=weight.is_cuda)
    return copy.copy_(weight)
