"""Which processes a run has and how the policy is spread over them, as far as the configuration alone says."""

from dataclasses import dataclass

from radrl.config.learning import Sharding
from radrl.config.schema import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The GPUs of a run.

    Example: CX-Mind on two nodes of eight GPUs: `Layout(num_nodes=2, ranks_per_node=8, sharding="full",
    shard_ranks=16, sequence_ranks=1, sampler_gpus=0)`
    """

    num_nodes: int
    ranks_per_node: int
    """Processes that train on each machine, one a GPU."""
    sharding: Sharding
    """replicate: every rank holds the whole policy."""
    shard_ranks: int
    """Ranks that hold one copy of the policy between them."""
    sequence_ranks: int
    """Ranks that share the rows of a pass."""
    sampler_gpus: int
    """GPUs that sampling has for itself; 0 where it takes turns with training."""

    @property
    def num_ranks(self) -> int:
        """Processes that train."""
        return self.num_nodes * self.ranks_per_node

    @property
    def num_samplers(self) -> int:
        """GPUs that sample at the same time."""
        return self.sampler_gpus or self.num_ranks


def layout_of(config: Config) -> Layout:
    """What the numbers of machines and GPUs come to."""
    trainer, actor, rollout = config.trainer, config.worker.actor, config.worker.rollout
    num_ranks = trainer.nnodes * trainer.n_gpus_per_node
    sharding = sharding_of(config)
    held_by = num_ranks if actor.fsdp.fsdp_size == -1 else actor.fsdp.fsdp_size
    return Layout(
        num_nodes=trainer.nnodes,
        ranks_per_node=trainer.n_gpus_per_node,
        sharding=sharding,
        shard_ranks=1 if sharding == "replicate" else held_by,
        sequence_ranks=actor.ulysses_size,
        sampler_gpus=rollout.num_gpus if rollout.placement == "apart" else 0,
    )


def sharding_of(config: Config) -> Sharding:
    """How the policy is held: one rank holds all of it, and so does each where adapters alone learn."""
    actor = config.worker.actor
    if config.trainer.nnodes * config.trainer.n_gpus_per_node == 1:
        return "replicate"
    if actor.fsdp.mode != "auto":
        return actor.fsdp.mode
    has_adapter = actor.model.lora.rank > 0 or actor.model.lora.path is not None
    return "replicate" if has_adapter and not actor.model.trainable else "full"
