"""How the decoder's layers are run in training: compiled, and with activations kept, computed again, or moved out."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import Any, Literal

import torch
from torch.nn import Module
from torch.utils.checkpoint import checkpoint

Activations = Literal["keep", "recompute", "offload"]


@dataclass(slots=True)
class LayerCalls:
    """Runs layers another way for as long as `running` is entered; outside of it they are what they were.

    The sampler shares the layers and extends caches in them, which neither compilation nor recomputation would survive.
    """

    layers: tuple[Module, ...]
    is_compiled: bool = False
    """Whether a layer's elementwise work is fused by torch.compile. Only for layers that are alike."""
    activations: Activations = "keep"
    """What happens to a layer's activations until the backward pass: they are kept, computed again from the layer's
    input, or kept in the host's memory."""
    backend: str = "inductor"
    """Which compiler."""
    _compiled: dict[tuple[str, bool], Callable[..., Any]] = field(
        default_factory=dict[tuple[str, bool], Callable[..., Any]], init=False
    )

    @contextlib.contextmanager
    def running(self, variant: str = "") -> Iterator[None]:
        """Let calls of the layers go this way.

        `variant` names the state of the layers that decides what they compute, such as which adapters work: what was
        compiled under one name is never used under another.
        """
        if not self.is_compiled and self.activations == "keep":
            yield
            return
        for layer in self.layers:
            layer.forward = self._call(layer, variant)
        try:
            with self._saved_elsewhere():
                yield
        finally:
            for layer in self.layers:
                del layer.forward

    def _call(self, layer: Module, variant: str) -> Callable[..., Any]:
        call: Callable[..., Any] = layer.forward
        if self.is_compiled:
            key = (variant, torch.is_grad_enabled())
            if key not in self._compiled:
                self._compiled[key] = _compile(backend=self.backend)
            call = partial(self._compiled[key], layer)
        if self.activations == "recompute" and torch.is_grad_enabled():
            call = partial(checkpoint, call, use_reentrant=False)
        return call

    def _saved_elsewhere(self) -> contextlib.AbstractContextManager[Any]:
        if self.activations != "offload":
            return contextlib.nullcontext()
        return torch.autograd.graph.save_on_cpu(pin_memory=torch.cuda.is_available())


def _run_layer(layer: Module, *args: Any, **kwargs: Any) -> Any:
    return type(layer).forward(layer, *args, **kwargs)


def _compile(*, backend: str) -> Callable[..., Any]:
    """Compile the call of a layer once for all layers.

    By default every call compares hundreds of attributes of a layer with those at compilation, which takes longer than
    launching what was compiled. They are left out here: layers are alike, stay in evaluation mode, and what else may
    change is the variant. torch keeps what it compiled with a function's code, so each compilation gets its own.
    """
    plain = inspect.unwrap(_run_layer)
    own = FunctionType(plain.__code__.replace(), plain.__globals__)
    options: dict[str, Any] = {"guard_filter_fn": torch.compiler.skip_guard_on_all_nn_modules_unsafe}
    return torch.compile(own, dynamic=True, backend=backend, options=options)
