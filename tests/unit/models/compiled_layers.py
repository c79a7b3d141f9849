"""Compares compiled layers with plain ones, outside of pytest, whose type checks cannot be compiled. Prints JSON."""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from radrl.models.adapter import ModelAdapter
from radrl.models.attention import DenseAttention
from radrl.models.families.family import Inputs
from radrl.models.layers import LayerCalls
from radrl.models.load import load_adapter
from radrl.models.lora import attach_lora, lora_layers, switched_off


def open_adapter(folder: Path) -> ModelAdapter:
    """A model with an adapter that does something."""
    adapter = load_adapter(folder, device="cpu")
    attach_lora(adapter.model, targets=adapter.family.lora_targets, rank=4, alpha=8.0)
    generator = torch.Generator().manual_seed(0)
    for layer in lora_layers(adapter.model).values():
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.1, generator=generator)
    return adapter


def run(adapter: ModelAdapter, calls: LayerCalls, *, width: int, variant: str = "") -> Tensor:
    """Hidden states of random embeddings that depend on the width alone."""
    generator = torch.Generator().manual_seed(width)
    embeddings = torch.randn(1, width, 128, generator=generator).requires_grad_()
    mask = torch.ones(1, 1, width, width, dtype=torch.bool).tril()
    with calls.running(variant):
        return adapter.family.hidden_states(
            Inputs(embeddings=embeddings),
            positions=torch.arange(width).expand(3, 1, -1),
            attention=DenseAttention(mask=mask),
        )


def gradients(adapter: ModelAdapter, hidden: Tensor) -> list[Tensor]:
    """Gradients of what learns."""
    learns = [weight for weight in adapter.model.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(hidden.square().sum(), learns))


def gap(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


def main(folder: Path) -> None:
    """Compare states and gradients at two widths, and states with the adapter on and off in turn."""
    adapter = open_adapter(folder)
    layers = tuple(adapter.family.layers)
    plain, compiled = LayerCalls(layers=layers), LayerCalls(layers=layers, is_compiled=True, backend="aot_eager")
    gaps: dict[str, float] = {}
    for width in (12, 7):
        expected, found = (run(adapter, calls, width=width) for calls in (plain, compiled))
        pairs = zip(gradients(adapter, found), gradients(adapter, expected), strict=True)
        gaps[f"{width} states"] = gap(found, expected)
        gaps[f"{width} gradients"] = max(gap(got, wanted) for got, wanted in pairs)
    with torch.no_grad():
        for turn in (1, 2):
            on = run(adapter, plain, width=9)
            gaps[f"on {turn}"] = gap(run(adapter, compiled, width=9, variant="default"), on)
            with switched_off(adapter.model, "default"):
                off = run(adapter, plain, width=9)
                gaps[f"off {turn}"] = gap(run(adapter, compiled, width=9, variant=""), off)
    sys.stdout.write(json.dumps({"gaps": gaps, "adapter": gap(on, off)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
