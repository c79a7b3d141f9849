"""The page of a reader study's results."""

from pathlib import Path

from markupsafe import Markup

from radrl.evaluation.intervals import Estimate
from radrl.reader_study.axes import NAMES, SCALE
from radrl.reader_study.results import CONVENTIONS, Results
from radrl.report.charts import Share, draw_track
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static


def write_page(path: Path, results: Results) -> Path:
    """Write the results as one page that opens with no network."""
    style = read_static(*STYLES)
    html = (
        page_templates()
        .get_template("ratings.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            axes=NAMES,
            scale=SCALE,
            conventions=CONVENTIONS,
            results=results,
            tracks={
                model: {axis: _track(model, rating.mean) for axis, rating in ratings.items()}
                for model, ratings in results.models.items()
            },
        )
    )
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def _track(model: str, mean: Estimate) -> Markup | None:
    """A mean mark on a line from 1 to 5, drawn as the share of the way."""
    if mean.value is None:
        return None
    share = Share(value=_way(mean.value))
    if mean.low is not None and mean.high is not None:
        share = Share(value=_way(mean.value), low=_way(mean.low), high=_way(mean.high))
    return draw_track([("after", model, share)])


def _way(mark: float) -> float:
    return (mark - SCALE[0]) / (SCALE[-1] - SCALE[0])
