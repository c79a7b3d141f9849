"""The page of one evaluation: one HTML file that opens from disk with no network and holds no script."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from radrl.errors import DataError
from radrl.evaluation.families import FAMILIES
from radrl.evaluation.verdict import AT_CHANCE
from radrl.report.cases import read_cases
from radrl.report.charts import Share, number
from radrl.report.evaluation_sections import LineTable, Sections, accuracy_table, in_points, sections_of
from radrl.report.evaluations import Evaluation, read_evaluation
from radrl.report.labels import plain
from radrl.report.records import read_object
from radrl.report.results import Comparison, cautions, headlines, table, tiles
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static

LARGEST_PICTURE = 4_000_000
"""Bytes of `perturbed.png` up to which the page holds it."""

_TASKS: Mapping[str, str] = {
    "closed": "Closed questions",
    "open": "Open questions",
    "report": "Reports",
    "grounding": "Where on the film",
    "matching": "Does it match?",
    "view": "Projection",
    "progression": "Course over time",
    "difference": "Differences between films",
}
_FAMILIES: Mapping[str, str] = {
    "answers": "Answers",
    "reasoning": "Facts in the reasoning",
    "length": "Length",
    "text": "Wording of reports",
    "report_labels": "Findings in reports",
    "ranking": "Ranking of candidates",
    "difference": "Differences between films",
    "grounding": "Places on the film",
    "consistency": "Does the reasoning fit the answer?",
    "diseases": "Diseases",
    "matching": "Does it match?",
    "view": "Projection",
    "progression": "Course over time",
}
_OPEN = ("answers", "text", "report_labels")
"""Families that the page shows unfolded."""
_LEGACY = "legacy_"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLine:
    """One number with what it means."""

    title: str
    key: str
    value: str
    interval: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberGroup:
    """Numbers of one family."""

    title: str
    rows: tuple[NumberLine, ...]
    is_open: bool
    """Whether the page shows it unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRow:
    """One rule of the seeds beside the strict one."""

    title: str
    key: str
    meaning: str
    value: Share
    strict: Share | None
    difference: str
    """In percentage points."""


def is_evaluation(folder: Path) -> bool:
    """Whether a folder is one of `radrl evaluate`: its summary.json holds blocks, where a demo's holds numbers."""
    path = folder / "summary.json"
    return path.exists() and isinstance(read_object(path).get("overall"), dict)


def build_evaluation_page(folder: Path, *, out: Path | None = None) -> Path:
    """Write the page of an evaluation folder to `out` (by default `report.html` in it) and return its path.

    Raises DataError for a folder without a summary.json, or one that is malformed.
    """
    if not (folder / "summary.json").exists():
        raise DataError(f"there is no summary.json in {folder}. Give a folder that `radrl evaluate` wrote.")
    evaluation = replace(read_evaluation(folder), role="only")
    path = out or folder / "report.html"
    # Lone surrogates, which JSON may hold, have no UTF-8 form; a question mark stands for each.
    page = _render(evaluation, folder).encode("utf-8", errors="replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        raise DataError(f"cannot write the page to {path} ({error.strerror}). Make room there.") from error
    return path


def _render(evaluation: Evaluation, folder: Path) -> str:
    detail, metrics = evaluation.detail, evaluation.overall.metrics
    comparison = Comparison(split=evaluation.split, before=None, after=evaluation)
    sections = sections_of(detail, plain_accuracy=metrics.get("accuracy"))
    legacy = legacy_rows(evaluation)
    style = read_static(*STYLES)
    counts = evaluation.overall.counts
    return (
        page_templates()
        .get_template("evaluation.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            title=" / ".join(folder.resolve().parts[-2:]),
            detail=detail,
            verdict=cautions(evaluation, with_accuracy=True),
            at_chance=AT_CHANCE,
            headlines=headlines(comparison),
            tiles=tiles(comparison),
            table=table(comparison),
            breakdowns=_breakdowns(evaluation),
            legacy=legacy,
            sections=sections,
            perturbed=_picture(folder / "perturbed.png") if sections.robustness else None,
            judge=detail.judge,
            share_text=_share_text,
            scorers=_scorers(evaluation),
            metrics=number_groups(evaluation),
            failures=counts.get("parse_failures", 0),
            completions=counts.get("completions", evaluation.overall.num_questions),
            truncated=counts.get("truncated", 0),
            cases=read_cases(folder / "samples.jsonl"),
            has_samples=(folder / "samples.jsonl").exists(),
            conventions=evaluation.conventions,
            links=_links(sections, has_legacy=bool(legacy), has_opinions=bool(detail.judge or detail.scorers)),
        )
    )


def legacy_rows(evaluation: Evaluation) -> tuple[LegacyRow, ...]:
    """Every rule of the seeds that the evaluation holds."""
    strict = evaluation.overall.metrics.get("accuracy")
    return tuple(
        LegacyRow(
            title=plain(name.removeprefix(_LEGACY)),
            key=name,
            meaning=evaluation.conventions.get(name, ""),
            value=value,
            strict=strict,
            difference="" if strict is None else in_points(Share(value=value.value - strict.value)),
        )
        for name, value in evaluation.overall.metrics.items()
        if name.startswith(_LEGACY)
    )


def number_groups(evaluation: Evaluation) -> tuple[NumberGroup, ...]:
    """All metrics but the seeds', by family, with their meanings."""
    family_of = {name: family.name for family in FAMILIES for name in family.metrics}
    groups: dict[str, list[NumberLine]] = {}
    for name, value in evaluation.overall.metrics.items():
        if not name.startswith(_LEGACY):
            line = _number_line(name, value, evaluation.conventions.get(name, ""))
            groups.setdefault(family_of.get(name, "other"), []).append(line)
    return tuple(
        NumberGroup(title=_FAMILIES.get(name, plain(name)), rows=tuple(rows), is_open=name in _OPEN)
        for name, rows in groups.items()
    )


def _scorers(evaluation: Evaluation) -> list[NumberLine]:
    """Scores that other models gave, with what they mean and what gave them."""
    return [
        _number_line(
            name,
            scorer.value,
            f"{evaluation.conventions.get(name, '')} Over {scorer.num_texts} texts, by {scorer.made_by}.".strip(),
        )
        for name, scorer in evaluation.detail.scorers.items()
    ]


def _number_line(name: str, value: Share, meaning: str) -> NumberLine:
    has_interval = value.low is not None and value.high is not None
    return NumberLine(
        title=plain(name).replace(" f1", " F1"),
        key=name,
        value=_decimal(value.value),
        interval=f"{_decimal(value.low or 0.0)} to {_decimal(value.high or 0.0)}" if has_interval else "",
        meaning=meaning,
    )


def _decimal(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else number(value)


def _breakdowns(evaluation: Evaluation) -> list[LineTable]:
    """Accuracy by task and by file, where there are several."""
    detail = evaluation.detail
    files = {name: scores for name, scores in detail.files.items() if name}
    tables: list[LineTable] = []
    if len(detail.tasks) > 1:
        tables.append(accuracy_table("By task", detail.tasks, labels=_TASKS))
    if len(files) > 1:
        tables.append(accuracy_table("By file", files, labels={name: Path(name).name for name in files}))
    return tables


def _share_text(value: Share | None) -> str:
    if value is None:
        return "an unknown share"
    return f"{value.percent} ({value.interval})" if value.interval else value.percent


def _picture(path: Path) -> str | None:
    if not path.exists() or path.stat().st_size > LARGEST_PICTURE:
        return None
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _links(sections: Sections, *, has_legacy: bool, has_opinions: bool) -> list[tuple[str, str]]:
    """Anchors of the sections that the page has."""
    found = [
        ("result", "Result", True),
        ("kinds", "By kind of question", True),
        ("legacy", "Older rules", has_legacy),
        ("diseases", "Diseases", sections.diseases is not None),
        ("groups", "For whom", bool(sections.groups)),
        ("robustness", "Changed films", bool(sections.robustness or sections.twins)),
        ("calibration", "Confidence", bool(sections.confidences)),
        ("positions", "Places of options", sections.positions is not None),
        ("opinions", "Other models", has_opinions),
        ("numbers", "Every number", True),
        ("unreadable", "Unreadable", True),
        ("wrong", "Wrong answers", True),
        ("conventions", "How counted", True),
    ]
    return [(target, name) for target, name, is_there in found if is_there]
