"""Weights and optimizer state as torch distributed checkpoints, readable at any number of processes.

Weights that do not learn are those of the model that the run starts from, and are not written.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from radrl.engines.optimizer import Optimizer


def save_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Write what learns and its optimizer's state. Raises OSError when the disk refuses."""
    with _single_process():
        save(_live(model, optimizer), checkpoint_id=folder, no_dist=True)


def load_weights(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Take over what `save_weights` wrote, in place."""
    with _single_process():
        load(_live(model, optimizer), checkpoint_id=folder, no_dist=True)


def _live(model: nn.Module, optimizer: Optimizer) -> dict[str, dict[str, Tensor] | dict[str, dict[str, Tensor]]]:
    """The tensors themselves, not copies: parameters that learn, all buffers, moments."""
    frozen = {name for name, each in model.named_parameters(remove_duplicate=False) if not each.requires_grad}
    weights = {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}
    return {"model": weights, "optimizer": optimizer.tensors()}


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
