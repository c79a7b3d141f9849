"""What an evaluation's numbers say, in sentences for a reader who reads nothing else.

The first sentence is the accuracy, the second what it is worth beside answering without looking; the others are
reasons to be careful. The terminal and the page print the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radrl.evaluation.blind import BlindRow
from radrl.evaluation.calibration import Calibration
from radrl.evaluation.intervals import Estimate
from radrl.evaluation.measures import Block, Counts
from radrl.evaluation.subgroups import COMPARED_FROM

AT_CHANCE = "This is at chance"
"""How the sentence begins that says a model does no better than one that does not look."""

BLIND_NAMES: Mapping[str, str] = {
    "majority": "most frequent answer",
    "question_only": "question only",
    "shuffled_image": "someone else's radiograph",
}
"""Blind row -> what it is called in sentences."""

FEW_PATIENTS = 30
"""Patients below which percentile intervals come out too narrow to be relied on."""
MANY_UNREADABLE = 0.05
"""Share of unreadable answers from which the accuracy is also one of form."""
NOTABLE = 0.05
"""Distance, as a share of 1, from which confidence and a lenient rule are said to be off."""

_UNPROVEN = "Nothing here shows that the model reads the radiograph."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A way to answer without looking at the patient's radiograph.

    Example: `Rival(name="most frequent answer", accuracy=Estimate(value=0.52, low=0.47, high=0.57),
                    minus=Estimate(value=0.09, low=0.04, high=0.15))`
    """

    name: str
    accuracy: Estimate
    minus: Estimate
    """The model's accuracy minus this one's, paired by question."""

    def is_beaten_by(self, accuracy: Estimate) -> bool:
        """Whether the paired interval lies above 0; without one, whether the model's whole interval lies above."""
        if self.minus.low is not None:
            return self.minus.low > 0
        least = accuracy.value if accuracy.low is None else accuracy.low
        return self.accuracy.value is None or (least is not None and least > self.accuracy.value)


def verdict(
    *,
    overall: Block,
    blind: Mapping[str, BlindRow],
    calibration: Calibration,
    per_group: Mapping[str, Mapping[str, Block]],
    unit: str = "patients",
) -> tuple[str, ...]:
    """Every sentence there is to say, the accuracy first; `blind` holds the rows that were made, by their names.

    Of `per_group` the groupings are compared that it is given: those of patients and films.
    """
    accuracy = overall.metrics["accuracy"]
    rivals = [Rival(name=BLIND_NAMES[name], accuracy=row.accuracy, minus=row.minus) for name, row in blind.items()]
    found = [
        accuracy_sentence(accuracy, overall.counts, unit=unit),
        against_blind(accuracy, rivals),
        few_patients(overall.counts, unit=unit),
        unreadable(overall.counts),
        too_sure(calibration),
        lenient(accuracy, overall.metrics),
        *(unequal(grouping, groups) for grouping, groups in per_group.items()),
    ]
    return tuple(sentence for sentence in found if sentence)


def accuracy_sentence(accuracy: Estimate, counts: Counts, *, unit: str) -> str:
    """How often the final answer is exactly right, and how sure that is."""
    if accuracy.value is None:
        return ""
    asked = f"{counts.questions} questions"
    if counts.completions != counts.questions:
        asked = f"{counts.completions} answers to {asked}"
    sure = f" (95% interval {_between(accuracy)}, over {counts.patients} {unit})" if accuracy.low is not None else ""
    return f"The final answer is exactly right in {_percent(accuracy.value)} of {asked}{sure}."


def against_blind(accuracy: Estimate, rivals: Sequence[Rival]) -> str:
    """Whether the model is clearly better than every row; the row that speaks most against it is named."""
    known = [rival for rival in rivals if rival.accuracy.value is not None]
    if accuracy.value is None:
        return ""
    if not known:
        return f"No row of answering without looking was made, so there is nothing to hold this against. {_UNPROVEN}"
    unbeaten = [rival for rival in known if not rival.is_beaten_by(accuracy)]
    best = max(unbeaten or known, key=lambda rival: rival.accuracy.value or 0.0)
    reached = f"{best.name}, {_percent(best.accuracy.value or 0.0)}"
    if unbeaten:
        is_worse = best.minus.high is not None and best.minus.high < 0
        how = "it is worse than" if is_worse else "it is not clearly better than"
        difference = f"; {_difference(best.minus)}" if best.minus.value is not None else ""
        return f"{AT_CHANCE}: {how} answering without looking ({reached}{difference}). {_UNPROVEN}"
    difference = f": {_difference(best.minus)}" if best.minus.value is not None else ""
    return (
        f"It is better than answering without looking at the patient's radiograph, the best of which is right in "
        f"{_percent(best.accuracy.value or 0.0)} ({best.name}){difference}."
    )


def few_patients(counts: Counts, *, unit: str) -> str:
    """Whether there are too few patients for the intervals to mean what they say."""
    if counts.patients >= FEW_PATIENTS:
        return ""
    return f"Only {counts.patients} {unit} were asked about: intervals from fewer than {FEW_PATIENTS} are too narrow."


def unreadable(counts: Counts) -> str:
    """Whether so many answers are unreadable that the accuracy is one of form."""
    share = counts.parse_failures / max(counts.completions, 1)
    if share <= MANY_UNREADABLE:
        return ""
    cut = f" {counts.truncated} ran into the length limit." if counts.truncated else ""
    return (
        f"{_percent(share)} of the answers ({counts.parse_failures} of {counts.completions}) cannot be read and count "
        f"as wrong: part of the result is form, not medicine.{cut}"
    )


def too_sure(calibration: Calibration) -> str:
    """Whether the model is much surer, or much less sure, than it is right."""
    num = sum(part.num for part in calibration.bins)
    if not num:
        return ""
    sure = sum(part.num * part.confidence for part in calibration.bins) / num
    right = sum(part.num * part.accuracy for part in calibration.bins) / num
    if abs(sure - right) < NOTABLE:
        return ""
    how = "overconfident" if sure > right else "underconfident"
    return (
        f"It is {how} by {_points(abs(sure - right))}: it gives its answers a probability of {_percent(sure)}, and "
        f"{_percent(right)} of those are right."
    )


def lenient(accuracy: Estimate, metrics: Mapping[str, Estimate]) -> str:
    """Whether a seed's own rule makes much more of the same answers."""
    legacy = {name: metric.value for name, metric in metrics.items() if name in _RULES and metric.value is not None}
    if accuracy.value is None or not legacy:
        return ""
    name = max(legacy, key=lambda name: legacy[name])
    if legacy[name] - accuracy.value < NOTABLE:
        return ""
    return (
        f"The older rule {_RULES[name]} makes {_percent(legacy[name])} of the same answers, "
        f"{_points(legacy[name] - accuracy.value)} more: that is no measure of how often they are right ({name})."
    )


def unequal(grouping: str, groups: Mapping[str, Block]) -> str:
    """Whether the best and the worst answered group of a grouping have intervals that are apart.

    The interval of the gap itself never holds 0, since every resample has a largest and a smallest of its own.
    """
    known = {name: block.metrics["accuracy"] for name, block in groups.items() if "accuracy" in block.metrics}
    sized = {name: found for name, found in known.items() if groups[name].counts.patients >= COMPARED_FROM}
    apart = {name: found for name, found in sized.items() if found.low is not None and found.high is not None}
    if len(apart) < 2:
        return ""
    best, worst = (choose(apart, key=lambda name: apart[name].value or 0.0) for choose in (max, min))
    if (apart[best].low or 0.0) <= (apart[worst].high or 0.0):
        return ""
    return (
        f"By {grouping.replace('_', ' ')} the answers are unequal: {_percent(apart[worst].value or 0.0)} right for "
        f"{worst} (95% interval {_between(apart[worst])}), {_percent(apart[best].value or 0.0)} for {best} "
        f"({_between(apart[best])})."
    )


_RULES: Mapping[str, str] = {
    "legacy_substring_accuracy": "that looks for the right words anywhere in the text",
    "legacy_any_overlap": "that takes one right item for a right answer",
}
"""Lenient rules of the seeds that pass for accuracies -> how they go."""


def _difference(minus: Estimate) -> str:
    value = minus.value or 0.0
    if minus.low is None or minus.high is None:
        return f"{100 * value:+.1f} points"
    holds = "which includes 0" if minus.low <= 0 <= minus.high else "which does not include 0"
    interval = f"{100 * minus.low:+.1f} to {100 * minus.high:+.1f}"
    return f"{100 * value:+.1f} points, 95% interval {interval}, {holds}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _between(estimate: Estimate) -> str:
    return f"{100 * (estimate.low or 0.0):.1f} to {100 * (estimate.high or 0.0):.1f}"
