"""The points of a grid: what each run is called, what it is told, and whether its data are there."""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.show import changed_keys
from radrl.config.sources import source_name
from radrl.config.sweep import Setting, SweepConfig
from radrl.errors import ConfigError

KEYS: Mapping[str, str] = {
    "lr": "worker.actor.optim.lr",
    "G": "worker.rollout.n",
    "beta": "algorithm.kl_coef",
    "seed": "trainer.seed",
}
"""Axis -> the key that it sets. Type and size set the training file."""

_PLACES = ("type", "size", "seed")
"""Axes that the name of a training file may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a sweep.

    Example: `Point(name="sft_lr4e-06_gen8_beta0.5_hard_uniform_1000_seed42", axes={"type": "hard_uniform", ...},
                    folder=Path("runs/sweep/sft_lr..."), args=("config=base.yaml", "worker.actor.optim.lr=4e-06", ...))`
    """

    name: str
    """Model and settings, fit for a file name."""
    axes: Mapping[str, Setting]
    """What was varied -> the value here."""
    folder: Path
    args: tuple[str, ...]
    """What `radrl train` is called with."""
    config: Config
    missing: str | None
    """Training file that is not there."""
    evaluation: tuple[str, ...] = ()
    """What `radrl evaluate` is called with afterwards, but for the model and the folder; nothing when empty."""

    @property
    def recipe(self) -> Mapping[str, Setting]:
        """Everything that was varied but the seed: runs that share it are the same recipe."""
        return {name: value for name, value in self.axes.items() if name != "seed"}


def build_points(sweep: SweepConfig) -> list[Point]:
    """Every combination, in order: arm, type, size, lr, G, beta, seed, and then the other keys.

    Raises ConfigError for a combination that `radrl train` would refuse, for two that are the same run, and for a run
    in the folder that was started with other values; all before anything is trained.
    """
    _check_files(sweep)
    axes = _axes(sweep)
    points = [_point(dict(zip(axes, values, strict=True)), sweep) for values in product(*(axes[name] for name in axes))]
    for first, second in _repeated(points):
        raise ConfigError(
            f"two runs of the sweep would be called {second.name}: {dict(first.axes)} and {dict(second.axes)}. "
            "Give each value once."
        )
    for point in points:
        if point.missing is None:
            _check(point, paths=not sweep.prepare)
    return points


def _axes(sweep: SweepConfig) -> dict[str, Sequence[Setting]]:
    given: dict[str, Sequence[Setting]] = {
        "arm": tuple(sweep.arms),
        "type": sweep.types,
        "size": sweep.sizes,
        "lr": sweep.lrs,
        "G": sweep.group_sizes,
        "beta": sweep.betas,
        "seed": sweep.seeds,
        **sweep.grid,
    }
    doubled = sorted(KEYS[name] for name in KEYS if given[name] and KEYS[name] in sweep.grid)
    if doubled:
        raise ConfigError(f"grid names {', '.join(doubled)}, which has a list of its own here. Remove one of the two.")
    return {name: values for name, values in given.items() if values}


def _point(axes: Mapping[str, Setting], sweep: SweepConfig) -> Point:
    told = {KEYS.get(name, name): value for name, value in axes.items() if name not in ("arm", "type", "size")}
    if sweep.files is not None:
        told["data.train_files"] = sweep.files.format(**{name: axes.get(name, "") for name in _PLACES})
    arm = sweep.arms.get(str(axes.get("arm")), ())
    shared = (
        *(f"config={file}" for file in sweep.base),
        *(filled(setting, out=sweep.out, seed=axes.get("seed")) for setting in (*sweep.settings, *arm)),
    )
    args = (*shared, *(f"{key}={_written(value)}" for key, value in told.items()))
    name = _name(load_config(Config, args).config, axes)
    folder = Path(sweep.out) / name
    args = (*args, f"trainer.save_checkpoint_path={folder}")
    return Point(
        name=name,
        axes=axes,
        folder=folder,
        args=args,
        config=load_config(Config, args).config,
        missing=_missing(told.get("data.train_files")),
        evaluation=tuple(filled(setting, out=sweep.out, seed=axes.get("seed")) for setting in sweep.evaluation),
    )


def filled(text: str, *, out: str, seed: Setting | None) -> str:
    """The text with the sweep's folder and the run's seed in their places."""
    if seed is None and "{seed}" in text:
        raise ConfigError(f"{text} has a place for the seed, and the sweep has no seeds. Give seeds.")
    return text.replace("{out}", out).replace("{seed}", str(seed))


def _name(config: Config, axes: Mapping[str, Setting]) -> str:
    """CheX-Phi4MM's name of a log, `{model}_lr{lr}_gen{G}_beta{beta}_{type}_{size}`, then the seed and other keys.

    An arm stands for its model and settings, and of the rest only what varies is named.
    """
    arm = axes.get("arm")
    settings = {
        "lr": f"lr{config.worker.actor.optim.lr:g}",
        "G": f"gen{config.worker.rollout.n}",
        "beta": f"beta{config.algorithm.kl_coef:g}",
    }
    parts = [
        Path(config.worker.actor.model.model_path or "model").name if arm is None else str(arm),
        *(text for name, text in settings.items() if arm is None or name in axes),
        *(str(axes[name]) for name in ("type", "size") if name in axes),
        f"seed{config.trainer.seed}",
        *(f"{key}={_written(value)}" for key, value in axes.items() if key not in (*KEYS, "arm", "type", "size")),
    ]
    return re.sub(r"[^\w.+=-]+", "-", "_".join(parts))


def _written(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _missing(source: Setting | None) -> str | None:
    if source is None:
        return None
    name = source_name(str(source))
    return None if name.is_local or name.may_be_on_hub else str(source)


def _check(point: Point, *, paths: bool) -> None:
    """What is prepared first cannot be looked for yet: then paths are left to the run."""
    try:
        check(point.config, paths=paths)
    except ConfigError as error:
        raise ConfigError(f"the run {point.name} cannot start:\n{error}") from error
    changed = changed_keys(point.config, point.folder / "config.yaml")
    if changed:
        raise ConfigError(
            f"the run in {point.folder} was started with other values of {', '.join(changed)}. Give the same values to "
            "go on with the sweep, or another out=."
        )


def _check_files(sweep: SweepConfig) -> None:
    """The pattern has a place for everything that is to vary in it, and for nothing else."""
    if sweep.files is None:
        if sweep.types or sweep.sizes:
            raise ConfigError(
                "types and sizes say which training files there are, and files is not given. Set files= to a pattern "
                "such as data/{type}/{size}.jsonl."
            )
        return
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(sweep.files) if name is not None}
    except ValueError as error:
        raise ConfigError(
            f"files = {sweep.files} cannot be read ({error}). Write {{type}}, {{size}}, {{seed}}."
        ) from error
    values = {"type": sweep.types, "size": sweep.sizes, "seed": sweep.seeds}
    for name in named:
        if name not in values or not values[name]:
            raise ConfigError(
                f"files = {sweep.files} has a place for {name!r}, which has no values. Give "
                f"{name + 's' if name in values else 'type, size or seed'}, or remove the place."
            )
    for name in ("type", "size"):
        if values[name] and name not in named:
            raise ConfigError(f"files = {sweep.files} has no place for {name}s. Write {{{name}}} into it.")


def _repeated(points: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    seen: dict[str, Point] = {}
    for point in points:
        if point.name in seen:
            yield seen[point.name], point
        seen[point.name] = point
