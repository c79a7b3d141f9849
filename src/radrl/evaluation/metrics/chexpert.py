"""CheXpert labels of predicted and gold texts, and how far they agree; whoever read the labels.

A text says of each of the 14 findings that it is present, absent or uncertain, or nothing at all. Those numbers are
CheXbert's classes, so that rules and model are scored by the same code.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Int8
from numpy import ndarray

from radrl.evaluation.intervals import Statistic, divide, mean_of
from radrl.evaluation.written import Uncertain
from radrl.graph.extract import extract_all
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING
from radrl.graph.types import Certainty

BLANK, PRESENT, ABSENT, UNCERTAIN = range(4)

FIVE: Final = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural effusion")
"""The findings of CheXpert's leaderboard."""

_CLASSES: Final[dict[Certainty | None, int]] = {
    None: BLANK, "present": PRESENT, "absent": ABSENT, "uncertain": UNCERTAIN,
}  # fmt: skip


def labels_of(texts: Sequence[str]) -> Int8[ndarray, "N 14"]:
    """What each text says of each of `FINDINGS`, read by the rules."""
    return np.array([_labels(text) for text in texts], dtype=np.int8).reshape(-1, len(FINDINGS))


def label_statistics(
    predicted: Int8[ndarray, "N 14"], gold: Int8[ndarray, "N 14"], *, prefix: str, uncertain: Uncertain
) -> list[Statistic]:
    """Micro, macro and sample-wise F1 of 14 and of five findings, and pooled F1 of what is stated and what is denied.

    Names are `{prefix}14_micro_f1` and so on. Positive is present, and uncertain where it counts as that. In
    `{prefix}14_positive_f1` and `{prefix}14_negative_f1` uncertain is neither, whatever `uncertain` says.
    """
    counted = gold != UNCERTAIN if uncertain == "ignore" else np.ones(gold.shape, dtype=bool)
    claimed, wanted = (is_positive(labels, uncertain=uncertain) for labels in (predicted, gold))
    five = [FINDINGS.index(name) for name in FIVE]
    deniable = [place for place, name in enumerate(FINDINGS) if name != NO_FINDING]
    return [
        *_f1s(f"{prefix}14", claimed & counted, wanted & counted),
        *_f1s(f"{prefix}5", (claimed & counted)[:, five], (wanted & counted)[:, five]),
        _micro(f"{prefix}14_positive_f1", predicted == PRESENT, gold == PRESENT),
        _micro(f"{prefix}14_negative_f1", predicted[:, deniable] == ABSENT, gold[:, deniable] == ABSENT),
    ]


def is_positive(labels: Int8[ndarray, "N L"], *, uncertain: Uncertain) -> Bool[ndarray, "N L"]:
    """Whether each label counts as there."""
    is_claimed = labels == PRESENT
    return is_claimed if uncertain == "as_negative" else is_claimed | (labels == UNCERTAIN)


def label_meanings(prefix: str, *, reader: str) -> dict[str, str]:
    """What the metrics of `label_statistics` mean, `reader` being who reads the labels, in the genitive."""
    sets = {"14": "CheXpert's 14 names, No Finding among them", "5": f"the five findings {', '.join(FIVE)}"}
    means: dict[str, str] = {}
    for number, findings in sets.items():
        of = f"of {reader} labels of predicted and gold report over {findings}"
        means[f"{prefix}{number}_micro_f1"] = (
            f"2 TP / (2 TP + FP + FN) {of}, counts pooled over reports and names. In [0, 1], more is better. "
            "Tested against scikit-learn's average='micro'."
        )
        means[f"{prefix}{number}_macro_f1"] = (
            f"Mean of the F1 {of}, over the names that some gold report holds; f1chexbert and RadEval average over all "
            "names, and give 0 to those that no report holds. In [0, 1], more is better. Tested against "
            "scikit-learn's average='macro'."
        )
        means[f"{prefix}{number}_sample_f1"] = (
            f"Mean over reports of the F1 {of}; 1 where neither report has any. In [0, 1], more is better. Tested "
            "against scikit-learn's average='samples' with zero_division=1."
        )
    means[f"{prefix}14_positive_f1"] = (
        f"Pooled F1 of {reader} labels that are stated as present; uncertain ones are not. In [0, 1], more is better."
    )
    means[f"{prefix}14_negative_f1"] = (
        f"Pooled F1 of {reader} labels that are denied, No Finding aside: whether what is not there is said to be "
        "not there. In [0, 1], more is better."
    )
    return means


@lru_cache(maxsize=65_536)
def _labels(text: str) -> tuple[int, ...]:
    said = extract_all([text])[0].labels
    return tuple(_CLASSES[said[name]] for name in FINDINGS)


def _f1s(prefix: str, claimed: Bool[ndarray, "N L"], wanted: Bool[ndarray, "N L"]) -> list[Statistic]:
    common = (claimed & wanted).sum(axis=1)
    named = claimed.sum(axis=1) + wanted.sum(axis=1)
    return [
        _micro(f"{prefix}_micro_f1", claimed, wanted),
        _macro(f"{prefix}_macro_f1", claimed, wanted),
        mean_of(f"{prefix}_sample_f1", [float(f1) for f1 in np.where(named > 0, 2 * common / np.maximum(named, 1), 1)]),
    ]


def _micro(name: str, claimed: Bool[ndarray, "N L"], wanted: Bool[ndarray, "N L"]) -> Statistic:
    terms = np.stack([2.0 * (claimed & wanted).sum(axis=1), claimed.sum(axis=1) + wanted.sum(axis=1)], axis=1)
    return Statistic(name=name, terms=terms, finish=lambda sums: divide(sums[..., 0], sums[..., 1]))


def _macro(name: str, claimed: Bool[ndarray, "N L"], wanted: Bool[ndarray, "N L"]) -> Statistic:
    num_labels = wanted.shape[1]

    def finish(sums: ndarray[Any, Any]) -> ndarray[Any, Any]:
        common, support = sums[..., :num_labels], sums[..., 2 * num_labels :]
        has_support = support > 0
        f1 = np.where(has_support, divide(2 * common, sums[..., num_labels : 2 * num_labels] + support), 0.0)
        return divide(f1.sum(axis=-1), has_support.sum(axis=-1).astype(np.float64))

    terms = np.concatenate([claimed & wanted, claimed, wanted], axis=1).astype(np.float64)
    return Statistic(name=name, terms=terms, finish=finish)
