"""The booklet that a rater reads beside their sheet: film, question, reasoning and answer, not whose they are."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from radrl.data.images import open_image
from radrl.errors import DataError
from radrl.reader_study.axes import AXES, SCALE, Axis
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static
from radrl.text import parse_trace
from radrl.types import IMAGE_MARK, ImageRef

LONGEST_SIDE_PX = 1024
"""Films are scaled down to it, never up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A film as the booklet holds it, whatever number of items shows it."""

    key: str
    """Name within the page."""
    uri: str
    """`data:image/jpeg;base64,...`"""
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A thought and what it concludes, as the booklet shows them."""

    thought: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An item as a rater sees it.

    Example: `Shown(code="XKCDQR", question="Is there an effusion?", films=("film1",), text="<think>...")`
    """

    code: str
    question: str
    films: tuple[str, ...]
    """Keys of its films."""
    text: str
    """Everything the model wrote."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Thoughts and answers where the text is nothing else; empty where it is to be shown as it stands."""
        trace = parse_trace(self.text)
        if not trace.is_strict:
            return ()
        return tuple(Step(thought=step.think.text.strip(), answer=step.answer.text.strip()) for step in trace.steps)


def make_film(image: ImageRef, *, key: str) -> Film:
    """The film re-encoded, so that nothing but its pixels goes along. Raises DataError naming a file that is gone."""
    try:
        picture = open_image(image).convert("L")
    except DataError as error:
        raise DataError(
            f"a film of the study cannot be shown: {error} If it lies elsewhere now, --data and --image-dir say where."
        ) from error
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    picture.save(jpeg, format="JPEG", quality=92)
    uri = f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode('ascii')}"
    return Film(key=key, uri=uri, width=picture.width, height=picture.height)


def without_marks(question: str) -> str:
    """The question as it is read beside its films."""
    return " ".join(question.replace(IMAGE_MARK, " ").split())


def write_booklet(path: Path, *, rater: str, films: Mapping[str, Film], items: Sequence[Shown]) -> None:
    """Write the booklet as one page that opens with no network."""
    style = read_static(*STYLES, "booklet.css")
    used = {key for item in items for key in item.films}
    html = (
        page_templates()
        .get_template("booklet.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            rater=rater,
            axes=AXES,
            scale=SCALE,
            films={key: film for key, film in films.items() if key in used},
            items=items,
        )
    )
    path.write_text(html, encoding="utf-8", errors="replace")


def guide() -> str:
    """What to do and what each mark means, as plain text."""
    return f"""How to fill in the sheet

Open booklet.html in a browser and ratings.csv in a spreadsheet. Both have the same items in the same order.
Read the film yourself first. Then rate what is written about it; it need not be in your words.
Give every item a whole number from 1 to 5 on each axis, each axis by itself. Leave a cell empty when you cannot say.
Some items come twice; rate them afresh. Save the sheet as "CSV UTF-8" under the same name. Please do not talk about the
items with the other raters before all sheets are in.

{chr(10).join(_spelt_out(axis) for axis in AXES)}
{NOT_CLINICAL}.
"""


def _spelt_out(axis: Axis) -> str:
    marks = "\n".join(f"  {mark}  {anchor}" for mark, anchor in zip(SCALE, axis.anchors, strict=True))
    return f"{axis.name}: {axis.asks}\n{marks}\n"
