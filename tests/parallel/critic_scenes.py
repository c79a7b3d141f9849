"""What is done with a critic on every rank, and in one process to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scenes import PIXELS, Recipe, Step, own, rank
from torch import Tensor

from radrl.batch import Batch
from radrl.engines.critic import open_critic_learner
from radrl.engines.ranks import open_parallel
from radrl.models.freezing import prepare_training, trained_names
from radrl.models.load import load_adapter
from radrl.models.shards import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticLearnt:
    """What came of some steps."""

    metrics: list[dict[str, float]]
    values: Tensor
    """Of this rank's part of the first step, before any step and after all of them."""
    weights: dict[str, Tensor]
    shared_bytes: int
    """Memory of the policy that the critic uses too."""


def learn_values(recipe: Recipe, steps: Sequence[Step]) -> CriticLearnt:
    """Open a critic beside a policy, as a run does, and let it learn made-up returns."""
    config = recipe.config()
    config = config.model_copy(update={"data": config.data.model_copy(update=PIXELS)})
    model = config.worker.actor.model.model_copy(update={"model_path": str(recipe.folder)})
    actor = config.worker.actor.model_copy(update={"model": model})
    config = config.model_copy(update={"worker": config.worker.model_copy(update={"actor": actor})})
    policy = load_adapter(recipe.folder, device="cpu", weights=rank() == 0, on_host=True, **PIXELS)
    prepare_training(policy, model, seed=0)
    open_parallel(policy, actor)
    learner = open_critic_learner(config, policy, total_steps=3)
    first = own(steps[0].parts)
    before = learner.values(first)
    metrics = [dict(learner.learn([_credited(learner, own(step.parts))], epochs=1)) for step in steps]
    trained = {name: each for name, each in learner.module.named_parameters() if name in trained_names(learner.module)}
    of_policy = {each.data_ptr() for each in policy.model.parameters()}
    shared = [each for each in learner.adapter.model.parameters() if each.data_ptr() in of_policy]
    return CriticLearnt(
        metrics=metrics,
        values=torch.stack([before, learner.values(first)]),
        weights={name: whole(each.detach()).clone() for name, each in trained.items()},
        shared_bytes=sum(each.numel() * each.element_size() for each in shared),
    )


def _credited(learner, batch: Batch) -> Batch:
    return batch.replace(values=learner.values(batch), returns=batch.advantages + 1)
