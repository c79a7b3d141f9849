"""The page beside a selection: what was taken of each stratum, and whether neighbours of hard questions are hard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from radrl.report.charts import LineChart, draw_lines
from radrl.report.series import Point
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static

ROLES: Mapping[str, str] = {
    "hard": "hard for the model",
    "neighbour": "like a hard one",
    "drawn": "drawn by a policy that looks at neither",
}
"""Why a question was taken, for the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumRow:
    """What became of one stratum.

    Example: `StratumRow(name="presence_yes", num_pool=400, num_eligible=90, num_taken=45)`
    """

    name: str
    num_pool: int
    num_eligible: int
    """Of pool and gallery, those that the policy may draw."""
    num_taken: int


def write_selection_page(
    path: Path,
    *,
    title: str,
    policy: str,
    rows: Sequence[StratumRow],
    roles: Mapping[str, int],
    pools: Mapping[str, int],
    curve: Mapping[int, float],
    base_rate: float | None,
) -> Path:
    """Write the page. `curve` is k -> share of the k nearest neighbours that are wrong, empty without any."""
    style = read_static(*STYLES)
    html = (
        page_templates()
        .get_template("mining.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            title=title,
            policy=policy,
            style=Markup(style),
            style_hash=content_hash(style),
            rows=rows,
            roles=[(ROLES[role], num) for role, num in roles.items()],
            pools=pools,
            curve=_chart(curve) if curve else None,
            base_rate=base_rate,
        )
    )
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def _chart(curve: Mapping[int, float]) -> Markup:
    points = tuple(Point(x=k, y=share) for k, share in sorted(curve.items()))
    return draw_lines(LineChart(title="Neighbours answered wrong", points=points, is_share=True, counted="Neighbours"))
