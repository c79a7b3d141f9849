"""A rubric on its own, for the commands that need no training run: a preset's name, a file of it, or a run's config."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from radrl.config.load import load_config
from radrl.config.rubrics import PRESETS
from radrl.config.schema import Config, GateConfig, RewardConfig, Rewards
from radrl.config.section import Section
from radrl.errors import ConfigError

_OF_A_RUN = frozenset({"data", "algorithm", "worker", "curriculum", "trainer"})
"""Sections by which a training configuration is told from a rubric."""


class RubricConfig(Section):
    """A rubric as a file of its own."""

    rewards: Rewards
    """Terms of the reward, or names of presets."""
    gate: GateConfig = GateConfig()
    """What the terms' gates compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRubrics:
    """Which rewards score which stage.

    Example: `read_rubric("cx_mind_closed").of("closed")[0].name` is `format`
    """

    rewards: tuple[RewardConfig, ...]
    """Of stages that have none of their own."""
    by_stage: Mapping[str, tuple[RewardConfig, ...]]
    gate: GateConfig
    timeout_s: float
    """Seconds that a worker has for one completion."""
    tokenizer_path: str | None = None
    """Folder of the policy's tokenizer, where a run names one."""

    def of(self, stage: str) -> tuple[RewardConfig, ...]:
        """Terms for the completions of a stage."""
        return self.by_stage.get(stage, self.rewards)


def read_rubric(named: str) -> StageRubrics:
    """The rubric of a preset's name, of a YAML file `{rewards: [...], gate: {...}}`, or of a run's config.yaml.

    Raises `ConfigError` for a name that is neither preset nor file, naming the nearest preset.
    """
    if named in PRESETS:
        return _of_rubric(RubricConfig.model_validate({"rewards": [named]}))
    file = Path(named)
    if not file.is_file():
        near = difflib.get_close_matches(named, PRESETS, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"Presets: {', '.join(PRESETS)}."
        raise ConfigError(f"{named!r} is neither a preset of rewards nor a YAML file with them. {advice}")
    if not is_rubric_file(file):
        return _of_run(load_config(Config, [f"config={file}"]).config)
    return _of_rubric(load_config(RubricConfig, [f"config={file}"]).config)


def is_rubric_file(file: Path) -> bool:
    """Whether a YAML file holds a rubric rather than a training run."""
    return not _OF_A_RUN & _keys_of(file)


def _of_rubric(rubric: RubricConfig) -> StageRubrics:
    defaults = Config().worker.reward
    return StageRubrics(rewards=rubric.rewards, by_stage={}, gate=rubric.gate, timeout_s=defaults.timeout_s)


def _of_run(config: Config) -> StageRubrics:
    model = config.worker.actor.model
    return StageRubrics(
        rewards=config.rewards,
        by_stage={stage.name: stage.rewards for stage in config.curriculum.stages if stage.rewards},
        gate=config.worker.reward.gate,
        timeout_s=config.worker.reward.timeout_s,
        tokenizer_path=model.tokenizer_path or model.model_path or None,
    )


def _keys_of(file: Path) -> set[str]:
    """Top keys of a file; none where it is no YAML mapping, which loading it reports."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return set()
    return set(cast("dict[str, object]", content)) if isinstance(content, dict) else set()
