"""What is attacked: a reward alone, a preset, or the stages of a training run."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from radrl.config.lint import LintConfig, TraceForm
from radrl.config.rubrics import PRESETS, expand
from radrl.config.schema import Config, GateConfig, RewardConfig
from radrl.errors import ConfigError
from radrl.lint.questions import CLOSED_KINDS, OPEN_KINDS
from radrl.phantom.world import KINDS
from radrl.plugins import is_reference
from radrl.rewards.api import BoundReward, aliases, reward_names
from radrl.rewards.foreign import bind_term

ANSWER = "answer_f1"
"""Declared outcome of a reward that is attacked alone; paid where that is a penalty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A rubric under attack.

    Example: `Target(title="cx_mind_closed", rewards=(...), gate=GateConfig(), max_tokens=1024,
                     batch_size=16, kinds=("closed", "choice", "presence"), trace="interleaved")`
    """

    title: str
    rewards: tuple[RewardConfig, ...]
    gate: GateConfig
    max_tokens: int
    batch_size: int
    """Questions that rewards per batch see together."""
    kinds: tuple[str, ...]
    trace: TraceForm
    lone: str | None = None
    """Key of the reward that is attacked alone: then only questions count on whose reference it does not abstain."""

    @property
    def paid(self) -> tuple[str, ...]:
        """Keys of the terms that count."""
        return tuple(term.key for term in self.rewards if term.weight != 0)


def target_of(config: LintConfig) -> Target:
    """The reward or preset that the settings name.

    A penalty, which can only take away, is best met by silence; it is paid beside the answer. Any other reward is paid
    alone. Raises ConfigError for an unknown name and for arguments that the reward does not take, PluginError for a
    place where there is none.
    """
    if config.reward in PRESETS:
        return _preset(config)
    term = RewardConfig(name=config.reward, kwargs=config.kwargs)
    return Target(
        title=term.name,
        rewards=_with_answer(term, is_penalty=_bound(term).highest <= 0),
        gate=GateConfig(),
        max_tokens=config.max_tokens,
        batch_size=config.batch_size,
        kinds=_kinds(config, name=""),
        trace=_trace(config, is_plain=False),
        lone=term.key,
    )


def targets_of(config: LintConfig, training: Config) -> list[Target]:
    """The rubric of each stage of a training run; of a run without stages its own."""
    stages = training.curriculum.stages
    is_plain = training.data.layout == "chex_phi4mm"
    gate, limit = training.worker.reward.gate, training.data.max_response_length
    own = Target(
        title="the run",
        rewards=training.rewards,
        gate=gate,
        max_tokens=limit,
        batch_size=training.data.rollout_batch_size,
        kinds=_kinds(config, name=""),
        trace=_trace(config, is_plain=is_plain),
    )
    if not stages:
        return [own]
    return [
        Target(
            title=f"stage {stage.name}",
            rewards=stage.rewards or training.rewards,
            gate=gate,
            max_tokens=stage.max_response_length or limit,
            batch_size=own.batch_size,
            kinds=_kinds(config, name=stage.name, own=tuple(stage.data.kinds)),
            trace=own.trace,
        )
        for stage in stages
    ]


def _preset(config: LintConfig) -> Target:
    if config.kwargs:
        raise ConfigError(
            f"kwargs are {config.kwargs} (from the command line), but {config.reward!r} is a preset of several rewards."
            " Give config=FILE with `rewards: [...]` to attack it with other arguments."
        )
    return Target(
        title=config.reward,
        rewards=tuple(RewardConfig.model_validate(term) for term in expand([config.reward])),
        gate=GateConfig(),
        max_tokens=config.max_tokens,
        batch_size=config.batch_size,
        kinds=_kinds(config, name=config.reward),
        trace=_trace(config, is_plain="chex_phi4mm" in config.reward),
    )


def _bound(term: RewardConfig) -> BoundReward:
    known = (*reward_names(), *aliases(), *PRESETS)
    if not is_reference(term.name) and term.name not in known:
        near = difflib.get_close_matches(term.name, known, n=1)
        advice = f"Did you mean {near[0]}?" if near else "Known: " + ", ".join(known) + "."
        raise ConfigError(f"{term.name!r} is neither a reward nor a preset (from the command line). {advice}")
    return bind_term(term)


def _with_answer(term: RewardConfig, *, is_penalty: bool) -> tuple[RewardConfig, ...]:
    if term.name == ANSWER:
        return (term.model_copy(update={"outcome": True}),)
    answer = RewardConfig(name=ANSWER, weight=float(is_penalty), outcome=True, label=None if is_penalty else "answer")
    return term, answer


def _kinds(config: LintConfig, *, name: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    if config.kinds:
        return config.kinds
    known = tuple(kind for kind in own if kind in KINDS)
    if known:
        return known
    if "closed" in name:
        return CLOSED_KINDS
    return OPEN_KINDS if "open" in name else KINDS


def _trace(config: LintConfig, *, is_plain: bool) -> TraceForm:
    if config.trace != "auto":
        return config.trace
    return "plain" if is_plain else "interleaved"
