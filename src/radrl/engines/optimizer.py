"""AdamW with clipping, a schedule that never starts at rate 0, and steps skipped when a gradient is not finite."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from radrl.config.schema import OptimConfig


def learning_rate_factor(step: int, *, config: OptimConfig, total_steps: int) -> float:
    """Share of the peak rate at an optimizer step, counted from 0.

    Linear warm-up reaches the peak at its last step; then constant, linear or cosine decay to `min_lr_ratio` at the
    end. EasyR1's factor is 0 at step 0 even without warm-up, which wastes the first update; here it never is.
    """
    warmup = config.lr_warmup_steps
    if warmup is None:
        warmup = round(config.lr_warmup_ratio * total_steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.lr_schedule == "constant":
        return 1.0
    progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
    shape = 1 - progress if config.lr_schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    return config.min_lr_ratio + (1 - config.min_lr_ratio) * shape


@dataclass(slots=True)
class Optimizer:
    """Takes steps on the trainable parameters of a module.

    Matrices decay, vectors (norms, biases) do not.
    """

    module: nn.Module
    config: OptimConfig
    max_grad_norm: float
    total_steps: int
    num_steps: int = 0
    """Steps taken or skipped: the position in the schedule."""
    num_skipped: int = 0
    """Steps whose gradient was not finite."""
    adamw: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        matrices = [p for p in self.parameters() if p.ndim >= 2]
        vectors = [p for p in self.parameters() if p.ndim < 2]
        self.adamw = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=self.config.lr,
            betas=self.config.betas,
            fused=True,
        )
        # Moments exist from the start, so that a checkpoint holds the same tensors whichever parameters had a gradient.
        for parameter in self.parameters():
            self.adamw.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def parameters(self) -> Iterable[nn.Parameter]:
        """The parameters that learn."""
        return (parameter for parameter in self.module.parameters() if parameter.requires_grad)

    def step(self) -> Mapping[str, float]:
        """Apply the gradients that have been accumulated, then clear them. Returns `actor/` metrics."""
        rate = self.config.lr * learning_rate_factor(self.num_steps, config=self.config, total_steps=self.total_steps)
        for group in self.adamw.param_groups:
            group["lr"] = rate
        norm = float(nn.utils.clip_grad_norm_(list(self.parameters()), self.max_grad_norm))
        if math.isfinite(norm):
            self.adamw.step()
        else:
            self.num_skipped += 1
        self.adamw.zero_grad(set_to_none=True)
        self.num_steps += 1
        return {"actor/grad_norm": norm, "actor/lr": rate, "actor/skipped_steps": float(self.num_skipped)}

    def state_dict(self) -> dict[str, int]:
        """Counters; the moments are the tensor checkpoint's business."""
        return {"num_steps": self.num_steps, "num_skipped": self.num_skipped}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Take over what `state_dict` gave."""
        self.num_steps = state["num_steps"]
        self.num_skipped = state["num_skipped"]
