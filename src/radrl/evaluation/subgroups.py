"""Who was read well and who was not: questions by the patient's sex and age, the view, and whether devices are present.

What is known of a film or a patient from one row holds for their other rows too: a question about the view tells the
view of the film that a question about an effusion is asked of. What no row tells, or rows disagree on, is unknown, and
its questions are in no group.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from radrl.evaluation.intervals import Bootstrap, Estimate, Statistic, divide, mean_of
from radrl.evaluation.records import Judged
from radrl.graph.lexicon.findings import SUPPORT_DEVICES
from radrl.graph.types import EntityType, entity_type
from radrl.types import Sample

Grouping = Callable[[Sample], str | None]
"""The group of a sample; None where it is in none."""

SHOWN_FROM = 5
"""Patients below which a group is shown by its counts alone."""
COMPARED_FROM = 20
"""Patients from which a group takes part in gaps."""

_AGE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(y|m|w|d|years?|months?|weeks?|days?)?", re.IGNORECASE)
_YEARS: Mapping[str, float] = {"y": 1, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_BANDS = ((18, "0-17"), (40, "18-39"), (60, "40-59"), (80, "60-79"))
_OLDEST = 120

_SEXES: Mapping[str, str] = {"m": "M", "male": "M", "f": "F", "female": "F"}
_VIEWS: Mapping[str, str] = {
    **dict.fromkeys(("pa", "posteroanterior"), "PA"),
    **dict.fromkeys(("ap", "anteroposterior", "apsupine", "aphorizontal", "aperect", "apportable"), "AP"),
    **dict.fromkeys(("lateral", "l", "ll", "rl", "lat", "leftlateral", "rightlateral"), "lateral"),
}
"""Letters of a stated view -> view. Obliques and decubitus films are none of these."""

_SEX_COLUMNS = frozenset({"sex", "patientsex", "patientsexdicom", "gender", "patientgender"})
_AGE_COLUMNS = frozenset({"age", "patientage", "ageyears", "ageinyears"})
_VIEW_COLUMNS = frozenset({"view", "views", "viewposition", "viewpositiondicom", "imageviewposition", "projection"})
_DEVICE_COLUMNS = frozenset({"supportdevices", "supportdevice", "device", "devices", "hasdevice", "hasdevices"})
"""Column names, letters alone."""
_DEVICE_WORDS = frozenset({"device", "devices", "catheter", "tube", "pacemaker", "drain", "electrode", "prosthesis"})
"""What labels of data sets call devices beyond the lexicon's names: `nsg tube`, `dual chamber device`."""
_YES = frozenset({"1", "1.0", "true", "yes", "present", "positive"})
_NO = frozenset({"0", "0.0", "false", "no", "absent", "negative"})


def age_in_years(stated: object) -> float | None:
    """Years of an age as data sets write it: 45, "45", "045Y", "011M", "58 years"; None for anything else.

    >>> age_in_years("007Y")
    7.0
    """
    if isinstance(stated, bool) or not isinstance(stated, (int, float, str)):
        return None
    match = _AGE.fullmatch(str(stated).strip())
    if match is None:
        return None
    years = float(match[1]) * _YEARS[(match[2] or "y")[0].lower()]
    return years if years <= _OLDEST else None


def age_band(years: float) -> str:
    """0-17, 18-39, 40-59, 60-79 or 80+."""
    return next((name for end, name in _BANDS if years < end), "80+")


def sex_of(sample: Sample) -> str | None:
    """F or M by the row's columns."""
    return _only(_SEXES.get(str(value).strip().lower()) for value in _values(sample, _SEX_COLUMNS))


def age_band_of(sample: Sample) -> str | None:
    """The band of the age in the row's columns."""
    ages = [age_in_years(value) for value in _values(sample, _AGE_COLUMNS)]
    return _only(None if age is None else age_band(age) for age in ages)


def view_of(sample: Sample) -> str | None:
    """PA, AP or lateral by the row's columns or the answer to a question about the view; `several` for films of more
    views than one."""
    stated = [*_values(sample, _VIEW_COLUMNS), *(sample.answer if sample.kind == "view" else ())]
    views = {_VIEWS.get(_letters(str(view))) for value in stated for view in _each(value)}
    known = views - {None}
    return "several" if len(known) > 1 else _only(known)


def device_of(sample: Sample) -> str | None:
    """`with` where a column, a label or a statement of the reference names a device, `without` where one denies them
    all, or the row lists the film's labels and none is a device."""
    found = {
        *(_presence(value) for value in _values(sample, _DEVICE_COLUMNS)),
        _device_among(sample.columns.get("labels")),
        *(
            "with" if triplet.certainty == "present" else "without" if triplet.head == SUPPORT_DEVICES else None
            for triplet in sample.triplets
            if triplet.certainty != "uncertain" and _is_device(triplet.head)
        ),
    }
    return "with" if "with" in found else "without" if "without" in found else None


def subgroupings(samples: Sequence[Sample]) -> dict[str, Grouping]:
    """`sex`, `age_band`, `view` and `device`, with what any of the samples tells about the patient or the films."""
    keys: Mapping[str, tuple[Grouping, Callable[[Sample], Hashable]]] = {
        "sex": (sex_of, lambda sample: sample.patient_id),
        "age_band": (age_band_of, _films),
        "view": (view_of, _films),
        "device": (device_of, _films),
    }
    return {name: partial(_look_up, _gathered(samples, of, key), key) for name, (of, key) in keys.items()}


def groups_in(sample: Sample, groupings: Mapping[str, Grouping]) -> dict[str, str]:
    """Grouping -> the sample's group, for those in which it has one."""
    found = {name: group_of(sample) for name, group_of in groupings.items()}
    return {name: group for name, group in found.items() if group is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How unevenly the groups of one grouping are answered.

    Example: `Gap(difference=Estimate(value=0.08, low=0.02, high=0.15), best="PA", worst="AP",
                  worst_accuracy=Estimate(value=0.41, ...), patients={"AP": 60, "PA": 55, "lateral": 7},
                  num_unknown=12)`
    """

    difference: Estimate
    """Largest minus smallest accuracy among groups of at least 20 patients; undefined with fewer than two such groups.
    Each resample has a largest and a smallest of its own, so the interval lies above 0 even where groups are alike."""
    best: str | None
    worst: str | None
    worst_accuracy: Estimate
    patients: Mapping[str, int]
    """Patients of every group, those too small to compare included."""
    num_unknown: int
    """Questions in no group: nothing tells where they belong."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        small = {group: num for group, num in self.patients.items() if num < COMPARED_FROM}
        notes = [
            f"{group}: {num} patients, too few "
            + ("to say anything." if num < SHOWN_FROM else "to take part in the gap.")
            for group, num in small.items()
        ]
        if self.num_unknown:
            notes.append(f"{self.num_unknown} questions are in no group: nothing tells where they belong.")
        return {
            **self.difference.to_json(),
            "best": self.best,
            "worst": self.worst,
            "worst_accuracy": self.worst_accuracy.to_json(),
            "patients": dict(self.patients),
            "num_unknown": self.num_unknown,
            "notes": notes,
        }


def gap_among(judged: Sequence[Judged], *, group_of: Grouping, bootstrap: Bootstrap) -> Gap:
    """The gap in accuracy between the groups of one grouping."""
    groups = [group_of(one.sample) for one in judged]
    patients = [one.sample.patient_id for one in judged]
    members: defaultdict[str, set[str]] = defaultdict(set)
    for group, patient in zip(groups, patients, strict=True):
        if group is not None:
            members[group].add(patient)
    compared = sorted(group for group, of_group in members.items() if len(of_group) >= COMPARED_FROM)
    corrects = [float(one.record.correct) for one in judged]
    accuracy = {
        group: bootstrap.estimate(
            [mean_of("accuracy", [c if g == group else None for c, g in zip(corrects, groups, strict=True)])],
            patients=patients,
        )["accuracy"]
        for group in compared
    }
    order = sorted(compared, key=lambda group: accuracy[group].value or 0)
    unknown = Estimate(value=None, low=None, high=None)
    spread = _spread(corrects, groups, compared)
    return Gap(
        difference=bootstrap.estimate([spread], patients=patients)["gap"] if len(compared) > 1 else unknown,
        best=order[-1] if len(order) > 1 else None,
        worst=order[0] if len(order) > 1 else None,
        worst_accuracy=accuracy[order[0]] if len(order) > 1 else unknown,
        patients={group: len(members[group]) for group in sorted(members)},
        num_unknown=len({one.sample.id for one, group in zip(judged, groups, strict=True) if group is None}),
    )


def _spread(corrects: Sequence[float], groups: Sequence[str | None], compared: Sequence[str]) -> Statistic:
    terms = np.zeros((len(corrects), 2 * len(compared)))
    column = {group: place for place, group in enumerate(compared)}
    for row, (correct, group) in enumerate(zip(corrects, groups, strict=True)):
        if group in column:
            terms[row, column[group]] = correct
            terms[row, len(compared) + column[group]] = 1

    def finish(sums: Float[ndarray, "*B D"]) -> Float[ndarray, "*B"]:
        accuracies = divide(sums[..., : len(compared)], sums[..., len(compared) :])
        return accuracies.max(axis=-1) - accuracies.min(axis=-1)

    return Statistic(name="gap", terms=terms, finish=finish)


def _gathered(samples: Sequence[Sample], of: Grouping, key: Callable[[Sample], Hashable]) -> dict[Hashable, str | None]:
    found: defaultdict[Hashable, set[str]] = defaultdict(set)
    for sample in samples:
        if (group := of(sample)) is not None:
            found[key(sample)].add(group)
    return {name: _only(groups) for name, groups in found.items()}


def _look_up(known: Mapping[Hashable, str | None], key: Callable[[Sample], Hashable], sample: Sample) -> str | None:
    return known.get(key(sample))


def _films(sample: Sample) -> Hashable:
    """The films of a sample; a sample without any stands for itself."""
    return frozenset(image.sha256 for image in sample.images) or sample.id


def _values(sample: Sample, names: frozenset[str]) -> list[object]:
    return [value for name, value in sample.columns.items() if _letters(name) in names and value is not None]


def _letters(text: str) -> str:
    return "".join(re.findall("[a-z]", text.lower()))


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _only(values: Iterable[str | None]) -> str | None:
    known = set(values) - {None}
    return known.pop() if len(known) == 1 else None


def _presence(value: object) -> str | None:
    stated = str(value).strip().lower()
    return "with" if stated in _YES else "without" if stated in _NO else None


def _device_among(labels: object) -> str | None:
    """Of a list of the film's labels, or of a table label -> state."""
    if isinstance(labels, Mapping):
        states = [_presence(state) for name, state in labels.items() if _is_device(str(name))]
        return "with" if "with" in states else "without" if "without" in states else None
    if isinstance(labels, (list, tuple)) and labels:
        return "with" if any(_is_device(str(label)) for label in labels) else "without"
    return None


def _is_device(name: str) -> bool:
    words = name.lower().replace("_", " ").split()
    return entity_type(" ".join(words)) is EntityType.DEVICE or not _DEVICE_WORDS.isdisjoint(words)
