"""The page: all that the report shows, put into the template. Text of a run is escaped; the script is named by hash."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from radrl.evaluation.verdict import AT_CHANCE
from radrl.report.curves import axis_of, demo_phases, extra_curves, gate_curves, learning_curves, phases, reward_curves
from radrl.report.evaluation_sections import sections_of
from radrl.report.folder import RunFolder
from radrl.report.graphs import legend
from radrl.report.payment import payments
from radrl.report.phases import phase_charts
from radrl.report.results import changes, headlines, pair_up, table, tiles, verdict
from radrl.report.series import stage_starts
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static
from radrl.report.viewer import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How the embedded rollouts were arrived at, for the reader."""

    num_shown: int
    num_all: int
    is_cut: bool
    """Whether rollouts were left out to keep the page within its size."""
    max_bytes: int


def render_page(run: RunFolder, viewer: Viewer, choice: Choice) -> bytes:
    """The whole page in UTF-8."""
    style, script = read_static(*STYLES), read_static("browser.js")
    html = (
        page_templates()
        .get_template("report.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            run=run,
            title=" / ".join(run.path.resolve().parts[-2:]),
            style=Markup(style),
            style_hash=content_hash(style),
            script=Markup(script),
            script_hash=content_hash(script),
            environment=_flatten(run.environment),
            choice=choice,
            num_disagreements=sum(bool(shown.judged.disagreement) for shown in viewer.rollouts),
            num_unexplained=sum(shown.record.attempt is None for shown in viewer.rollouts),
            graph_legend=legend(),
            data=viewer.to_json() if viewer.rollouts else None,
            **_results(run),
            **_training(run),
        )
    )
    # Lone surrogates, which JSON may hold, have no UTF-8 form; a question mark stands for each.
    return html.encode("utf-8", errors="replace")


def _results(run: RunFolder) -> dict[str, object]:
    """What the template is told of the evaluations; the first comparison, of held-out patients, is the main one."""
    comparisons = pair_up(run.evaluations)
    main = comparisons[0] if comparisons else None
    return {
        "main": main,
        "at_chance": AT_CHANCE,
        "notes": _notes(run.summary),
        "verdict": verdict(main) if main else (),
        "headlines": headlines(main) if main else (),
        "tiles": tiles(main) if main else (),
        "tables": [table(comparison) for comparison in comparisons],
        "changes": changes(main) if main else None,
        "sections": sections_of(main.shown.detail, plain_accuracy=main.shown.overall.metrics.get("accuracy"))
        if main
        else None,
    }


def _training(run: RunFolder) -> dict[str, object]:
    """What the template is told of the training steps and of their time."""
    rewarded = reward_curves(run)
    return {
        "curves": learning_curves(run),
        "has_stages": bool(stage_starts(run.metrics)),
        "payments": payments(run.settings, run.metrics) if run.settings and rewarded else (),
        "gate_curves": gate_curves(run),
        "reward_curves": rewarded,
        "extra_curves": extra_curves(run),
        "phases": phases(run),
        "phase_charts": phase_charts(run.metrics, span=axis_of(run)),
        "demo_phases": demo_phases(run.summary),
        "peak_memory_gb": _peak_memory_gb(run.summary),
    }


def _notes(summary: Mapping[str, object]) -> tuple[str, ...]:
    """What the demo itself has to say about its result."""
    notes = summary.get("notes")
    return tuple(str(note) for note in notes) if isinstance(notes, list) else ()


def _peak_memory_gb(summary: Mapping[str, object]) -> float | None:
    peak = summary.get("peak_rss_mb")
    return peak / 1024 if isinstance(peak, (int, float)) else None


def _flatten(value: Mapping[str, object], *, prefix: str = "") -> dict[str, str]:
    """`{"packages": {"torch": "2.13"}}` is `{"packages.torch": "2.13"}`."""
    flat: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flatten(item, prefix=f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = ", ".join(map(str, item)) if isinstance(item, list) else str(item)
    return flat
