"""AdamW for bfloat16 weights: what a step rounds off is kept and added to the next one (Kahan summation)."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class KahanAdamW(torch.optim.Optimizer):
    """Decoupled AdamW (arXiv 1711.05101) on bfloat16 weights, with a bfloat16 compensation beside each.

    Weight and compensation together carry about 16 bits, so that steps far below the weight's last bit add up: at a
    rate of 1e-6 a weight of 0.02 moves by a hundredth of its last bit a step, and without compensation never.

    CX-Mind's `adamw_bf16` also holds the second moment in bfloat16, where it can rise but not decay: at beta 0.999 the
    decay of a step is less than half of its last bit. Here it is float32: 10 bytes a weight instead of 8.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @staticmethod
    def empty_state(weight: Tensor) -> dict[str, Tensor]:
        """State before the first step."""
        return {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight, dtype=torch.float32),
            "compensation": torch.zeros_like(weight),
        }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take one step on every weight that has a gradient."""
        assert closure is None, "gradients are accumulated before a step"
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.state[weight] = self.state[weight] or self.empty_state(weight)
                    _update(weight, weight.grad, self.state[weight], group)


def _update(weight: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Compute in float32, whatever the weight and its state are held in."""
    beta1, beta2 = group["betas"]
    state["step"] += 1
    num_steps = float(state["step"])
    gradient = gradient.float()
    state["exp_avg"].copy_(torch.lerp(state["exp_avg"].float(), gradient, 1 - beta1))
    state["exp_avg_sq"].lerp_(gradient.square(), 1 - beta2)
    spread = (state["exp_avg_sq"] / (1 - beta2**num_steps)).sqrt_().add_(group["eps"])
    change = state["exp_avg"].float().div_(spread).mul_(-group["lr"] / (1 - beta1**num_steps))
    change.sub_(weight.float(), alpha=group["lr"] * group["weight_decay"])
    wanted = change.add_(state["compensation"]).add_(weight)
    weight.copy_(wanted)
    state["compensation"].copy_(wanted.sub_(weight))
