"""The page of a comparison: what changed, for whom, and the questions on which two models part ways."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from radrl.evaluation.comparison import Comparison, recorded_changes
from radrl.evaluation.intervals import Estimate
from radrl.evaluation.paired import ScoreChange
from radrl.evaluation.row_scores import MEANINGS, SHARES
from radrl.evaluation.seeds import SeedSummary
from radrl.evaluation.significance import McNemar
from radrl.report.parting import MAX_CASES, SORTS, Case, Film, choose_cases, films_of, show_case
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table, ready for the page.

    Example: `Row(grouping="kind", group="presence", num_questions=120, before="41.0%", after="48.0%",
                  change="+7.0", interval="3.1 to 10.4", plot=Markup("<svg ...>"), gained="12", lost="4",
                  p_value="0.077", p_adjusted="0.15")`
    """

    grouping: str
    group: str
    num_questions: int
    before: str
    after: str
    change: str
    interval: str
    plot: Markup
    gained: str = ""
    lost: str = ""
    p_value: str = ""
    p_adjusted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPage:
    """One comparison as the template reads it."""

    comparison: Comparison
    scale: str
    """Where the plots end, on either side of 0."""
    rows: tuple[Row, ...]
    """The whole first, then its groups."""
    scores: tuple[tuple[str, str, Row], ...]
    """Metric, what it means, and its change."""
    recorded: Mapping[str, Mapping[str, float]]
    """Metrics of the summaries alone."""
    seeds: tuple[tuple[str, SeedSummary], ...]
    """Side and its seeds, where there are several."""
    cases: tuple[Case, ...]
    num_cases: Mapping[str, int]
    """Sort -> questions of the sort, shown or not."""
    films: tuple[Film, ...]


def write_compared_page(path: Path, comparisons: Sequence[Comparison]) -> Path:
    """Write one HTML file that opens with no network and holds no script; its filters are radio buttons."""
    style = read_static(*STYLES, "compared.css")
    limit = MAX_CASES // len(comparisons)
    html = (
        page_templates()
        .get_template("compared.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            sorts=SORTS,
            pages=[_page(comparison, limit=limit) for comparison in comparisons],
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Lone surrogates, which JSON may hold, have no UTF-8 form; a question mark stands for each.
    path.write_bytes(html.encode("utf-8", errors="replace"))
    return path


def _page(comparison: Comparison, *, limit: int) -> ComparedPage:
    is_share = comparison.metric in SHARES
    reach = _reach([comparison.difference, *_row_differences(comparison)])
    chosen, num_cases = choose_cases(comparison.pairs, limit=limit) if comparison.pairs else ((), {})
    films = films_of(chosen)
    seeds = comparison.seeds
    return ComparedPage(
        comparison=comparison,
        scale=f"{100 * reach:g} points" if is_share else f"{reach:g}",
        rows=tuple(_rows(comparison, reach=reach, is_share=is_share)),
        scores=tuple(_scores(comparison)),
        recorded=recorded_changes(comparison.after, comparison.before) if comparison.paired else {},
        seeds=((comparison.before.name, seeds.before), (comparison.after.name, seeds.after)) if seeds else (),
        cases=tuple(show_case(parted, films) for parted in chosen),
        num_cases=num_cases,
        films=tuple({film.key: film for film in films.values() if film is not None}.values()),
    )


def _row_differences(comparison: Comparison) -> list[Estimate]:
    rows = comparison.paired.rows if comparison.paired else ()
    paired = [row.change.difference for row in rows if row.change is not None]
    return paired + [row.change.difference for row in comparison.seed_rows]


def _rows(comparison: Comparison, *, reach: float, is_share: bool) -> list[Row]:
    if comparison.paired is not None:
        return [
            _row(
                row.grouping,
                row.group,
                row.num_questions,
                row.change,
                reach=reach,
                is_share=is_share,
                test=row.mcnemar,
                p_adjusted=row.p_adjusted,
            )
            for row in (comparison.paired.overall, *comparison.paired.rows)
        ]
    seeds = comparison.seeds
    assert seeds is not None
    num_questions = len({record.id for record in comparison.after.seeds[0].records})
    sides = [("all", "all", num_questions, seeds)]
    sides += [(row.grouping, row.group, row.num_questions, row.change) for row in comparison.seed_rows]
    return [
        _row(
            grouping,
            group,
            num,
            ScoreChange(
                num_completions=num, before=change.before.mean, after=change.after.mean, difference=change.difference
            ),
            reach=reach,
            is_share=is_share,
        )
        for grouping, group, num, change in sides
    ]


def _row(
    grouping: str,
    group: str,
    num_questions: int,
    change: ScoreChange | None,
    *,
    reach: float,
    is_share: bool,
    test: McNemar | None = None,
    p_adjusted: float | None = None,
) -> Row:
    if change is None:
        return Row(
            grouping=grouping,
            group=group,
            num_questions=num_questions,
            before="\u2013",
            after="\u2013",
            change="\u2013",
            interval="too few patients",
            plot=Markup(""),
        )
    difference = change.difference
    return Row(
        grouping=grouping,
        group=group,
        num_questions=num_questions,
        before=_number(change.before, is_share=is_share),
        after=_number(change.after, is_share=is_share),
        change=_signed(difference.value, is_share=is_share),
        interval=_interval(difference, is_share=is_share),
        plot=draw_difference(difference, reach=reach, name=f"{grouping} {group}"),
        gained="" if test is None else str(test.gained),
        lost="" if test is None else str(test.lost),
        p_value="" if test is None else f"{test.p_value:.2g}",
        p_adjusted="" if p_adjusted is None else f"{p_adjusted:.2g}",
    )


def _scores(comparison: Comparison) -> list[tuple[str, str, Row]]:
    if comparison.paired is None:
        return []
    changes = {name: change for name, change in comparison.paired.scores.items() if name != comparison.metric}
    meanings = dict(MEANINGS)
    if comparison.paired.ece is not None:
        changes["ece_equal_width"] = comparison.paired.ece
        meanings["ece_equal_width"] = "Calibration error over 15 bins of equal width; less is better."
    return [
        (name, meanings[name], _row("", name, change.num_completions, change, reach=1.0, is_share=name in SHARES))
        for name, change in changes.items()
    ]


def draw_difference(difference: Estimate, *, reach: float, name: str) -> Markup:
    """A difference with its interval on a line from `-reach` to `reach`, 0 in the middle; it fits any column."""
    if difference.value is None:
        return Markup("")

    def place(value: float) -> str:
        return f"{50 + 50 * max(-1.0, min(1.0, value / reach)):.2f}%"

    whisker = Markup("")
    spoken = f"{name}: {difference.value:+.3f}"
    if difference.low is not None and difference.high is not None:
        whisker = Markup('<line class="whisker" x1="{}" x2="{}" y1="11" y2="11"/>').format(
            place(difference.low), place(difference.high)
        )
        spoken += f" ({difference.low:.3f} to {difference.high:.3f})"
    return Markup(
        '<svg class="track" height="22" role="img" aria-label="{0}">'
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="22"/>'
        '<g class="mark after">{1}<circle cx="{2}" cy="11" r="5"/><title>{0}</title></g></svg>'
    ).format(spoken, whisker, place(difference.value))


def _reach(differences: Sequence[Estimate]) -> float:
    """A round number that no limit lies beyond: 1, 2 or 5 times a power of ten."""
    ends = [abs(end) for one in differences for end in (one.value, one.low, one.high) if end is not None]
    most = max(ends, default=0.0) or 0.01
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= most * 0.999)


def _number(value: float, *, is_share: bool) -> str:
    return f"{100 * value:.1f}%" if is_share else f"{value:.3f}"


def _signed(value: float | None, *, is_share: bool) -> str:
    if value is None:
        return "\u2013"
    return f"{round(100 * value, 1) or 0.0:+.1f}" if is_share else f"{value:+.3f}"


def _interval(estimate: Estimate, *, is_share: bool) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    if is_share:
        return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"
