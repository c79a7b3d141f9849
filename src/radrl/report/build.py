"""Builds the report of a run: one HTML file that opens from disk with no network."""

from pathlib import Path

from radrl.errors import DataError
from radrl.report.evaluation_page import build_evaluation_page, is_evaluation
from radrl.report.folder import RunFolder, read_run
from radrl.report.page import Choice, render_page
from radrl.report.payment import terms_of
from radrl.report.rollouts import read_rollouts
from radrl.report.selection import choose_rollouts
from radrl.report.viewer import Viewer, make_viewer

MAX_ROLLOUTS = 300
"""Rollouts embedded at most: more than anyone reads, few enough for a page that opens at once."""

MAX_BYTES = 15_000_000
"""Largest page in bytes."""


def build_report(
    run: Path, *, out: Path | None = None, max_rollouts: int = MAX_ROLLOUTS, max_bytes: int = MAX_BYTES
) -> Path:
    """Write the report of a run folder to `out` (by default `report.html` in it) and return its path.

    A folder of `radrl evaluate` gets the page of its evaluation, whatever the limits.

    Reads metrics.jsonl, completions.jsonl, config.yaml, environment.json, evaluation/*/ and a demo's summary.json; a
    section whose file is missing says so. The page never exceeds `max_bytes`: rollouts are left out until it fits,
    which it states. Raises DataError when the folder holds nothing to report, a file is malformed, or the size leaves
    no room for a page.
    """
    if is_evaluation(run):
        return build_evaluation_page(run, out=out)
    folder = read_run(run)
    chosen = choose_rollouts(folder.entries, limit=max_rollouts)
    terms = terms_of(folder.settings) if folder.settings else {}
    viewer = make_viewer(read_rollouts(folder.completions, chosen), run=run, terms=terms)
    page = _fit(folder, viewer, max_bytes=max_bytes)
    path = out or run / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(page)
    return path


def _fit(folder: RunFolder, viewer: Viewer, *, max_bytes: int) -> bytes:
    """The page with as many of the rollouts as its size allows, the least wanted left out first."""
    num, num_chosen = len(viewer.rollouts), len(viewer.rollouts)
    while True:
        choice = Choice(num_shown=num, num_all=len(folder.entries), is_cut=num < num_chosen, max_bytes=max_bytes)
        page = render_page(folder, viewer.first(num), choice)
        if len(page) <= max_bytes:
            return page
        if num == 0:
            raise DataError(
                f"the report of {folder.path} takes {len(page)} bytes without any rollout, over the limit of "
                f"{max_bytes}. Raise max_bytes."
            )
        num = min(num - 1, int(num * 0.95 * max_bytes / len(page)))
