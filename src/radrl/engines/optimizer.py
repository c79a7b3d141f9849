"""Optimizer steps: clipping, a schedule that never starts at rate 0, and no step where a gradient is not finite."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from radrl.config.learning import OptimConfig
from radrl.engines.kahan import KahanAdamW
from radrl.engines.masters import Masters
from radrl.engines.parallel import OneProcess, Parallel
from radrl.models.freezing import check_frozen
from radrl.models.shards import is_shard, whole

MASTER = "master"
"""What `Optimizer.tensors` calls the float32 copy of a weight."""


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


class Optimizer:
    """Takes steps on the parameters of a module that learn when it is made.

    Matrices decay, vectors (norms, biases) do not. LoRA's factors are matrices: their decay draws the policy back to
    its base. `adamw` and `sgd` step in float32, on copies of what is held in a narrower type; `adamw_bf16` on the
    weights themselves, with Kahan's compensation. A step is element by element, so each rank takes it on its shards.
    """

    def __init__(
        self,
        module: nn.Module,
        config: OptimConfig,
        *,
        max_grad_norm: float,
        total_steps: int,
        parallel: Parallel | None = None,
        role: str = "actor",
    ) -> None:
        """`role` is the first part of the names of its metrics."""
        self.module = module
        self.role = role
        self.parallel = parallel or OneProcess()
        self.config = config
        self.max_grad_norm = max_grad_norm
        self.total_steps = total_steps
        self.num_steps = 0
        """Steps taken or skipped: the position in the schedule."""
        self.num_skipped = 0
        """Steps whose gradient was not finite."""
        self._trained = {name: each for name, each in module.named_parameters() if each.requires_grad}
        self._masters = Masters(list(self._trained.values())) if config.strategy != "adamw_bf16" else None
        self._stepped = self._masters.weights if self._masters else list(self._trained.values())
        self._rule = self._make_rule()
        # State exists from the start, so that a checkpoint holds the same tensors whichever weights had a gradient.
        for weight in self._stepped:
            self._rule.state[weight] = _EMPTY_STATES[config.strategy](weight)
        self._rest()

    def step(self) -> Mapping[str, float]:
        """Apply the gradients that have been accumulated, then clear them. Returns metrics.

        Raises ConfigError when the passes before it changed which weights learn.
        """
        check_frozen(self.module, frozenset(self._trained))
        rate = self.config.lr * learning_rate_factor(self.num_steps, config=self.config, total_steps=self.total_steps)
        for group in self._rule.param_groups:
            group["lr"] = rate
        self.parallel.add_up(self._stepped)
        norm = clip_gradients(self._stepped, most=self.max_grad_norm)
        if math.isfinite(norm):
            self._wake()
            self._rule.step()
            self._rest()
            if self._masters:
                self._masters.publish()
        else:
            self.num_skipped += 1
        self._rule.zero_grad(set_to_none=True)
        self.num_steps += 1
        return {
            f"{self.role}/grad_norm": norm,
            f"{self.role}/lr": rate,
            f"{self.role}/skipped_steps": float(self.num_skipped),
        }

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The live state of every weight that learns, by its name: moments, and a copy or compensation."""
        held: dict[str, dict[str, Tensor]] = {}
        for (name, weight), stepped in zip(self._trained.items(), self._stepped, strict=True):
            copy = {} if stepped is weight else {MASTER: stepped.detach()}
            held[name] = {**self._rule.state[stepped], **copy}
        return held

    def state_dict(self) -> dict[str, int]:
        """Counters; the tensors are the checkpoint's business."""
        return {"num_steps": self.num_steps, "num_skipped": self.num_skipped}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Take over what `state_dict` gave, after the tensors, whose copies are rounded into the model."""
        self.num_steps = state["num_steps"]
        self.num_skipped = state["num_skipped"]
        if self._masters:
            self._masters.publish()

    def _make_rule(self) -> torch.optim.Optimizer:
        if self.config.strategy == "sgd":
            return torch.optim.SGD(self._stepped, lr=self.config.lr)
        groups: list[dict[str, Any]] = []
        for weights in by_kind(self._stepped):
            matrices, vectors = [w for w in weights if w.ndim >= 2], [w for w in weights if w.ndim < 2]
            groups.append({"params": matrices, "weight_decay": self.config.weight_decay})
            groups.append({"params": vectors, "weight_decay": 0.0})
        if self.config.strategy == "adamw_bf16":
            return KahanAdamW(groups, lr=self.config.lr, betas=self.config.betas)
        return torch.optim.AdamW(groups, lr=self.config.lr, betas=self.config.betas, fused=True)

    def _wake(self) -> None:
        """Bring what waited on the CPU back to its weights."""
        for weight, state in self._rule.state.items():
            self._move(state, weight.device)

    def _rest(self) -> None:
        """Let the state wait on the CPU until the next step, where that is asked for."""
        for state in self._rule.state.values():
            self._move(state, torch.device("cpu"))

    def _move(self, state: dict[str, Tensor], device: torch.device) -> None:
        if self.config.offload:
            state.update({key: tensor.to(device) for key, tensor in state.items() if tensor.ndim > 0})


def by_kind(weights: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Shards and whole weights apart, for torch computes with both at once in no call."""
    kinds = [[w for w in weights if is_shard(w)], [w for w in weights if not is_shard(w)]]
    return [kind for kind in kinds if kind]


@torch.no_grad()
def clip_gradients(weights: Sequence[nn.Parameter], *, most: float) -> float:
    """Scale gradients down to a norm of `most`, shards by the norm over all ranks. Returns the norm before."""
    kinds = by_kind(weights)
    norms = [nn.utils.get_total_norm([w.grad for w in kind if w.grad is not None]) for kind in kinds]
    norm = math.hypot(*(float(whole(each)) for each in norms))
    for kind in kinds:
        nn.utils.clip_grads_with_norm_(kind, most, torch.tensor(norm, device=kind[0].device))
    return norm


def _adamw_state(weight: Tensor) -> dict[str, Tensor]:
    """State of torch's fused AdamW before the first step."""
    return {
        "step": torch.zeros((), dtype=torch.float32, device=weight.device),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }


def _no_state(weight: Tensor) -> dict[str, Tensor]:  # noqa: ARG001
    """State of plain gradient descent."""
    return {}


_EMPTY_STATES: Mapping[str, Callable[[Tensor], dict[str, Tensor]]] = {
    "adamw": _adamw_state,
    "adamw_bf16": KahanAdamW.empty_state,
    "sgd": _no_state,
}
