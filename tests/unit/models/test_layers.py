"""Ways of running layers, held against running them plainly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from compiled_layers import gap, gradients, open_adapter, run

from radrl.models.layers import Activations, LayerCalls


@pytest.mark.parametrize("activations", ["recompute", "offload"])
def test_activations_computed_again_or_moved_out_give_the_same_states_and_gradients(
    tiny_folder: Path, activations: Activations
) -> None:
    """Row 56: activation checkpointing and offload change memory and time, never a number."""
    adapter = open_adapter(tiny_folder)
    layers = tuple(adapter.family.layers)
    expected = run(adapter, LayerCalls(layers=layers), width=12)
    found = run(adapter, LayerCalls(layers=layers, activations=activations), width=12)
    assert torch.equal(found, expected)
    for got, wanted in zip(gradients(adapter, found), gradients(adapter, expected), strict=True):
        assert gap(got, wanted) < 1e-6


@pytest.mark.slow
def test_compiled_layers_compute_what_plain_ones_do_with_an_adapter_and_without(tiny_folder: Path) -> None:
    """Attributes of layers are not compared at each call, so the variant alone has to keep the two apart."""
    script = Path(__file__).with_name("compiled_layers.py")
    done = subprocess.run([sys.executable, script, tiny_folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["adapter"] > 0.01
    assert max(found["gaps"].values()) < 1e-5, found["gaps"]


def test_layers_are_what_they_were_once_the_block_is_left(tiny_folder: Path) -> None:
    layers = tuple(open_adapter(tiny_folder).family.layers)
    calls = LayerCalls(layers=layers, is_compiled=True, activations="recompute", backend="aot_eager")
    with pytest.raises(KeyError), calls.running():
        raise KeyError
    assert all("forward" not in vars(layer) for layer in layers)
