"""Whether answers follow from the thoughts, and how right the steps on the way are."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic
from radrl.evaluation.metrics.consistency import consistency_statistics
from radrl.evaluation.records import Judged


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    return consistency_statistics([one.reasoning for one in judged])


CONSISTENCY = Family(
    name="consistency",
    metrics={
        "think_answer_consistency": "Mean over completions of the reward of this name: F1 between the findings that "
        "the thoughts assert and those of the answer, averaged with that between the options judged to hold and the "
        "answer. In [0, 1], more is better; it says nothing about truth. Only questions whose own reference agrees "
        "with itself take part; an unreadable answer scores 0.",
        "unsupported_answers": "Findings of the answers that the thoughts do not assert / findings of the answers, "
        "counts pooled; thoughts are read by the rule-based extractor. A finding of both sides is two where the "
        "sample's own thoughts and answer tell sides. Of a yes/no question the finding asked about counts alone. In "
        "[0, 1], less is better.",
        "unanswered_thoughts": "Findings that the thoughts assert and the answers leave out / findings that the "
        "thoughts assert, counts pooled; an unreadable answer leaves out all. In [0, 1], less is better.",
        "think_answer_contradiction": "Share of completions whose answer names a finding that the thoughts deny and "
        "nowhere assert, or says no to one that they assert. In [0, 1], less is better.",
        "step_accuracy": "Steps of interleaved traces that judge an option as the reference does / steps that judge, "
        "counts pooled: a second judgement of an option, one of something not asked about and an unreadable one are "
        "wrong; the last step and those that the reference leaves free do not count. In [0, 1], more is better.",
        "step_coverage": "Options of the reference that some step judges, rightly or not / options that the reference "
        "judges, counts pooled. In [0, 1], more is better; beside step_accuracy, which judging one option alone may "
        "raise.",
    },
    statistics=_statistics,
)
