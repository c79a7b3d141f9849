"""Questions of an evaluation to read one by one: what was asked, what was right, what the model said and why."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from radrl.report.evaluations import shown_names
from radrl.report.images import Thumbnail, make_thumbnail
from radrl.report.labels import kind_label
from radrl.report.records import Line, read_lines
from radrl.text import parse_trace

WRONG_PER_KIND = 6
"""Wrong answers shown of each kind of question."""
UNREADABLE_SHOWN = 12
LONGEST_TEXT = 4000
"""Code points of a completion that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, as the model answered it.

    Example: `Case(id="p1-s1-q0", kind="presence", question="Is there edema?", gold="yes", answer="no",
                   steps=(("the vessels are sharp", "no"),), text="<think>...", num_cut=0, films=(...,))`
    """

    id: str
    kind: str
    question: str
    gold: str
    answer: str
    steps: tuple[tuple[str, str], ...]
    """Thought and answer of each step; empty where the text holds none."""
    text: str
    """What the model wrote, its first 4,000 code points."""
    num_cut: int
    """Code points that are left out."""
    films: tuple[tuple[str, Thumbnail | None], ...]
    """Name and picture of each film; None for one that cannot be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAnswers:
    """Wrong answers to one kind of question, some of them to read."""

    label: str
    key: str
    num: int
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What is shown of a samples.jsonl."""

    wrong: tuple[WrongAnswers, ...]
    """By kind; unreadable answers are not among them."""
    unreadable: tuple[Case, ...]
    num_unreadable: int


def read_cases(file: Path) -> Cases:
    """Choose the cases to show: of every kind wrong answers spread evenly over the file, and the first unreadable ones.

    Without the file there are none.
    """
    wrong: defaultdict[str, list[Line]] = defaultdict(list)
    unreadable: list[Line] = []
    for line in read_lines(file) if file.exists() else ():
        if line.fields.get("prediction") is None:
            unreadable.append(line)
        elif not line.fields.get("correct"):
            wrong[line.text("kind", default="")].append(line)
    thumbnails: dict[str, Thumbnail | None] = {}
    return Cases(
        wrong=tuple(
            WrongAnswers(
                label=kind_label(kind), key=kind, num=len(lines), cases=_cases(_spread(lines), file, thumbnails)
            )
            for kind, lines in sorted(wrong.items())
        ),
        unreadable=_cases(unreadable[:UNREADABLE_SHOWN], file, thumbnails),
        num_unreadable=len(unreadable),
    )


def _spread(lines: Sequence[Line]) -> list[Line]:
    """Some of the lines, evenly spaced, the first among them."""
    num = min(len(lines), WRONG_PER_KIND)
    return [lines[place * len(lines) // num] for place in range(num)]


def _cases(lines: Iterable[Line], file: Path, thumbnails: dict[str, Thumbnail | None]) -> tuple[Case, ...]:
    return tuple(_case(line, file.parent, thumbnails) for line in lines)


def _case(line: Line, folder: Path, thumbnails: dict[str, Thumbnail | None]) -> Case:
    text = line.text("generated_text", default="")
    paths = [str(path) for path in line.list_of("images")]
    for path in paths:
        if path not in thumbnails:
            thumbnails[path] = make_thumbnail(folder / path)
    return Case(
        id=line.text("id"),
        kind=line.text("kind", default=""),
        question=line.text("question").replace("<image>", "").strip(),
        gold=shown_names(line.fields.get("answer")),
        answer=shown_names(line.fields.get("prediction")),
        steps=tuple((step.think.text.strip(), step.answer.text.strip()) for step in parse_trace(text).steps),
        text=text[:LONGEST_TEXT],
        num_cut=max(len(text) - LONGEST_TEXT, 0),
        films=tuple((Path(path).name, thumbnails[path]) for path in paths),
    )
