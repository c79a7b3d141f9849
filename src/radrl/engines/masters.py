"""Float32 copies of weights that the model holds in a narrower type: the copies learn, and are rounded into the model.

A gradient is added to its copy as soon as it is there, so micro-batches are summed in float32 as well.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Masters:
    """The float32 weights behind trained ones; a weight that is float32 already is its own."""

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self._pairs = [(weight, self._behind(weight)) for weight in weights if weight.dtype != torch.float32]
        behind = {id(weight): master for weight, master in self._pairs}
        self.weights = [behind.get(id(weight), weight) for weight in weights]
        """What the optimizer steps on, in the order of the model's weights."""

    @torch.no_grad()
    def publish(self) -> None:
        """Round the copies into the model."""
        for weight, master in self._pairs:
            weight.copy_(master)

    @staticmethod
    def _behind(weight: nn.Parameter) -> nn.Parameter:
        master = nn.Parameter(weight.detach().float())

        def hand_over(trained: Tensor) -> None:
            gradient = trained.grad
            assert gradient is not None, "the hook runs when there is one"
            if master.grad is None:
                master.grad = gradient.to(master.device, torch.float32)
            else:
                master.grad.add_(gradient)
            trained.grad = None

        weight.register_post_accumulate_grad_hook(hand_over)
        return master
