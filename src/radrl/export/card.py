"""The model card that goes with an exported model: what it is, what it was trained on, and how."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from radrl import __version__
from radrl.config.schema import Config
from radrl.export.source import Source
from radrl.jsonl import read_jsonl

NOTICE = (
    "**Research software, not for clinical use.** The model is no medical device, and no study of patients says what "
    "its answers are worth. Do not use it to diagnose, to treat or to triage."
)


def model_card(
    source: Source, *, base: str | None, is_adapter: bool, checks: Mapping[str, str], reads_images: bool
) -> str:
    """Write the README.md of a model folder. It names files of training data, and quotes none of them."""
    config = source.config()
    sections = [
        _front_matter(base, is_adapter=is_adapter, reads_images=reads_images),
        f"# {config.trainer.experiment_name if config else source.folder.name}",
        NOTICE,
        _origin(source, base, is_adapter=is_adapter),
        _section("Training", _training(config) if config else []),
        _section("Validation", _validation(source)),
        _section("Export", [f"{name}: {value}" for name, value in checks.items()]),
        _licence(base),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(base: str | None, *, is_adapter: bool, reads_images: bool) -> str:
    lines = [
        "---",
        f"library_name: {'peft' if is_adapter else 'transformers'}",
        f"pipeline_tag: {'image-text-to-text' if reads_images else 'text-generation'}",
        "tags: [radrl, radiology, reinforcement-learning, research-only]",
    ]
    if base is not None and not Path(base).exists():
        lines.append(f"base_model: {base}")
    return "\n".join([*lines, "---"])


def _origin(source: Source, base: str | None, *, is_adapter: bool) -> str:
    of_what = f" of {_shown(base)}" if base else ""
    when = f" after step {source.step}" if source.step is not None else ""
    kind = f"LoRA adapters{of_what}, saved{when}" if is_adapter else f"A trained version{of_what}, saved{when}"
    return f"{kind}. Trained and exported with radrl {__version__}."


def _training(config: Config) -> list[str]:
    algorithm, actor, rollout = config.algorithm, config.worker.actor, config.worker.rollout
    optim = actor.optim
    stages = config.curriculum.stages
    files = [*config.data.train_files, *(file for stage in stages for file in stage.data.train_files)]
    rewards = [*config.rewards, *(reward for stage in stages for reward in stage.rewards)]
    lora = actor.model.lora
    lines = [
        f"data: {_names(Path(file.partition('@')[0]).name for file in files)}",
        f"stages: {', '.join(stage.name for stage in stages)}" if stages else "",
        f"advantages: {algorithm.adv_estimator}, groups of {rollout.n}, temperature {rollout.temperature:g}",
        f"KL coefficient: {algorithm.kl_coef:g}",
        f"rewards: {_names(f'{reward.name} x {reward.weight:g}' for reward in rewards)}",
        f"optimizer: {optim.strategy}, learning rate {optim.lr:g}, weight decay {optim.weight_decay:g}",
        f"prompts: {config.data.rollout_batch_size} a step, {actor.global_batch_size} an update",
        f"what learned: LoRA of rank {lora.rank}, alpha {lora.alpha:g}" if lora.rank else "",
        "image encoder: frozen" if actor.model.freeze_vision_tower else "",
        f"seed: {config.trainer.seed}",
    ]
    return [line for line in lines if line]


def _validation(source: Source) -> list[str]:
    """Metrics of the last validation that the exported weights can have had."""
    file = source.run / "metrics.jsonl" if source.run else None
    if file is None or source.step is None or not file.exists():
        return []
    found: dict[str, object] = {}
    for record in read_jsonl(file):
        step = record.get("step")
        if isinstance(step, int) and step <= source.step:
            measured = {name: value for name, value in record.items() if name.startswith("val/")}
            found = {"step": step, **measured} if measured else found
    return [f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}" for name, value in found.items()]


def _licence(base: str | None) -> str:
    whose = f"those of {_shown(base)}" if base else "those of the model that training started from"
    return (
        f"## Licence\n\nThe terms are {whose}, and of the training data, both to be checked before this folder is "
        "passed on. Weights trained on patients' records may be bound by the agreement under which the records came."
    )


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in lines)]) if lines else ""


def _shown(base: str) -> str:
    """A hub's name, or the last part of a path: where things are on somebody's disk is nobody's business."""
    return Path(base).name if Path(base).exists() else base


def _names(names: object) -> str:
    return ", ".join(dict.fromkeys(names)) or "not named"  # pyright: ignore[reportArgumentType, reportCallIssue]
