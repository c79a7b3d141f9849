"""What ranks do about checkpoints: they learn, save, and go on from what others saved."""

from collections.abc import Sequence
from pathlib import Path

import torch
from scenes import Learnt, Recipe, Step, learnt_by, open_learner, rank
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from radrl.engines.checkpoint import Saving, StateFiles, TrainedState, trained_tensors
from radrl.engines.learner import PolicyLearner
from radrl.models.shards import whole

State = dict[str, Tensor]


def open_saving(recipe: Recipe, saving: Saving) -> PolicyLearner:
    learner = open_learner(recipe)
    learner.saving = saving
    learner._state = TrainedState(learner.adapter.model, learner.optimizer, parallel=learner.parallel, saving=saving)
    return learner


def learn_and_save(recipe: Recipe, steps: Sequence[Step], folder: Path, saving: Saving) -> tuple[State, Learnt]:
    """What was saved after all but the last step, and what came of the last.

    What is to be written in the background is written when the last step is over.
    """
    learner = open_saving(recipe, saving)
    learnt_by(learner, steps[:-1])
    if rank() == 0:
        folder.mkdir()
    if distributed.is_initialized():
        distributed.barrier()
    state = state_of(learner)
    writing = learner.save(folder)
    learnt = learnt_by(learner, steps[-1:])
    assert (writing is not None) == saving.in_background
    if writing is not None:
        writing()
    return state, learnt


def go_on(recipe: Recipe, steps: Sequence[Step], folder: Path) -> tuple[State, Learnt]:
    """What was loaded, and what came of the last step after it."""
    learner = open_learner(recipe)
    learner.load(folder)
    return state_of(learner), learnt_by(learner, steps[-1:])


def state_of(learner: PolicyLearner) -> State:
    """Copies of weights and moments, put together."""
    state = {f"model.{name}": each for name, each in trained_tensors(learner.adapter.model).items()}
    for name, held in learner.optimizer.tensors().items():
        state |= {f"{name}.{kind}": each for kind, each in held.items()}
    return {name: whole(each.detach()).clone() for name, each in state.items()} | {
        "num_steps": torch.tensor(learner.optimizer.num_steps)
    }


def small_state(seed: int, *, is_sharded: bool) -> dict[str, State]:
    """A small module, whole or in shards of all ranks, and a moment beside each weight."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    if is_sharded:
        fully_shard(module, mesh=init_device_mesh("cpu", (distributed.get_world_size(),)))
    weights = module.state_dict()
    return {"model": weights, "moments": {name: each * 2 for name, each in weights.items()}}


def save_small(folder: Path, *, is_sharded: bool, seed: int = 1) -> None:
    StateFiles().save(folder, small_state(seed, is_sharded=is_sharded))


def load_small(folder: Path, *, is_sharded: bool) -> dict[str, State]:
    state = small_state(99, is_sharded=is_sharded)
    StateFiles().load(folder, state)
    return {part: {name: whole(each) for name, each in tensors.items()} for part, tensors in state.items()}


def refused_on_rank(failing: int, folder: Path) -> str:
    """What a rank hears where the disk of one of them refuses."""
    folder.mkdir(exist_ok=True)
    state = small_state(1, is_sharded=True)
    if rank() == failing:
        # The file that this rank would write is a folder.
        (folder / f"__{failing}_0.distcp").mkdir()
    try:
        StateFiles().save(folder, state)
    except OSError as error:
        return type(error).__name__
    return ""
