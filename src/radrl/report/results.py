"""The results as the page shows them: the verdict in words, tiles, and tables by question kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from radrl.evaluation.intervals import Estimate
from radrl.evaluation.verdict import Rival, against_blind
from radrl.report.charts import Share, draw_track
from radrl.report.evaluations import Answered, Evaluation, Role
from radrl.report.labels import BLIND, kind_label, plain
from radrl.report.scores import Scores

_TILES = {
    "graph_f1": ("Facts in the reasoning", "overlap (F1) with the reference's facts"),
    "sample_f1": ("Findings named", "overlap (F1) with the reference's findings, mean over questions"),
    "legacy_substring_accuracy": (
        "By the older, lenient rule",
        "counts an answer that merely contains the right words",
    ),
}
"""Metric of the evaluation -> its name and note, shown beside the accuracy."""

_SPLITS = {
    "": "Held-out patients",
    "ood": "Out of distribution: combinations never seen in training",
    "pool": "Questions that the hard ones were picked from",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One set of questions, answered before and after training; either may be missing, not both."""

    split: str
    before: Evaluation | None
    after: Evaluation | None
    """After training, or the only model there is on these questions."""

    @property
    def title(self) -> str:
        """Which questions, in words."""
        return _SPLITS.get(self.split, plain(self.split))

    @property
    def models(self) -> tuple[tuple[str, str, Evaluation], ...]:
        """(style, name, evaluation) of each model there is."""
        found: list[tuple[str, str, Evaluation]] = []
        if self.before:
            found.append(("before", "Before training", self.before))
        if self.after:
            found.append(("after", "After training" if self.after.role == "after" else "This model", self.after))
        return tuple(found)

    @property
    def shown(self) -> Evaluation:
        """The one whose blind rows and calibration are shown: after training, if there is one."""
        shown = self.after or self.before
        assert shown is not None
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number worth a glance."""

    name: str
    value: str
    note: str
    key: str
    """Name of the metric in the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One line of the main chart: a model, or a way to answer without looking."""

    name: str
    share: Share
    track: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table by question kind."""

    label: str
    key: str
    num: int
    track: Markup
    shares: tuple[Share | None, ...]
    """In the order of the table's `models`."""
    change: str
    """In percentage points; empty without both models."""
    blind: tuple[Share | None, ...]
    """In the order of the table's `blind_names`."""
    is_total: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Accuracy by question kind on one set of questions."""

    title: str
    rows: tuple[Row, ...]
    models: tuple[str, ...]
    """Names of the models."""
    blind_names: tuple[str, ...]
    """Plain names of the rows that do not look at the radiograph."""
    unit: str
    """What the intervals resample: patients or samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of each question: the answers of both models, question by question."""

    mended: tuple[Answered, ...]
    """Wrong before, right after; `answer` is the one after training."""
    broken: tuple[Answered, ...]
    """Right before, wrong after."""
    num_right_twice: int
    num_wrong_twice: int


def pair_up(evaluations: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """Before and after on each set of questions, held-out patients first."""
    splits = sorted({evaluation.split for evaluation in evaluations})
    return tuple(
        Comparison(
            split=split, before=_find(evaluations, split, "before"), after=_find(evaluations, split, "after", "only")
        )
        for split in splits
    )


def verdict(comparison: Comparison) -> tuple[str, ...]:
    """The result in sentences a reader can act on, the caveat among them."""
    shown = comparison.shown
    accuracy = shown.overall.metrics.get("accuracy")
    if accuracy is None:
        return ()
    when = {"before": "Before training, the", "after": "After training, the", "only": "The"}[shown.role]
    sentences = [
        f"{when} model answered {_with_interval(accuracy)} of {shown.overall.num_questions} questions exactly right."
    ]
    before = comparison.before.overall.metrics.get("accuracy") if comparison.before and comparison.after else None
    if before is not None:
        sentences.append(f"Before, it was {_with_interval(before)}; {_apart(before, accuracy)}.")
    return (" ".join(sentences), *cautions(shown))


def cautions(evaluation: Evaluation, *, with_accuracy: bool = False) -> tuple[str, ...]:
    """What the evaluation's own verdict says of its accuracy, in front of it the accuracy in a sentence if asked for.

    Older files hold no verdict; what they say of the blind rows is said by the same rules.
    """
    accuracy = evaluation.overall.metrics.get("accuracy")
    if evaluation.detail.verdict:
        return evaluation.detail.verdict if with_accuracy else evaluation.detail.verdict[1:]
    if accuracy is None:
        return ()
    num = evaluation.overall.num_questions
    stated = f"The final answer is exactly right in {_with_interval(accuracy)} of {num} questions."
    rivals = [
        Rival(name=BLIND[name].title.lower(), accuracy=_estimate(row.overall), minus=_estimate(row.lead))
        for name, row in evaluation.blind.items()
        if name in BLIND
    ]
    worth = (against_blind(_estimate(accuracy), rivals),) if rivals else ()
    return (stated, *worth) if with_accuracy else worth


def headlines(comparison: Comparison) -> tuple[Headline, ...]:
    """Accuracy of the models, and of every way to answer without looking at the radiograph."""
    found = [(style, name, _accuracy(evaluation, None)) for style, name, evaluation in comparison.models]
    found += [
        ("blind", BLIND[name].title, row.overall) for name, row in comparison.shown.blind.items() if name in BLIND
    ]
    return tuple(
        Headline(name=name, share=share, track=draw_track([(style, name, share)]))
        for style, name, share in found
        if share
    )


def tiles(comparison: Comparison) -> tuple[Tile, ...]:
    """Numbers beside the accuracy."""
    shown = comparison.shown
    found: list[Tile] = []
    if comparison.before and comparison.after:
        found += _gain(comparison.before.overall, comparison.after.overall)
    for name, (title, note) in _TILES.items():
        share = shown.overall.metrics.get(name)
        if share is not None:
            found.append(
                Tile(name=title, value=share.percent, note=f"{_before_note(comparison, name)}{note}", key=name)
            )
    failures = shown.overall.counts.get("parse_failures")
    if failures is not None:
        answers = shown.overall.counts.get("completions", shown.overall.num_questions)
        note = f"of {answers} answers could not be read; they count as wrong"
        found.append(Tile(name="Unreadable answers", value=str(failures), note=note, key="parse_failures"))
    return tuple(found)


def table(comparison: Comparison) -> Table:
    """Accuracy in all and by question kind, with what is reached without looking beside it."""
    shown = comparison.shown
    names = tuple(name for name in BLIND if name in shown.blind)
    kinds = list(dict.fromkeys([*(comparison.before.per_kind if comparison.before else ()), *shown.per_kind]))
    total = _row(comparison, kind=None, blind_names=names)
    return Table(
        title=comparison.title,
        rows=(total, *(_row(comparison, kind=kind, blind_names=names) for kind in kinds)),
        models=tuple(name for _, name, _ in comparison.models),
        blind_names=tuple(BLIND[name].title for name in names),
        unit=shown.unit,
    )


def changes(comparison: Comparison) -> Changes | None:
    """Questions that changed sides; None without both models' answers to the same questions."""
    if not comparison.before or not comparison.after:
        return None
    before, after = comparison.before.answers, comparison.after.answers
    common = [key for key in after if key in before]
    if not common:
        return None
    sides = [(before[key].is_right, after[key]) for key in common]
    return Changes(
        mended=tuple(now for was_right, now in sides if now.is_right and not was_right),
        broken=tuple(now for was_right, now in sides if was_right and not now.is_right),
        num_right_twice=sum(was_right and now.is_right for was_right, now in sides),
        num_wrong_twice=sum(not was_right and not now.is_right for was_right, now in sides),
    )


def _find(evaluations: Sequence[Evaluation], split: str, *roles: Role) -> Evaluation | None:
    return next((found for found in evaluations if found.split == split and found.role in roles), None)


def _with_interval(share: Share) -> str:
    return f"{share.percent} (95% interval {share.interval})" if share.interval else share.percent


def _apart(before: Share, after: Share) -> str:
    if before.high is None or after.low is None or before.low is None or after.high is None:
        return "there are no intervals to compare"
    if after.low > before.high:
        return "the intervals are apart, so the gain is more than chance"
    if after.high < before.low:
        return "the intervals are apart: training made it worse"
    return "the intervals overlap, so the difference may be chance"


def _estimate(share: Share | None) -> Estimate:
    return (
        Estimate(value=None, low=None, high=None)
        if share is None
        else Estimate(value=share.value, low=share.low, high=share.high)
    )


def _gain(before: Scores, after: Scores) -> list[Tile]:
    was, now = before.metrics.get("accuracy"), after.metrics.get("accuracy")
    if was is None or now is None:
        return []
    return [
        Tile(
            name="Change in exact answers",
            value=f"{100 * (now.value - was.value):+.1f}",
            note=f"percentage points: {was.percent} before, {now.percent} after",
            key="accuracy",
        )
    ]


def _before_note(comparison: Comparison, name: str) -> str:
    before = comparison.before.overall.metrics.get(name) if comparison.before and comparison.after else None
    return "" if before is None else f"before: {before.percent}; "


def _row(comparison: Comparison, *, kind: str | None, blind_names: Sequence[str]) -> Row:
    marks = [(style, name, _accuracy(evaluation, kind)) for style, name, evaluation in comparison.models]
    shares = tuple(share for _, _, share in marks)
    rows = [comparison.shown.blind[name] for name in blind_names]
    blind = tuple(row.overall if kind is None else row.per_kind.get(kind) for row in rows)
    best = max((share for share in blind if share is not None), key=lambda share: share.value, default=None)
    marks.append(("blind", "Best without looking", best))
    scores = comparison.shown.overall if kind is None else comparison.shown.per_kind.get(kind)
    return Row(
        label="All questions" if kind is None else kind_label(kind),
        key="" if kind is None else kind,
        num=scores.num_questions if scores else 0,
        track=draw_track([(style, name, share) for style, name, share in marks if share is not None]),
        shares=shares,
        change=_change(shares),
        blind=blind,
        is_total=kind is None,
    )


def _change(shares: Sequence[Share | None]) -> str:
    if len(shares) != 2 or shares[0] is None or shares[1] is None:
        return ""
    return f"{100 * (shares[1].value - shares[0].value):+.1f}"


def _accuracy(evaluation: Evaluation, kind: str | None) -> Share | None:
    scores = evaluation.overall if kind is None else evaluation.per_kind.get(kind)
    return scores.metrics.get("accuracy") if scores else None
