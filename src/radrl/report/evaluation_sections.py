"""Sections that the page of a run and the page of an evaluation share: confidence, diseases, changed films, groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from radrl.report.charts import Share, draw_track
from radrl.report.detail import Confidence, Detail, Disease, Perturbed, Twins
from radrl.report.evaluation_charts import draw_reliability, draw_risk_coverage, operating_point
from radrl.report.labels import plain
from radrl.report.scores import Scores

_SOURCES: Mapping[str, tuple[str, str]] = {
    "span": ("Probability of the answer's words", "mean over the tokens that write the answer"),
    "closed": ("Probability among the possible answers", "of yes and no, or of the options"),
    "sampled": ("Agreement of several answers", "share of the question's answers that say the same"),
    "stated": ("What the text says of itself", "as in 'confidence 80%'"),
}
_NUMBERS: Mapping[str, tuple[str, bool]] = {
    "ece": ("Calibration error (ECE)", True),
    "ece_after_temperature": ("Calibration error after scaling by a temperature", True),
    "brier": ("Brier score", False),
    "nll": ("Negative log-likelihood, nats", False),
    "auroc": ("Right above wrong (AUROC)", False),
    "aurc": ("Area under the risk-coverage curve", False),
    "accuracy_at_80_coverage": ("Right when the surest 80% are kept", True),
}
"""Number of the file -> what it is called, and whether it is shown in percent."""

_DISEASE_COLUMNS: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "recall_at_1": "Recall at 1",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
}
"""The last two are of questions whether the disease is there, the others of answers that name diseases."""

_GROUPINGS: Mapping[str, str] = {
    "sex": "Sex of the patient",
    "age_band": "Age of the patient",
    "view": "Projection of the film",
    "device": "Devices on the film",
}

_PERTURBATIONS: Mapping[str, str] = {
    "brightness": "Brighter or darker",
    "contrast": "More or less contrast",
    "noise": "Noise",
    "crop": "Cropped",
    "jpeg": "JPEG artefacts",
    "blur": "Blurred",
    "rotate": "Turned",
    "flip": "Left and right exchanged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceView:
    """One sort of confidence, drawn."""

    title: str
    note: str
    key: str
    num: int
    num_unknown: int
    reliability: Markup
    risk: Markup | None
    risk_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRow:
    """One number of every sort of confidence."""

    title: str
    key: str
    values: tuple[str, ...]
    """In the order of the sorts; a dash where it is undefined."""
    intervals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table whose numbers are shares, the first of them drawn.

    Example: `Line(label="Edema", key="edema", num=12, shares=(Share(value=0.5),), track=Markup("<svg..."))`
    """

    label: str
    key: str
    num: int
    shares: tuple[Share | None, ...]
    track: Markup
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTable:
    """Lines under their columns."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    counted: str = "Questions"
    """What the second column counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """Everything there is to show of one evaluation; parts whose numbers are missing are empty."""

    confidences: tuple[ConfidenceView, ...]
    numbers: tuple[NumberRow, ...]
    diseases: LineTable | None
    robustness: LineTable | None
    twins: LineTable | None
    groups: tuple[LineTable, ...]
    positions: LineTable | None


def sections_of(detail: Detail, *, plain_accuracy: Share | None = None) -> Sections:
    """Draw what the evaluation holds; `plain_accuracy` stands above the rows of changed films."""
    drawn = {name: found for name, found in detail.confidences.items() if found.bins}
    return Sections(
        confidences=tuple(_confidence(name, found) for name, found in drawn.items()),
        numbers=_numbers(list(drawn.values())),
        diseases=_diseases(detail.diseases) if any(row.is_asked_about for row in detail.diseases.values()) else None,
        robustness=_robustness(detail.robustness, plain_accuracy) if detail.robustness else None,
        twins=_twins(detail.twins) if detail.twins else None,
        groups=tuple(_groups(name, detail) for name in detail.groups if detail.groups[name]),
        positions=_positions(detail) if detail.positions else None,
    )


def accuracy_table(title: str, rows: Mapping[str, Scores], *, labels: Mapping[str, str]) -> LineTable:
    """Accuracy and graph F1 of sets of questions: tasks, or files."""
    return LineTable(
        title=title,
        columns=("Exactly right",),
        lines=tuple(
            _line(labels.get(name, name), name, scores.num_questions, (scores.metrics.get("accuracy"),))
            for name, scores in rows.items()
        ),
    )


def in_points(share: Share | None) -> str:
    """A difference in percentage points with its interval: `-2.0 (-4.1 to +0.2)`."""
    if share is None:
        return "\u2013"
    if share.low is None or share.high is None:
        return f"{100 * share.value:+.1f}"
    return f"{100 * share.value:+.1f} ({100 * share.low:+.1f} to {100 * share.high:+.1f})"


def _confidence(name: str, found: Confidence) -> ConfidenceView:
    title, note = _SOURCES.get(name, (plain(name), ""))
    kept = operating_point(found.curve) if found.curve else None
    return ConfidenceView(
        title=title,
        note=note,
        key=name,
        num=found.num,
        num_unknown=found.num_unknown,
        reliability=draw_reliability(found.bins),
        risk=draw_risk_coverage(found.curve) if found.curve else None,
        risk_note=(
            f"Diamond: the surest {kept.coverage:.0%} of the answers are kept, and {kept.risk:.1%} of them are wrong."
            if kept
            else ""
        ),
    )


def _numbers(found: Sequence[Confidence]) -> tuple[NumberRow, ...]:
    rows: list[NumberRow] = []
    for name, (title, is_percent) in _NUMBERS.items():
        values = [confidence.numbers.get(name) for confidence in found]
        if any(value is not None for value in values):
            rows.append(
                NumberRow(
                    title=title,
                    key=name,
                    values=tuple(_number(value, is_percent=is_percent) for value in values),
                    intervals=tuple(_number_interval(value, is_percent=is_percent) for value in values),
                )
            )
    return tuple(rows)


def _number(value: Share | None, *, is_percent: bool) -> str:
    if value is None:
        return "\u2013"
    return value.percent if is_percent else f"{value.value:.3f}"


def _number_interval(value: Share | None, *, is_percent: bool) -> str:
    if value is None or value.low is None or value.high is None:
        return ""
    return value.interval if is_percent else f"{value.low:.3f} to {value.high:.3f}"


def _diseases(diseases: Mapping[str, Disease]) -> LineTable:
    """Diseases that questions are about, and the columns that any has a number for; the F1 is drawn, or the first."""
    asked = {name: disease for name, disease in diseases.items() if disease.is_asked_about}
    silent = [plain(name) for name in diseases if name not in asked]
    known = [name for name in _DISEASE_COLUMNS if any(name in disease.metrics for disease in asked.values())]
    drawn = "f1" if "f1" in known else known[0] if known else ""
    notes = [f"Drawn: {_DISEASE_COLUMNS[drawn]}."] if drawn else []
    if any("sensitivity" in disease.metrics or "specificity" in disease.metrics for disease in asked.values()):
        notes.append(
            "Sensitivity and specificity are of the questions whether it is there, whose gold answers stand "
            "under the name; the other columns are of answers that name diseases."
        )
    if silent:
        notes.append(f"No question is about {', '.join(silent).lower()}.")
    return LineTable(
        title="By disease",
        columns=tuple(_DISEASE_COLUMNS[name] for name in known),
        lines=tuple(
            _line(
                plain(name),
                "",
                disease.support,
                tuple(disease.metrics.get(column) for column in known),
                drawn=disease.metrics.get(drawn),
                note=_verified(disease),
            )
            for name, disease in asked.items()
        ),
        notes=tuple(notes),
        counted="Gold answers",
    )


def _verified(disease: Disease) -> str:
    if not any(disease.verified.values()):
        return ""
    return f"asked: {disease.verified.get('yes', 0)} yes, {disease.verified.get('no', 0)} no"


def _robustness(rows: Mapping[str, Perturbed], plain_accuracy: Share | None) -> LineTable:
    lines = [
        _line(
            _PERTURBATIONS.get(name, plain(name)),
            name,
            row.num_questions,
            (row.accuracy, row.changed),
            note=" ".join((*((row.meaning,) if row.meaning else ()), _cost(row), *_sides(row), *row.notes)),
            beside=("Plain films", plain_accuracy),
        )
        for name, row in rows.items()
    ]
    return LineTable(title="On changed films", columns=("Exactly right", "Answers changed"), lines=tuple(lines))


def _cost(row: Perturbed) -> str:
    return "" if row.cost is None else f"Plain minus changed: {in_points(row.cost)} points."


def _sides(row: Perturbed) -> tuple[str, ...]:
    if row.followed is None or row.stuck is None:
        return ()
    right = f"{row.followed.percent} are right of the mirrored film and {row.stuck.percent} of the plain one"
    return (f"Where the side decides the answer, {right}.",)


def _twins(twins: Twins) -> LineTable:
    rows = {
        "Both answers right": twins.both_right,
        "Another answer where the fact decides": twins.changed,
        "The same answer where it does not": twins.kept,
    }
    return LineTable(
        title="Films with and without one fact",
        columns=("Share",),
        lines=tuple(_line(label, "", twins.num_pairs, (share,)) for label, share in rows.items() if share),
        counted="Pairs",
    )


def _groups(name: str, detail: Detail) -> LineTable:
    gap = detail.gaps.get(name)
    notes: list[str] = []
    if gap is not None:
        if gap.difference is not None:
            notes.append(
                f"Gap: {in_points(gap.difference)} points between {gap.best} and {gap.worst}. Its interval lies above "
                "0 even where groups are alike; compare the groups' own intervals."
            )
        notes += gap.notes
    return LineTable(
        title=_GROUPINGS.get(name, plain(name)),
        columns=("Exactly right",),
        lines=tuple(
            _line(group, "", scores.num_questions, (scores.metrics.get("accuracy"),), note=_patients(scores))
            for group, scores in detail.groups[name].items()
        ),
        notes=tuple(notes),
    )


def _positions(detail: Detail) -> LineTable:
    return LineTable(
        title="By place of the option",
        columns=("Right answers here", "Answers chosen here", "Exactly right"),
        lines=tuple(
            _line(
                letter,
                "",
                row.support,
                (row.gold, row.predicted, row.accuracy),
                drawn=row.predicted,
                beside=("Right answers here", row.gold),
            )
            for letter, row in detail.positions.items()
        ),
        notes=("Disc: how often the model chooses this place; cross: how often the right answer stands there.",),
    )


def _patients(scores: Scores) -> str:
    num = scores.counts.get("patients")
    return "" if num is None else f"{num} patients"


def _line(
    label: str,
    key: str,
    num: int,
    shares: tuple[Share | None, ...],
    *,
    drawn: Share | None = None,
    note: str = "",
    beside: tuple[str, Share | None] = ("", None),
) -> Line:
    """A row whose first share is drawn unless another is; a baseline may stand beside it."""
    value = drawn if drawn is not None else shares[0] if shares else None
    marks = [("after", label, value), ("blind", *beside)]
    known = [(style, name, share) for style, name, share in marks if share is not None]
    track = draw_track(known) if known else Markup()
    return Line(label=label, key=key, num=num, shares=shares, track=track, note=note)
