"""Knowledge graphs side by side as inline SVG, drawn in Python, and the page that shows a few of them.

Colour says what kind of thing a node is; the border and a mark say whether the other side agrees, so that nothing rests
on colour alone. Labels stand inside boxes on a grid and edges between the columns, so nothing covers a label.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup, escape

from radrl.graph.surface import fact_name
from radrl.graph.types import EntityType, KnowledgeGraph
from radrl.report.graph_layout import Edge, Node, PairLayout, Side, lay_out
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static
from radrl.types import Triplet

_COLUMN_X = (0, 140, 358)
_COLUMN_WIDTH = (90, 168, 170)
_COLUMN_NAMES = ("severity", "finding or device", "place")
_PANEL_WIDTH, _PANEL_GAP, _MARGIN = 528, 28, 8
_TOP, _ROW, _BOX = 50, 46, 34
"""px of the drawing's own coordinates: where boxes begin, height of a row, height of a box."""
_BOW = 46
"""px that a bow between two findings reaches to their left at most."""
_CHARACTER = 6.4
"""Width of a letter of the label's type size; the widest fonts in use stay below it."""

_Role = Literal["shared", "contradicted", "missed", "added", "plain"]
"""What the other side says of a node or a fact; plain where there is no other side."""

_MARKS: Mapping[_Role, str] = {"shared": "=", "contradicted": "\u2260", "missed": "\u2212", "added": "+"}
_MEANINGS: Mapping[_Role, str] = {
    "shared": "both say so",
    "contradicted": "the other side says the opposite",
    "missed": "only the reference says so",
    "added": "only the prediction says so",
}
_NO_OTHER_SIDE = "stated"
_KINDS: Mapping[EntityType, str] = {
    EntityType.DISORDER: "finding",
    EntityType.DEVICE: "device",
    EntityType.ANATOMY: "place",
    EntityType.CONCEPT: "severity or course",
}
_PREFIXES = {"present": "", "absent": "no ", "uncertain": "possible "}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPair:
    """One pair as the page shows it.

    Example: `DrawnPair(id="p1-s1-q0", note="entity F1 0.67", predicted=..., reference=..., predicted_text="No edema.",
                        reference_text="Edema.")`
    """

    id: str
    note: str
    """The pair's own numbers, in words."""
    predicted: KnowledgeGraph
    reference: KnowledgeGraph
    predicted_text: str | None
    reference_text: str | None


def graph_pair_svg(predicted: KnowledgeGraph, reference: KnowledgeGraph) -> Markup:
    """Both graphs on one grid, the reference on the left: a statement that one side lacks leaves a gap there."""
    layout = lay_out(predicted=predicted, reference=reference)
    lefts = [_left_edge(side) for side in (layout.reference, layout.predicted)]
    widths = [_PANEL_WIDTH - left for left in lefts]
    height = _TOP + _ROW * max(*layout.num_rows, 1)
    width = sum(widths) + _PANEL_GAP + 2 * _MARGIN
    middle = _MARGIN + widths[0] + _PANEL_GAP / 2
    second = _MARGIN + widths[0] + _PANEL_GAP
    panels = Markup("").join(
        (
            _panel(layout.reference, layout, title="Reference", own="missed", x=_MARGIN, left=lefts[0]),
            _panel(layout.predicted, layout, title="Prediction", own="added", x=second, left=lefts[1]),
        )
    )
    divider = Markup('<line class="divider" x1="{0}" x2="{0}" y1="4" y2="{1}"/>').format(middle, height)
    num_columns = 2 * len(_COLUMN_X) - sum(left > 0 for left in lefts)
    return Markup(
        '<svg class="graphs" data-columns="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>'
    ).format(num_columns, width, height, _spoken(layout), divider, panels)


def graph_svg(graph: KnowledgeGraph, *, title: str) -> Markup:
    """One graph by itself, with nothing to agree or disagree with."""
    layout = lay_out(predicted=graph, reference=KnowledgeGraph.from_triplets(()))
    left = _left_edge(layout.predicted)
    height = _TOP + _ROW * max(*layout.num_rows, 1)
    width = _PANEL_WIDTH - left + 2 * _MARGIN
    facts = "; ".join(_said(edge.fact) for edge in layout.predicted.edges) or "states no fact"
    panel = _panel(layout.predicted, layout, title=title, own="plain", x=_MARGIN, left=left)
    return Markup('<svg class="graphs alone" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, f"{title}: {facts}", panel
    )


def highlight(text: str, graph: KnowledgeGraph, *, side: Side, own: _Role) -> Markup:
    """A text with its mentions marked as their nodes are; of mentions that overlap the first and longest is marked."""
    roles = {(node.name, node.certainty): _role(node.agreement, own) for node in side.nodes}
    parts: list[Markup] = []
    position = 0
    mentions = [entity for entity in graph.entities if entity.start is not None and entity.end is not None]
    for entity in sorted(mentions, key=lambda entity: (entity.start, -(entity.end or 0))):
        start, end = entity.start or 0, entity.end or 0
        if start < position or end > len(text):
            continue
        is_claimed = entity.type in (EntityType.DISORDER, EntityType.DEVICE)
        name = fact_name(entity.canonical) if is_claimed else entity.canonical
        role = roles.get((name, entity.certainty if is_claimed else "present"), "plain")
        title = f"{_PREFIXES[entity.certainty] if is_claimed else ''}{entity.canonical}"
        parts.append(escape(text[position:start]))
        parts.append(
            Markup('<mark class="{} {}" title="{}">{}</mark>').format(entity.type.value, role, title, text[start:end])
        )
        position = end
    return Markup("").join((*parts, escape(text[position:])))


def write_graph_page(path: Path, pairs: Sequence[DrawnPair], sources: Mapping[str, str], *, num_all: int) -> Path:
    """Write one HTML file that draws the pairs; it opens from disk with no network and holds no script."""
    style = read_static(*STYLES)
    html = (
        page_templates()
        .get_template("graphs.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            sources=sources,
            num_all=num_all,
            pairs=[_shown(pair) for pair in pairs],
            legend=legend(),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Lone surrogates, which JSON may hold, have no UTF-8 form; a question mark stands for each.
    path.write_bytes(html.encode("utf-8", errors="replace"))
    return path


def _shown(pair: DrawnPair) -> dict[str, object]:
    layout = lay_out(predicted=pair.predicted, reference=pair.reference)
    texts: list[tuple[str, Markup | None]] = [("Reference", None), ("Prediction", None)]
    if pair.reference_text is not None:
        texts[0] = (texts[0][0], highlight(pair.reference_text, pair.reference, side=layout.reference, own="missed"))
    if pair.predicted_text is not None:
        texts[1] = (texts[1][0], highlight(pair.predicted_text, pair.predicted, side=layout.predicted, own="added"))
    svg = graph_pair_svg(pair.predicted, pair.reference)
    return {"id": pair.id, "note": pair.note, "svg": svg, "texts": texts}


def _left_edge(side: Side) -> int:
    """px that a panel leaves out on its left: the column of severities where it has none, but for bows into it."""
    if any(node.column == 0 for node in side.nodes):
        return 0
    has_bow = any(edge.fact.relation == "suggestive_of" for edge in side.edges)
    return _COLUMN_X[1] - (_BOW if has_bow else 0) - _MARGIN


def _panel(side: Side, layout: PairLayout, *, title: str, own: _Role, x: float, left: int) -> Markup:
    centres = [_centre(node, layout) for node in side.nodes]
    edges = [_edge(edge, side, centres, own=own) for edge in side.edges]
    boxes = [_box(node, y, own=own) for node, y in zip(side.nodes, centres, strict=True)]
    heads = [
        Markup('<text class="column" x="{}" y="40">{}</text>').format(start + width / 2, name)
        for start, width, name in zip(_COLUMN_X, _COLUMN_WIDTH, _COLUMN_NAMES, strict=True)
        if start >= left
    ]
    empty = (
        ""
        if side.nodes
        else Markup('<text class="empty-graph" x="{}" y="{}">states no fact</text>').format(
            (left + _PANEL_WIDTH) / 2, _TOP + _ROW / 2
        )
    )
    return Markup('<g transform="translate({} 0)"><text class="side" x="{}" y="18">{}</text>{}{}</g>').format(
        x - left, left, title, Markup("").join((*heads, *edges, *boxes)), empty
    )


def _centre(node: Node, layout: PairLayout) -> float:
    """Height of a node: the places of its column, spread evenly over the drawing."""
    num, most = layout.num_rows[node.column], max(layout.num_rows)
    return _TOP + _ROW * most * (node.row + 0.5) / num


def _role(agreement: str, own: _Role) -> _Role:
    roles: Mapping[str, _Role] = {"shared": "shared", "contradicted": "contradicted", "own": own}
    return roles[agreement]


def _box(node: Node, y: float, *, own: _Role) -> Markup:
    role = _role(node.agreement, own)
    x, width, top = _COLUMN_X[node.column], _COLUMN_WIDTH[node.column], y - _BOX / 2
    label = f"{_PREFIXES.get(node.certainty, '') if node.column == 1 else ''}{node.name}"
    lines = textwrap.wrap(label, width=int((width - 22) / _CHARACTER), max_lines=2, placeholder="\u2026") or [label]
    first = y + 4 - 6.5 * (len(lines) - 1)
    words = Markup("").join(
        Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(x + width / 2, first + 13 * number, line)
        for number, line in enumerate(lines)
    )
    title = f"{label} ({_KINDS.get(node.type, node.type.value)}): {_MEANINGS.get(role, _NO_OTHER_SIDE)}"
    parts = Markup("").join((_shape(node.type, x, top, width), words, _mark(role, x + width, top)))
    return Markup('<g class="node {} {} {}">{}<title>{}</title></g>').format(
        node.type.value, role, node.certainty, parts, title
    )


def _shape(kind: EntityType, x: float, y: float, width: float) -> Markup:
    """Findings are rounded, places are pills, devices have cut corners, everything else is square."""
    if kind is EntityType.DEVICE:
        cut, right, bottom = 8, x + width, y + _BOX
        corners = (
            *((x + cut, y), (right - cut, y), (right, y + cut), (right, bottom - cut)),
            *((right - cut, bottom), (x + cut, bottom), (x, bottom - cut), (x, y + cut)),
        )
        return Markup('<polygon points="{}"/>').format(" ".join(f"{px:.1f},{py:.1f}" for px, py in corners))
    radius = {EntityType.DISORDER: 7, EntityType.ANATOMY: _BOX / 2}.get(kind, 0)
    return Markup('<rect x="{}" y="{:.1f}" width="{}" height="{}" rx="{:g}"/>').format(x, y, width, _BOX, radius)


def _mark(role: _Role, x: float, y: float) -> Markup:
    if role not in _MARKS:
        return Markup()
    return Markup(
        '<g class="sign"><circle cx="{0:.1f}" cy="{1:.1f}" r="7.5"/><text x="{0:.1f}" y="{2:.1f}">{3}</text></g>'
    ).format(x - 4, y + 2, y + 6, _MARKS[role])


def _edge(edge: Edge, side: Side, centres: Sequence[float], *, own: _Role) -> Markup:
    """A curve in the gap between two columns with its arrow at the tail; within a column, a bow on its left."""
    head, tail = side.nodes[edge.head], side.nodes[edge.tail]
    start, end = centres[edge.head], centres[edge.tail]
    if head.column == tail.column:
        x1 = x2 = _COLUMN_X[head.column]
        bend = x1 - min(_BOW, 18 + abs(end - start) / 8)
        arrow = 1
    else:
        is_forward = head.column < tail.column
        x1 = _COLUMN_X[head.column] + (_COLUMN_WIDTH[head.column] if is_forward else 0)
        x2 = _COLUMN_X[tail.column] + (0 if is_forward else _COLUMN_WIDTH[tail.column])
        bend = (x1 + x2) / 2
        arrow = 1 if is_forward else -1
    role = _role(edge.agreement, own)
    title = f"{_said(edge.fact)}: {_MEANINGS.get(role, _NO_OTHER_SIDE)}"
    return Markup(
        '<g class="edge {} {}"><path d="M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}"/>'
        '<path class="arrow" d="M{:.1f} {:.1f}l{} -4v8z"/><title>{}</title></g>'
    ).format(role, edge.fact.relation, x1, start, bend, start, bend, end, x2, end, x2, end, -7 * arrow, title)


def _said(fact: Triplet) -> str:
    return f"{_PREFIXES[fact.certainty]}{fact.head} {fact.relation} {fact.tail}"


def _spoken(layout: PairLayout) -> str:
    counts = {
        role: sum(edge.agreement == agreement for edge in side.edges)
        for role, side, agreement in (
            ("stated by both", layout.reference, "shared"),
            ("contradicted", layout.reference, "contradicted"),
            ("only in the reference", layout.reference, "own"),
            ("only in the prediction", layout.predicted, "own"),
        )
    }
    facts = ", ".join(f"{count} {role}" for role, count in counts.items())
    return f"Knowledge graphs of reference and prediction. Facts: {facts}"


def legend() -> list[tuple[str, list[tuple[Markup, str]]]]:
    """Samples of every kind of box and border, with what they mean."""
    kinds = [
        (_sample(Markup('<g class="node {}">{}</g>').format(kind.value, _shape(kind, 1, 1, 52)), 54), name)
        for kind, name in _KINDS.items()
    ]
    borders = [
        (
            _sample(
                Markup('<g class="node plain {}"><rect x="1" y="8" width="46" height="27" rx="7"/>{}</g>').format(
                    role, _mark(role, 47, 8)
                ),
                54,
            ),
            meaning,
        )
        for role, meaning in _MEANINGS.items()
    ]
    return [("Kind", kinds), ("Agreement", borders)]


def _sample(drawing: Markup, width: int) -> Markup:
    return Markup(
        '<svg class="graphs sample" width="{0}" height="36" viewBox="0 0 {0} 36" aria-hidden="true">{1}</svg>'
    ).format(width, drawing)
