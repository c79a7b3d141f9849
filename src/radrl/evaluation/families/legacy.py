"""The seeds' own rules beside the strict ones, faults included."""

from collections.abc import Sequence

from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.metrics.legacy import exact_output, word_jaccard
from radrl.evaluation.records import Judged
from radrl.rewards.legacy_chex_phi4mm import any_overlap


def _statistics(judged: Sequence[Judged]) -> list[Statistic]:
    texts = [(one.record.generated_text, one.sample.reference) for one in judged]
    return [
        mean_of("legacy_substring_accuracy", [float(one.record.is_correct_legacy) for one in judged]),
        mean_of("legacy_any_overlap", [any_overlap(text, reference) for text, reference in texts]),
        mean_of("legacy_exact_output", [exact_output(text, reference) for text, reference in texts]),
        mean_of("legacy_word_jaccard", [word_jaccard(text, reference) for text, reference in texts]),
    ]


LEGACY = Family(
    name="legacy",
    metrics={
        "legacy_substring_accuracy": "CheX-Phi4MM's evaluation: a gold string occurs anywhere in the lower-cased text, "
        'reasoning included, so that "no" is found in "normal". It does not say whether an answer is right.',
        "legacy_any_overlap": "CheX-Phi4MM's reward: predicted and gold items, split at commas, share one at least. "
        "Naming every finding scores 1.",
        "legacy_exact_output": "CX-Mind's closed evaluation: the whole text, reasoning included, equals the reference.",
        "legacy_word_jaccard": "CX-Mind's open evaluation without its judge: Jaccard of the words of both whole texts.",
    },
    statistics=_statistics,
)
