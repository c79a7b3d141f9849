"""`radrl train --plan`: placement, memory and floor of a configuration, from sizes alone. No device does anything."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from transformers import AutoConfig

from radrl.config.check import check
from radrl.config.layout import Layout, layout_of
from radrl.config.learning import ModelConfig, OptimConfig
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.engines.ceilings import Datasheet, datasheet_of, known_hardware
from radrl.engines.floor import Floor, critic_work, floor_of, longest_step, step_work, unshared_update
from radrl.engines.memory import MemoryEstimate
from radrl.engines.passes import ROOM, memory_of, most_image_tokens
from radrl.engines.shapes import ModelShape, shape_of
from radrl.engines.work import GroupLoad, Recipe, Trained, lora_params
from radrl.errors import ConfigError
from radrl.models.hub import model_folder
from radrl.progress import show_table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would take on each device, every prompt and completion as long as it may be."""

    placement: Mapping[str, str]
    memory: MemoryEstimate
    hardware: Datasheet | None
    """None where no GPU of the table is named or at hand: then there is no floor, and no verdict on the memory."""
    floors: Mapping[str, Floor]
    """Floor of each phase at the maker's figures; empty without hardware."""
    unshared: Floor | None
    """The update as trainers do it that pass a prompt once a completion."""

    def fits(self, *, recomputes: bool) -> bool | None:
        """Whether the memory suffices, with a tenth to spare; None where the hardware is not known."""
        if self.hardware is None:
            return None
        return self.memory.peak_bytes(recomputes=recomputes) <= ROOM * self.hardware.memory_gb * 1e9


def plan_from(args: Sequence[str]) -> None:
    """Print the plan of the run that `config=FILE` and `key=value` arguments describe."""
    loaded = load_config(Config, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    check(loaded.config, paths=False, origins=loaded.origins)
    for title, rows in plan_tables(make_plan(loaded.config)).items():
        show_table(title, rows)


def make_plan(config: Config) -> Plan:
    """Read the model's config and reckon. Raises ConfigError for a model that cannot be opened or is not known."""
    shape = shape_for(config)
    recipe = recipe_for(config, shape)
    data = config.data
    groups = longest_step(
        num_groups=data.rollout_batch_size,
        group_size=config.worker.rollout.n,
        prompt_tokens=data.max_prompt_length,
        image_tokens=most_image_tokens(config, shape),
        completion_tokens=data.max_response_length,
    )
    own_sampler = config.worker.rollout.name != "native"
    has_reference = config.algorithm.kl_coef > 0
    memory = memory_of(config, shape, recipe)
    hardware = _hardware(config)
    floors: Mapping[str, Floor] = {}
    unshared = None
    if hardware is not None:
        layout = layout_of(config)
        ways = {"has_reference": has_reference, "own_sampler": own_sampler, "num_shards": layout.shard_ranks}
        phases = dict(step_work(shape, share_of(groups, layout.num_ranks), recipe, **ways))
        phases["gen"] = step_work(shape, share_of(groups, layout.num_samplers), recipe, **ways)["gen"]
        if config.algorithm.adv_estimator == "gae":
            phases |= critic_work(
                critic_for(config, shape), share_of(groups, layout.num_ranks), num_shards=layout.shard_ranks
            )
        floors = {phase: floor_of(pieces, hardware.ceilings) for phase, pieces in phases.items()}
        alone = unshared_update(shape, share_of(groups, layout.num_ranks), replace(recipe, recomputes=True))
        unshared = floor_of(alone, hardware.ceilings)
    return Plan(
        placement=_placement(config, own_sampler=own_sampler),
        memory=memory,
        hardware=hardware,
        floors=floors,
        unshared=unshared,
    )


def share_of(groups: Sequence[GroupLoad], num_shares: int) -> Sequence[GroupLoad]:
    """The groups of the rank with the most of them, when they are all alike."""
    return groups[: -(-len(groups) // num_shares)]


def plan_tables(plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """The plan as titled tables of rows."""
    tables: dict[str, Mapping[str, str]] = {
        "placement": plan.placement,
        "memory of each device": _memory_rows(plan),
    }
    if plan.hardware is None:
        tables["floor of a step"] = {
            "unknown": "no GPU of the table is named or at hand; set trainer.hardware to one of "
            f"{', '.join(known_hardware())}"
        }
        return tables
    rows = {phase: _times(floor.seconds, floor.seconds_at_half) for phase, floor in plan.floors.items()}
    whole = sum(floor.seconds for floor in plan.floors.values())
    rows["step"] = _times(whole, sum(floor.seconds_at_half for floor in plan.floors.values()))
    if plan.unshared is not None:
        rows["update, prompts not shared"] = _times(plan.unshared.seconds, plan.unshared.seconds_at_half)
    tables[f"floor of a step at its longest, on {plan.hardware.name} by its datasheet"] = rows
    return tables


def recipe_for(config: Config, shape: ModelShape) -> Recipe:
    """What of the policy will learn, as far as the configuration says."""
    actor = config.worker.actor
    return _recipe(config, shape, actor.model, actor.optim)


def critic_for(config: Config, shape: ModelShape) -> Trained:
    """A critic of the policy's size, and what of it will learn."""
    critic = config.worker.critic
    recipe = _recipe(config, shape, critic.starts_from(config.worker.actor), critic.optim)
    return Trained(shape=shape.as_critic, recipe=recipe)


def _recipe(config: Config, shape: ModelShape, model: ModelConfig, optim: OptimConfig) -> Recipe:
    """What will learn of a model; patterns of `trainable` and `frozen` are not looked at."""
    rank = model.lora.rank
    return Recipe.of(
        adapter_params=lora_params(shape.decoder, rank=rank),
        trains_vision=shape.vision is not None and not model.freeze_vision_tower and not rank,
        weight_bytes=4 if config.trainer.dtype == "float32" else 2,
        strategy=optim.strategy,
    )


def _memory_rows(plan: Plan) -> Mapping[str, str]:
    rows = {name.replace("_", " "): _size(num) for name, num in plan.memory.components().items()}
    for recomputes, title in ((False, "at most"), (True, "at most, activations recomputed")):
        fits = plan.fits(recomputes=recomputes)
        verdict = "" if fits is None or plan.hardware is None else _verdict(plan.hardware, fits=fits)
        rows[title] = _size(plan.memory.peak_bytes(recomputes=recomputes)) + verdict
    return rows


def _verdict(hardware: Datasheet, *, fits: bool) -> str:
    room = f"{hardware.memory_gb * 1e9 / 2**30:.0f} GiB of an {hardware.name}, a tenth left free"
    return f": {'fits' if fits else 'does not fit'} the {room}"


def _times(seconds: float, at_half: float) -> str:
    """Two times in the unit that suits them."""
    unit, scale = ("s", 1.0) if seconds >= 0.1 else ("ms", 1e3) if seconds >= 1e-4 else ("us", 1e6)
    return f"{seconds * scale:.2f} {unit}, {at_half * scale:.2f} {unit} at half"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f} GiB" if num_bytes >= 2**28 else f"{num_bytes / 2**20:.1f} MiB"


def _placement(config: Config, *, own_sampler: bool) -> Mapping[str, str]:
    layout, rollout = layout_of(config), config.worker.rollout
    rows = {
        "devices": f"{layout.num_nodes} x {layout.ranks_per_node} = {layout.num_ranks}",
        **{f"node {node}": _ranks(node, layout) for node in range(layout.num_nodes) if layout.num_ranks > 1},
        "policy": _policy_place(layout),
        "sampler": f"{rollout.name}, {_sampler_place(layout)}, "
        + ("its own weights" if own_sampler else "the policy's weights")
        + (f", a copy over {rollout.tensor_parallel_size} GPUs" if rollout.tensor_parallel_size > 1 else ""),
        "reference": "none" if config.algorithm.kl_coef == 0 else "where the policy is",
    }
    if config.algorithm.adv_estimator == "gae":
        rows["critic"] = "where the policy is"
    if layout.num_ranks > 1:
        rows["the run's own process"] = "wherever the command is given; it needs no GPU"
    return rows


def _ranks(node: int, layout: Layout) -> str:
    first = node * layout.ranks_per_node
    return f"ranks {first} to {first + layout.ranks_per_node - 1}, one a GPU"


def _policy_place(layout: Layout) -> str:
    if layout.num_ranks == 1:
        return "whole on the one device"
    if layout.sharding == "replicate":
        return f"whole on every GPU; gradients are summed over {layout.num_ranks} once a step"
    copies = layout.num_ranks // layout.shard_ranks
    kept = {
        "full": "a layer gathered at a time",
        "zero2": "weights stay gathered until the backward pass",
        "zero1": "weights and gradients are whole within a step",
    }[layout.sharding]
    return (
        f"in shards over {layout.shard_ranks} GPUs, {kept}"
        + (f"; {copies} such copies" if copies > 1 else "")
        + (f"; {layout.sequence_ranks} GPUs share the rows of a pass" if layout.sequence_ranks > 1 else "")
    )


def _sampler_place(layout: Layout) -> str:
    if layout.sampler_gpus:
        return f"on {layout.sampler_gpus} GPUs of its own"
    return "on the same GPUs, in turn" if layout.num_ranks > 1 else "on the same device"


def shape_for(config: Config) -> ModelShape:
    """Sizes of the policy, from its config alone. Raises ConfigError where that cannot be read."""
    model = config.worker.actor.model
    try:
        source = model_folder(model.model_path, weights=False)
        return shape_of(AutoConfig.from_pretrained(source, trust_remote_code=model.trust_remote_code))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the config of a model at {model.model_path!r}: {error} Set worker.actor.model.model_path."
        ) from error


def _hardware(config: Config) -> Datasheet | None:
    """The GPU that the configuration names, else the one at hand."""
    if config.trainer.hardware is not None:
        found = datasheet_of(config.trainer.hardware)
        if found is None:
            raise ConfigError(
                f"trainer.hardware = {config.trainer.hardware} is not in the table of GPUs. Name one of "
                f"{', '.join(known_hardware())}."
            )
        return found
    return datasheet_of(torch.cuda.get_device_name()) if torch.cuda.is_available() else None
