"""Weights and optimizer moments as torch distributed checkpoints, readable at any number of processes."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer


def save_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Write the model's and the optimizer's tensors. Raises OSError when the disk refuses."""
    weights, moments = get_state_dict(model, optimizer)
    with _single_process():
        save({"model": weights, "optimizer": moments}, checkpoint_id=folder, no_dist=True)


def load_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Take over what `save_weights` wrote, in place."""
    weights, moments = get_state_dict(model, optimizer)
    with _single_process():
        load({"model": weights, "optimizer": moments}, checkpoint_id=folder, no_dist=True)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)


@contextlib.contextmanager
def _single_process() -> Iterator[None]:
    """Let an error of the only process come through as it is, and leave out the warning that there is only one.

    torch reports errors as a CheckpointException, which is no Exception and whose text is one traceback a process.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        try:
            yield
        except CheckpointException as error:
            own, _ = error.failures[0]
            # A file that could not be written cannot be ended either; what the disk said is behind that second error.
            raise (own.__context__ if isinstance(own.__context__, OSError) else own) from None
