"""Chooses how training passes are run: compiled or not, and what becomes of the activations."""

import logging
from collections.abc import Sequence

import torch

from radrl.config.layout import Layout, layout_of
from radrl.config.schema import Config
from radrl.engines.memory import MemoryEstimate, Shards, estimate
from radrl.engines.metered import recipe_of, shape_if_known
from radrl.engines.shapes import ModelShape
from radrl.engines.work import Recipe
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.heads import TILE_LOGITS
from radrl.models.layers import Activations, LayerCalls

log = logging.getLogger(__name__)

ROOM = 0.9
"""Share of a device that may be planned for: the rest is the libraries' own, and gaps between tensors."""


def set_up_passes(adapter: ModelAdapter, config: Config) -> None:
    """Let an adapter run its layers in training as the configuration says, or as suits the device where it is `auto`.

    Raises ConfigError when compilation is asked for but the layers are not alike.
    """
    adapter.layer_calls = LayerCalls(
        layers=tuple(adapter.family.layers),
        is_compiled=_is_compiled(adapter, config),
        activations=_activations(adapter, config),
    )


def memory_of(config: Config, shape: ModelShape, recipe: Recipe) -> MemoryEstimate:
    """Memory of a run on one device, every prompt and completion as long as it may be."""
    data, actor, n = config.data, config.worker.actor, config.worker.rollout.n
    layout = layout_of(config)
    together = min(config.worker.rollout.max_sequences, -(-data.rollout_batch_size * n // layout.num_samplers))
    of_group = data.max_prompt_length + n * data.max_response_length
    return estimate(
        shape,
        recipe,
        micro_batch_tokens=-(-actor.micro_batch_tokens // layout.sequence_ranks),
        micro_batch_image_tokens=-(-actor.micro_batch_tokens // of_group) * most_image_tokens(config, shape),
        tile_logits=TILE_LOGITS,
        cached_tokens=0 if layout.sampler_gpus else together * (data.max_prompt_length + data.max_response_length),
        copied_params=_copied_params(config, shape, recipe, layout),
        optimizer_waits=actor.optim.offload,
        shards=_shards(config, shape, layout),
        has_critic=config.algorithm.adv_estimator == "gae",
    )


def _shards(config: Config, shape: ModelShape, layout: Layout) -> Shards | None:
    """How the policy is cut between ranks; None where each holds all of it."""
    if layout.sharding == "replicate":
        return None
    ahead = config.worker.actor.fsdp.prefetch
    at_once = 1 + ahead if layout.sharding == "full" else shape.decoder.num_layers
    return Shards(num=layout.shard_ranks, layers_at_once=at_once, keeps_gradients=layout.sharding == "zero1")


def most_image_tokens(config: Config, shape: ModelShape) -> int:
    """Tokens of an image of `data.max_pixels`, or of as many as the prompt has room for."""
    if shape.vision is None:
        return 0
    return min(config.data.max_pixels // shape.vision.pixels_per_token, config.data.max_prompt_length)


def _copied_params(config: Config, shape: ModelShape, recipe: Recipe, layout: Layout) -> int:
    """Weights held twice on the device: by a sampler of its own, and by a reference that is no switched-off adapter."""
    reference, rollout = config.worker.ref, config.worker.rollout
    is_switched = recipe.is_lora and reference.mode != "copy"
    has_copy = config.algorithm.kl_coef > 0 and not is_switched and not reference.offload
    is_beside = rollout.name != "native" and not layout.sampler_gpus
    own = -(-shape.params // rollout.tensor_parallel_size) if is_beside else 0
    return own + (-(-recipe.trained_params(shape) // layout.shard_ranks) if has_copy else 0)


def _is_compiled(adapter: ModelAdapter, config: Config) -> bool:
    wanted = config.worker.actor.use_torch_compile
    differing = _differing_layers(adapter)
    if wanted is True and differing:
        raise ConfigError(
            f"worker.actor.use_torch_compile is true, but the layers of this model are of several kinds "
            f"({', '.join(differing)}), and one compiled layer stands for all. Set it to auto or false."
        )
    if wanted != "auto":
        return wanted
    return adapter.device.type == "cuda" and not differing


def _differing_layers(adapter: ModelAdapter) -> Sequence[str]:
    """Kinds of layers of a decoder that has more than one; empty when all are alike."""
    kinds = sorted(set(getattr(adapter.family.language_model.config, "layer_types", None) or ()))
    return kinds if len(kinds) > 1 else ()


def _activations(adapter: ModelAdapter, config: Config) -> Activations:
    """Keep activations where they fit beside everything else, and compute them again where they do not."""
    wanted = config.worker.actor.activations
    if wanted != "auto":
        return wanted
    shape = shape_if_known(adapter)
    if adapter.device.type != "cuda" or shape is None:
        return "keep"
    room = ROOM * torch.cuda.get_device_properties(adapter.device).total_memory
    recipe = recipe_of(adapter, config.worker.actor.optim.strategy)
    needed = memory_of(config, shape, recipe).peak_bytes(recomputes=False)
    chosen = "keep" if needed <= room else "recompute"
    log.info("activations: %s; keeping them would take %.1f GiB of %.1f", chosen, needed / 2**30, room / 2**30)
    return chosen
