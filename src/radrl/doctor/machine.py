"""What a run takes of this machine: GPUs, memory, disk."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from radrl.config.layout import layout_of
from radrl.config.schema import Config
from radrl.doctor.findings import Finding
from radrl.engines.passes import ROOM
from radrl.errors import RadrlError
from radrl.plan import make_plan, recipe_for, shape_for

_GIB = 2**30
_FEWEST_KEPT = 2
"""Checkpoints on the disk at once, at least, where a run writes several: the last, and the one being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What this machine has.

    Example: two H200 with 141 GB each: `Room(gpus=("NVIDIA H200",) * 2, gpu_bytes=150e9, host_bytes=2e12, ...)`
    """

    gpus: tuple[str, ...]
    gpu_bytes: int
    """Memory of the smallest GPU; 0 without any."""
    host_bytes: int
    """Memory that programs could have now."""
    disk_bytes: int
    """Free where the run's folder will be."""


def look_around(folder: Path) -> Room:
    """Measure the machine; `folder` is where the run will write, and need not be there yet."""
    devices = range(torch.cuda.device_count())
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return Room(
        gpus=tuple(torch.cuda.get_device_name(device) for device in devices),
        gpu_bytes=min((torch.cuda.get_device_properties(device).total_memory for device in devices), default=0),
        host_bytes=psutil.virtual_memory().available,
        disk_bytes=shutil.disk_usage(there).free,
    )


def machine_findings(config: Config, room: Room, *, folder: Path) -> Iterator[Finding]:
    """Whether this machine has what a run takes. Other machines of a cluster are not looked at."""
    yield _gpus(config, room)
    try:
        yield _memory(config, room)
        yield _disk(config, room, folder=folder)
    except RadrlError as error:
        yield Finding(what="memory and disk", status="missing", found=str(error), advice="see there")


def _gpus(config: Config, room: Room) -> Finding:
    trainer, layout = config.trainer, layout_of(config)
    wanted = layout.ranks_per_node + -(-layout.sampler_gpus // layout.num_nodes)
    found = f"{len(room.gpus)} ({', '.join(dict.fromkeys(room.gpus))})" if room.gpus else "none"
    what = f"GPUs: {wanted}" + (f" on each of {layout.num_nodes} machines" if layout.num_nodes > 1 else "")
    on_cpu = trainer.device == "cpu" or (trainer.device == "auto" and not room.gpus)
    if trainer.device == "cpu":
        return Finding(what="GPUs: 0", status="ok", found="trainer.device is cpu")
    if on_cpu and config.worker.rollout.name != "vllm":
        return Finding(what=what, status="note", found=f"{found}: the run is on the processor, which suits tiny models")
    if len(room.gpus) < wanted:
        advice = "lower trainer.n_gpus_per_node, or use a machine that has them; CUDA_VISIBLE_DEVICES may hide some"
        return Finding(what=what, status="missing", found=found, advice=advice)
    return Finding(what=what, status="ok", found=found)


def _memory(config: Config, room: Room) -> Finding:
    plan = make_plan(config)
    on_gpu = config.trainer.device != "cpu" and bool(room.gpus)
    have = room.gpu_bytes if on_gpu else room.host_bytes
    if config.trainer.hardware is not None and plan.hardware is not None:
        have, place = int(plan.hardware.memory_gb * 1e9), f"an {plan.hardware.name}"
    else:
        place = "the GPU" if on_gpu else "the host"
    all_kept, recomputed = (plan.memory.peak_bytes(recomputes=each) for each in (False, True))
    what = f"memory of {place}: at most {all_kept / _GIB:.1f} GiB, {recomputed / _GIB:.1f} if recomputed"
    found = f"{have / _GIB:.1f} GiB"
    if recomputed > ROOM * have:
        advice = (
            "lower worker.actor.micro_batch_tokens, learn a LoRA, or use more GPUs; `radrl train --plan` has the parts"
        )
        return Finding(what=what, status="missing", found=found, advice=advice)
    if all_kept > ROOM * have:
        return Finding(what=what, status="note", found=f"{found}: activations will be recomputed, which takes longer")
    return Finding(what=what, status="ok", found=found)


def _disk(config: Config, room: Room, *, folder: Path) -> Finding:
    wanted = num_checkpoints(config) * checkpoint_bytes(config)
    what = f"disk for {num_checkpoints(config)} checkpoints in {folder}: {wanted / _GIB:.1f} GiB"
    found = f"{room.disk_bytes / _GIB:.1f} GiB free"
    if wanted > room.disk_bytes:
        advice = "free some, set trainer.save_checkpoint_path to another disk, or lower trainer.save_limit"
        return Finding(what=what, status="missing", found=found, advice=advice)
    if config.trainer.save_freq > 0 and config.trainer.save_limit == -1:
        return Finding(what=what, status="note", found=f"{found}; every checkpoint is kept: set trainer.save_limit")
    return Finding(what=what, status="ok", found=found)


def num_checkpoints(config: Config) -> int:
    """Checkpoints that are on the disk at the same time, the best one and the one being written among them."""
    trainer = config.trainer
    if trainer.save_freq <= 0:
        return 1
    return max(trainer.save_limit + 1, 1) + 1 if trainer.save_limit > 0 else _FEWEST_KEPT


def checkpoint_bytes(config: Config) -> int:
    """A checkpoint: what learns, or the whole model where its own weights do, and the optimizer's state."""
    shape = shape_for(config)
    recipe = recipe_for(config, shape)
    trained = recipe.trained_params(shape)
    weights = trained * 4 if recipe.is_lora else shape.params * recipe.weight_bytes
    return weights + (0 if config.trainer.save_model_only else trained * recipe.state_bytes)
