"""What is done on every rank, and in one process to compare with: a policy is opened, learns, scores and samples."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from radrl.algorithms.objective import Objective
from radrl.batch import Batch
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.engines.learner import PolicyLearner
from radrl.engines.native import NativeSampler
from radrl.engines.passes import set_up_passes
from radrl.engines.ranks import open_parallel
from radrl.engines.reference import open_reference
from radrl.engines.sharded import Sharded
from radrl.models import lora, shards
from radrl.models.freezing import prepare_training, trained_names
from radrl.models.load import load_adapter
from radrl.models.lora import merged_tensors
from radrl.models.shards import own_part, whole, whole_together
from radrl.roles import Sampling
from radrl.types import Prompt

QUESTIONS = ("Is there a left pleural effusion?", "Is the heart enlarged?", "Where is the opacity?", "Is there a rib?")
PIXELS = {"min_pixels": 96 * 64, "max_pixels": 96 * 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A policy and how it is trained."""

    folder: Path
    args: tuple[str, ...] = ()
    is_always_sharded: bool = False
    """Whether a single rank goes the way of many: there may be one GPU only."""

    def config(self) -> Config:
        return load_config(Config, ["trainer.device=cpu", "worker.actor.optim.lr=0.05", *self.args]).config


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The parts of the batch of an optimizer step, by rank, and what they minimise."""

    parts: tuple[Batch, ...]
    objective: Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What came of some steps."""

    metrics: list[dict[str, float]]
    weights: dict[str, Tensor]
    """All of what learns."""
    held: list[tuple[str, int]]
    """Type of what this rank holds of each weight that learns, and how many numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rested:
    """What was seen of weights that waited on the CPU."""

    places: set[str]
    bytes_held: int
    """Of this rank's part of the weights."""
    bytes_before: int
    bytes_meanwhile: int
    before: Tensor
    """Log-probabilities before ..."""
    after: Tensor
    """... and after."""


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def open_learner(recipe: Recipe) -> PolicyLearner:
    """Rank 0 reads the weights, and nobody else does."""
    config = recipe.config()
    adapter = load_adapter(
        recipe.folder,
        device=config.trainer.device,
        dtype=config.trainer.dtype,
        attention=config.worker.actor.attention,
        weights=rank() == 0,
        on_host=True,
        freeze_vision_tower=config.worker.actor.model.freeze_vision_tower,
        **(PIXELS if "qwen" in recipe.folder.name else {}),
    )
    prepare_training(adapter, config.worker.actor.model, seed=0)
    set_up_passes(adapter, config)
    if recipe.is_always_sharded:
        parallel = Sharded(adapter, config.worker.actor.fsdp, held=torch.float32)
    else:
        parallel = open_parallel(adapter, config.worker.actor)
    return PolicyLearner(adapter, config.worker.actor, total_updates=3, parallel=parallel)


def own(parts: Sequence[Batch]) -> Batch:
    return parts[rank()]


def learn(recipe: Recipe, steps: Sequence[Step]) -> Learnt:
    return learnt_by(open_learner(recipe), steps)


def learnt_by(learner: PolicyLearner, steps: Sequence[Step]) -> Learnt:
    metrics = [dict(learner.learn([own(step.parts)], step.objective, epochs=1)) for step in steps]
    model = learner.adapter.model
    trained = {name: each for name, each in model.named_parameters() if name in trained_names(model)}
    return Learnt(
        metrics=metrics,
        weights={name: whole(each.detach()).cpu().clone() for name, each in trained.items()},
        held=[(str(own_part(each).dtype), own_part(each).numel()) for each in trained.values()],
    )


def learn_and_look(recipe: Recipe, steps: Sequence[Step], prompts: Sequence[Prompt], sampling: Sampling) -> dict:
    """After some steps: what policy and reference think of a batch, what is written, and what a sampler is sent."""
    learner = open_learner(recipe)
    reference = open_reference(learner.adapter, recipe.config(), parallel=learner.parallel)
    first = own(steps[0].parts)
    seen = {"start": learner.logprobs(first)}
    learnt = learnt_by(learner, steps)
    seen["reference"] = reference.logprobs(first)
    seen["policy"] = learner.logprobs(first)
    sampler = NativeSampler(learner.adapter, max_sequences=8, parallel=learner.parallel)
    # Rank 1 writes for two prompts less, and so calls the layers half as often.
    groups = sampler.generate(prompts[2 * rank() :], dataclasses.replace(sampling, first=2 * rank()))
    seen["written"] = [[completion.token_ids for completion in group] for group in groups]
    seen["after"] = learner.logprobs(first)
    seen["merged"] = dict(merged_tensors(learner.adapter.model))
    return seen | {"weights": learnt.weights}


def rest(recipe: Recipe, parts: Sequence[Batch]) -> Rested:
    """Let the weights wait on the CPU after a step, and come back for another."""
    learner = open_learner(recipe)
    weights = [own_part(each) for each in learner.adapter.model.parameters()]
    held = sum(each.numel() * each.element_size() for each in weights)
    del weights
    before, on_gpu = learner.logprobs(own(parts)), torch.cuda.memory_allocated()
    with learner.parallel.resting():
        places = {own_part(each).device.type for each in learner.adapter.model.parameters()}
        meanwhile = torch.cuda.memory_allocated()
    return Rested(
        places=places,
        bytes_held=held,
        bytes_before=on_gpu,
        bytes_meanwhile=meanwhile,
        before=before,
        after=learner.logprobs(own(parts)),
    )


def error_of(recipe: Recipe) -> str:
    """The message of the error that opening a policy ends in."""
    try:
        open_learner(recipe)
    except ValueError as error:
        return str(error)
    return ""


def logprobs(recipe: Recipe, parts: Sequence[Batch]) -> Tensor:
    return open_learner(recipe).logprobs(own(parts))


def wholes(mesh_shape: tuple[int, ...]) -> tuple[list[Tensor], list[Tensor], int]:
    """Tensors of every kind put together at once and one by one, and in how many exchanges the former came."""
    mesh = init_device_mesh("cpu", mesh_shape)
    along_rows, along_columns, copies = Shard(0), Shard(1), Replicate()
    before = [copies] * (len(mesh_shape) - 1)

    def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)

    tensors = [
        distribute_tensor(numbers(5, 3), mesh, [*before, along_rows]),
        numbers(2, 2),
        distribute_tensor(numbers(1, 4), mesh, [*before, along_rows]),
        distribute_tensor(numbers(6, dtype=torch.bfloat16), mesh, [*before, along_rows]),
        distribute_tensor(numbers(4, 5, 2), mesh, [*before, along_rows]),
        distribute_tensor(numbers(3, 4), mesh, [*before, along_columns]),
        distribute_tensor(numbers(3), mesh, [*before, copies]),
    ]
    exchange, num_exchanges = shards.all_gather_single, 0

    def counted(*args, **options):
        nonlocal num_exchanges
        num_exchanges += 1
        return exchange(*args, **options)

    shards.all_gather_single = counted
    try:
        together = whole_together(tensors)
    finally:
        shards.all_gather_single = exchange
    return together, [each.full_tensor() if isinstance(each, DTensor) else each for each in tensors], num_exchanges


def merged_in_runs(recipe: Recipe, at_once: int) -> tuple[dict[str, Tensor], list[int]]:
    """A policy's merged weights in bfloat16, and how many tensors were put together at a time."""
    model, sizes = open_learner(recipe).adapter.model, []
    for layer in lora.lora_layers(model).values():
        torch.nn.init.constant_(layer.b(lora.DEFAULT), 0.01)
    given, lora.GATHERED_BYTES = lora.GATHERED_BYTES, at_once
    together = lora.whole_together

    def noted(tensors: Sequence[Tensor]) -> list[Tensor]:
        sizes.append(len(tensors))
        return together(tensors)

    lora.whole_together = noted
    try:
        return dict(merged_tensors(model, dtype=torch.bfloat16)), sizes
    finally:
        lora.GATHERED_BYTES, lora.whole_together = given, together


def equal_start_error(recipe: Recipe) -> str:
    """What is said where every rank reads the weights itself and one of them has others."""
    from radrl.engines.replicated import Replicated

    adapter = load_adapter(recipe.folder, device="cpu")
    prepare_training(adapter, recipe.config().worker.actor.model, seed=rank())
    try:
        Replicated(adapter.model)
    except ValueError as error:
        return str(error)
    return ""
