"""Which weights learn: chosen by patterns of parameter names, shown as a table, and checked behind a forward pass."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table
from torch import nn

from radrl.config.learning import ModelConfig
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.lora import active_adapters, attach_lora, is_adapter_weight, load_lora

NUM_NEAR_NAMES = 3
TRAINABLE, FROZEN = "worker.actor.model.trainable", "worker.actor.model.frozen"


def prepare_training(adapter: ModelAdapter, config: ModelConfig, *, seed: int) -> None:
    """Attach the adapter that is asked for, and set which weights learn. What the policy computes stays the same."""
    lora = config.lora
    if lora.path is not None:
        load_lora(adapter.model, Path(lora.path), name=lora.name)
    elif lora.rank:
        attach_lora(
            adapter.model,
            targets=lora.targets or adapter.family.lora_targets,
            rank=lora.rank,
            alpha=lora.alpha,
            name=lora.name,
            seed=seed,
        )
    choose_trained(
        adapter.model,
        trainable=config.trainable,
        frozen=config.frozen,
        adapters=(lora.name,) if lora.path is not None or lora.rank else active_adapters(adapter.model),
        held=adapter.family.vision_tower if config.freeze_vision_tower else None,
    )


def choose_trained(
    model: nn.Module,
    *,
    trainable: Sequence[str] = (),
    frozen: Sequence[str] = (),
    adapters: Sequence[str] = (),
    held: nn.Module | None = None,
) -> frozenset[str]:
    """Set which parameters learn, and return their names.

    Those that match a pattern of `trainable`; without any, those of `adapters`, and without these everything. Taken
    away are those that match a pattern of `frozen`, and those of the module `held`. Patterns are regular expressions
    that may match anywhere in a name.

    Raises ConfigError for a pattern that matches nothing, with the names nearest to it, and when nothing learns.

    Example: `trainable=(r"lora_[AB]\\.vision", "embed_tokens")` is what the Phi-4 recipe means to train; its head
    is tied to the embedding and has that name.
    """
    names = [name for name, _ in model.named_parameters()]
    chosen = _matching(names, trainable, key=TRAINABLE) if trainable else _at_first(names, adapters)
    chosen -= _matching(names, frozen, key=FROZEN)
    chosen -= _names_within(model, held)
    if not chosen:
        raise ConfigError(
            f"no weight learns: {TRAINABLE} = {list(trainable)} and {FROZEN} = {list(frozen)} leave none, "
            f"{'with the vision tower frozen' if held is not None else 'of all'}. Widen the first or narrow the second."
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)
    return frozenset(chosen)


def trained_names(model: nn.Module) -> frozenset[str]:
    """Names of the parameters that learn."""
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def check_frozen(model: nn.Module, trained: frozenset[str]) -> None:
    """Raise ConfigError if other parameters learn now than were chosen.

    Code that switches adapters within a forward pass may do that: PEFT's `set_adapter` lets all weights of the new one
    learn.
    """
    now = trained_names(model)
    started, stopped = sorted(now - trained), sorted(trained - now)
    if started or stopped:
        raise ConfigError(
            f"the model's forward pass changed which weights learn: {len(started)} began ({_first(started)}) and "
            f"{len(stopped)} ceased ({_first(stopped)}), against what {TRAINABLE}, {FROZEN} and "
            "worker.actor.model.lora chose. Open the model without code that switches adapters."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRow:
    """Parameters whose names differ only in the number of their layer, or as the two factors of an adapter do.

    Example: `WeightRow(pattern="model.layers.*.mlp.up_proj.weight", num_tensors=36, num_weights=811_597_824,
    dtype="bfloat16")`
    """

    pattern: str
    num_tensors: int
    num_weights: int
    dtype: str


def trained_rows(model: nn.Module) -> tuple[WeightRow, ...]:
    """What learns, in the order of the model."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            pattern = re.sub(r"\.lora_[AB]\.", ".lora_[AB].", re.sub(r"\.\d+\.", ".*.", name))
            groups.setdefault((pattern, str(parameter.dtype).removeprefix("torch.")), []).append(parameter.numel())
    return tuple(
        WeightRow(pattern=pattern, num_tensors=len(sizes), num_weights=sum(sizes), dtype=dtype)
        for (pattern, dtype), sizes in groups.items()
    )


def trained_table(model: nn.Module) -> Table:
    """The rows for people, with what they are of the whole."""
    rows = trained_rows(model)
    total = sum(parameter.numel() for parameter in model.parameters())
    learning = sum(row.num_weights for row in rows)
    table = Table(Column("what learns", overflow="fold"), "tensors", "weights", "type", title_justify="left")
    for row in rows:
        table.add_row(escape(row.pattern), str(row.num_tensors), f"{row.num_weights:,}", row.dtype)
    table.add_section()
    num_tensors = sum(row.num_tensors for row in rows)
    table.add_row(f"in all, {learning / total:.2%} of {total:,} weights", str(num_tensors), f"{learning:,}", "")
    return table


def _at_first(names: Sequence[str], adapters: Sequence[str]) -> set[str]:
    """What learns when nobody names it."""
    if not adapters:
        return set(names)
    parts = [f".{name}." for name in adapters]
    return {name for name in names if is_adapter_weight(name) and any(part in name for part in parts)}


def _matching(names: Sequence[str], patterns: Iterable[str], *, key: str) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"{key} has {pattern!r}, which is no regular expression: {error}. Mend it.") from error
        matching = {name for name in names if expression.search(name)}
        if not matching:
            raise ConfigError(
                f"{key} has {pattern!r}, which matches no weight of the model. Near it are "
                f"{', '.join(_near(pattern, names))}. Mend the pattern, or leave it out."
            )
        found |= matching
    return found


def _near(pattern: str, names: Sequence[str]) -> list[str]:
    """Names that look most like a pattern, one for all layers."""
    known = list(dict.fromkeys(re.sub(r"\.\d+\.", ".*.", name) for name in names))
    plain = pattern.replace("\\", "")

    def likeness(name: str) -> float:
        parts = [name, *name.split("."), name.rpartition(".")[0]]
        return max(difflib.SequenceMatcher(None, plain, part).ratio() for part in parts)

    return sorted(known, key=likeness, reverse=True)[:NUM_NEAR_NAMES]


def _names_within(model: nn.Module, part: nn.Module | None) -> set[str]:
    held = {id(parameter) for parameter in part.parameters()} if part is not None else set()
    return {name for name, parameter in model.named_parameters() if id(parameter) in held}


def _first(names: Sequence[str]) -> str:
    return names[0] if names else "none"
