"""`radrl train --plan`: placement, memory and floor of a configuration, from sizes alone. No device does anything."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from transformers import AutoConfig

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.engines.ceilings import Datasheet, datasheet_of, known_hardware
from radrl.engines.floor import Floor, floor_of, longest_step, step_work, unshared_update
from radrl.engines.memory import MemoryEstimate
from radrl.engines.passes import ROOM, memory_of, most_image_tokens
from radrl.engines.shapes import ModelShape, shape_of
from radrl.engines.work import Recipe, lora_params
from radrl.errors import ConfigError
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
    shape = _shape(config)
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
        phases = step_work(shape, groups, recipe, has_reference=has_reference, own_sampler=own_sampler)
        floors = {phase: floor_of(pieces, hardware.ceilings) for phase, pieces in phases.items()}
        unshared = floor_of(unshared_update(shape, groups, replace(recipe, recomputes=True)), hardware.ceilings)
    return Plan(
        placement=_placement(config, own_sampler=own_sampler),
        memory=memory,
        hardware=hardware,
        floors=floors,
        unshared=unshared,
    )


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
    """What will learn, as far as the configuration says; patterns of `trainable` and `frozen` are not looked at."""
    model = config.worker.actor.model
    rank = model.lora.rank
    return Recipe.of(
        adapter_params=lora_params(shape.decoder, rank=rank),
        trains_vision=shape.vision is not None and not model.freeze_vision_tower and not rank,
        weight_bytes=4 if config.trainer.dtype == "float32" else 2,
        strategy=config.worker.actor.optim.strategy,
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
    trainer = config.trainer
    num = trainer.nnodes * trainer.n_gpus_per_node
    return {
        "devices": f"{trainer.nnodes} x {trainer.n_gpus_per_node} = {num}",
        "policy": "whole on every device" if num > 1 else "whole on the one device",
        "sampler": f"{config.worker.rollout.name}, " + ("its own weights" if own_sampler else "the policy's weights"),
        "reference": "none" if config.algorithm.kl_coef == 0 else "on the same device",
    }


def _shape(config: Config) -> ModelShape:
    model = config.worker.actor.model
    try:
        return shape_of(AutoConfig.from_pretrained(model.model_path, trust_remote_code=model.trust_remote_code))
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
