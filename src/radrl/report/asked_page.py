"""One answer as a page: the film, the steps, the graph of what they state, and every token shaded by its doubt."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from radrl.evaluation.single import SingleAnswer, Token, spoken
from radrl.report.graphs import graph_svg
from radrl.report.images import Thumbnail, make_thumbnail
from radrl.report.shell import NOT_CLINICAL, STYLES, content_hash, page_templates, read_static

FILM_PX = 640
"""Longest side of a film on the page."""
SHADES = 10
"""Steps of the shade from certain to unlikely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A question that one model was asked about one film or several.

    Example: `AskedQuestion(model="runs/x/y", question="Is there edema?", images=(Path("film.png"),),
                            answer=SingleAnswer(...), n=1, temperature=0.0)`
    """

    model: str
    question: str
    images: tuple[Path, ...]
    answer: SingleAnswer
    n: int
    """Answers that were drawn; the one that is shown is the most frequent."""
    temperature: float

    @property
    def summary(self) -> tuple[str, ...]:
        """What it comes to, a sentence a line: the answer, how sure it is, and what is wrong with it."""
        answer = self.answer
        lines = [_answer_line(answer)]
        if self.n > 1:
            votes = "; ".join(f"{name} {count}" for name, count in answer.votes)
            lines.append(f"{answer.agreement:.0%} of {self.n} answers agree with it ({votes}).")
        if answer.is_truncated:
            lines.append("The text was cut off at the length limit, before it ended. Raise --max-tokens.")
        if answer.problems and answer.steps:
            lines.append(f"The text is not think and answer pairs alone: {'; '.join(answer.problems)}.")
        return tuple(lines)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "model": self.model,
            "question": self.question,
            "images": [str(path) for path in self.images],
            "sampling": {"n": self.n, "temperature": self.temperature},
            **self.answer.to_json(),
            "note": f"{NOT_CLINICAL}.",
        }


def write_asked_page(path: Path, asked: AskedQuestion) -> Path:
    """Write one HTML file; it opens from disk with no network and holds no script."""
    shades = [f".doubt-{step} {{ --doubt: {step / SHADES:g}; }}" for step in range(SHADES + 1)]
    style = "\n".join((read_static(*STYLES), *shades))
    html = (
        page_templates()
        .get_template("asked.html.j2")
        .render(
            disclaimer=NOT_CLINICAL,
            style=Markup(style),
            style_hash=content_hash(style),
            asked=asked,
            answer=asked.answer,
            films=[_film(image) for image in asked.images],
            drawing=graph_svg(asked.answer.graph, title="Stated") if asked.answer.graph.triplets else None,
            tokens=shaded(asked.answer.tokens),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Lone surrogates, which a decoder may leave, have no UTF-8 form; a question mark stands for each.
    path.write_bytes(html.encode("utf-8", errors="replace"))
    return path


def shaded(tokens: tuple[Token, ...]) -> Markup:
    """The text token by token, the darker the less likely, those below one half underlined."""
    return Markup("").join(
        Markup('<span class="doubt-{}{}" title="{}">{}</span>').format(
            round((1 - min(token.probability, 1.0)) * SHADES),
            " unlikely" if token.is_unlikely else "",
            f"{token.probability:.0%}",
            escape(token.text),
        )
        for token in tokens
        if token.text
    )


def _answer_line(answer: SingleAnswer) -> str:
    if answer.names is None:
        why = "the text gives none" if answer.answer is None else f"{answer.answer.strip()!r:.120} cannot be read"
        return f"There is no readable answer: {why}."
    sure = "" if answer.confidence is None else f", with a probability of {answer.confidence:.0%}"
    return f"Answer: {spoken(answer.names)}{sure}."


def _film(path: Path) -> tuple[str, Thumbnail | None]:
    return path.name, make_thumbnail(path, longest_px=FILM_PX)
