"""Weights and optimizer moments as torch distributed checkpoints, readable at any number of processes."""

from pathlib import Path

from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer


def save_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Write the model's and the optimizer's tensors."""
    weights, moments = get_state_dict(model, optimizer)
    save({"model": weights, "optimizer": moments}, checkpoint_id=folder, no_dist=True)


def load_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Take over what `save_weights` wrote, in place."""
    weights, moments = get_state_dict(model, optimizer)
    load({"model": weights, "optimizer": moments}, checkpoint_id=folder, no_dist=True)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
