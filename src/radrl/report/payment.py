"""What each stage of a run was paid for: its reward terms with weight and gate, how long it took and why it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from radrl.config.schema import AdvanceConfig, Config, GateConfig, RewardConfig, StageConfig
from radrl.report.charts import number
from radrl.report.labels import Label, reward_label
from radrl.report.series import StepMetrics

_ENDS = 5
"""Steps at the beginning and the end of a stage that its `from` and `to` are means of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """How one stage went.

    Example: `StageFacts(number=1, name="closed", notes=("Steps 1 to 6 of 40 planned: it ended early.",))`
    """

    number: int
    """From 1, as the charts number it."""
    name: str
    notes: tuple[str, ...]
    """Sentences: its length, its rule for going on, the questions it kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTerm:
    """One reward term of a stage."""

    key: str
    label: Label
    weight: str
    when: str
    """When it counted."""
    arguments: str
    """As configured; empty where the defaults stood."""
    is_outcome: bool
    changes: tuple[str, ...]
    """For every stage of its table, the part's mean at the beginning and at the end of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The terms that stages share, and these stages in order."""

    stages: tuple[StageFacts, ...]
    terms: tuple[PaidTerm, ...]


def stages_of(config: Config) -> tuple[StageConfig, ...]:
    """The stages of a run; one without any is one stage named `train`."""
    return config.curriculum.stages or (StageConfig(name="train", steps=config.trainer.max_steps),)


def terms_of(config: Config) -> dict[str, tuple[RewardConfig, ...]]:
    """Stage -> its reward terms, presets expanded."""
    return {stage.name: stage.rewards or config.rewards for stage in stages_of(config)}


def reward_names_of(config: Config | None) -> dict[str, str]:
    """Term -> registered name or place of its reward, in the order of the configuration; none without one."""
    return {term.key: term.name for terms in terms_of(config).values() for term in terms} if config else {}


def payments(config: Config, steps: Sequence[StepMetrics]) -> tuple[Payment, ...]:
    """One entry for each distinct set of terms, in order of the first stage that had it; none without rewards."""
    stages, terms = stages_of(config), terms_of(config)
    taken = {stage.name: [record for record in steps if record.stage == stage.name and record.step] for stage in stages}
    together: dict[tuple[str, ...], list[int]] = {}
    for place, stage in enumerate(stages):
        together.setdefault(tuple(term.model_dump_json() for term in terms[stage.name]), []).append(place)
    return tuple(
        Payment(
            stages=tuple(_facts(place, stages, taken) for place in members),
            terms=tuple(
                _term(term, config.worker.reward.gate, [taken[stages[place].name] for place in members])
                for term in terms[stages[members[0]].name]
            ),
        )
        for members in together.values()
        if terms[stages[members[0]].name]
    )


def when_paid(term: RewardConfig, gate: GateConfig) -> str:
    """When a term counts, in words.

    >>> when_paid(RewardConfig(name="graph_f1", gate=("per_sample", "ema")), GateConfig())
    'only when this answer is right, and this step is as good as the moving average'
    """
    if "always" in term.gate:
        return "always"
    if "off" in term.gate:
        return "never: measured only"
    margin = f" by {gate.margin:g}" if gate.margin else ""
    right = "is right" if gate.right_at == 1 else f"scores at least {gate.right_at:g}"
    words: Mapping[str, str] = {
        "per_sample": f"this answer {right}",
        "format": "this answer has the agreed form",
        "ema": f"this step {'beats' if margin else 'is as good as'} the moving average{margin}",
        "conditional": f"this answer {right} in the agreed form and the step lost less than {gate.tolerance:g} on the "
        "one before",
    }
    return "only when " + ", and ".join(words[condition] for condition in term.gate)


def _facts(at: int, stages: Sequence[StageConfig], taken: Mapping[str, Sequence[StepMetrics]]) -> StageFacts:
    stage, records = stages[at], taken[stages[at].name]
    was_left = any(taken[later.name] for later in stages[at + 1 :])
    notes = [_length(stage, records, was_left=was_left)]
    if stage.advance is not None:
        notes.append(_rule(stage.advance))
    notes += [_narrowing(record.values) for record in records if "pass_rate/num_kept" in record.values][:1]
    return StageFacts(number=at + 1, name=stage.name, notes=tuple(notes))


def _length(stage: StageConfig, records: Sequence[StepMetrics], *, was_left: bool) -> str:
    if not records:
        return "Not reached."
    first, last = min(record.step for record in records), max(record.step for record in records)
    num = last - first + 1
    span = f"Steps {first} to {last}" if num > 1 else f"Step {first}"
    if stage.steps is None:
        return f"{span}."
    if num >= stage.steps:
        return f"{span}, as planned."
    why = "it ended early by its rule" if was_left and stage.advance else "the rest is not in this folder"
    return f"{span} of {stage.steps} planned: {why}."


def _rule(rule: AdvanceConfig) -> str:
    times = f"{rule.validations} validations in a row" if rule.validations > 1 else "one validation"
    if rule.plateau is not None:
        return f"Made to end when {times} gained no more than {rule.plateau:g} on the best one before."
    return f"Made to end when the answer score was at least {rule.outcome_at_least:.0%} in {times}."


def _narrowing(values: Mapping[str, float]) -> str:
    kept, hard, easy = (values.get(f"pass_rate/{name}", 0.0) for name in ("num_kept", "num_too_hard", "num_too_easy"))
    sentence = f"Of {kept + hard + easy:.0f} questions it trained on {kept:.0f}: {hard:.0f} were too hard"
    mean = (
        f" The mean answer score on all was then {values['pass_rate/mean']:.0%}." if "pass_rate/mean" in values else ""
    )
    return f"{sentence} and {easy:.0f} too easy when it began.{mean}"


def _term(term: RewardConfig, gate: GateConfig, stages: Sequence[Sequence[StepMetrics]]) -> PaidTerm:
    label = reward_label(term.key, registered=term.name)
    return PaidTerm(
        key=term.key,
        label=label,
        weight=f"{term.weight:g}",
        when=when_paid(term, gate),
        arguments=", ".join(f"{name} {value}" for name, value in term.kwargs.items()),
        is_outcome=term.outcome,
        changes=tuple(_change(term.key, records, is_share=label.is_share) for records in stages),
    )


def _change(key: str, records: Sequence[StepMetrics], *, is_share: bool) -> str:
    """`34% to 61%`; one number of a stage too short to have two ends, empty where nothing was logged."""
    name = f"reward/{key}/mean"
    values = [record.values[name] for record in records if name in record.values]
    if not values:
        return ""
    num = min(_ENDS, len(values) // 2)
    if not num:
        return _rounded(values[0], is_share=is_share)
    ends = (fmean(values[:num]), fmean(values[-num:]))
    return " to ".join(_rounded(value, is_share=is_share) for value in ends)


def _rounded(value: float, *, is_share: bool) -> str:
    return f"{value:.0%}" if is_share else number(value)
