"""The one parser of think and answer tags, shared by rewards, metrics, curriculum and report.

One pass over the tags, no backtracking: the cost grows with the length of the text whatever the text is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_TAG = re.compile("</?(?:think|answer)>")
_SHAPE = {"<think>": "(", "</think>": ")", "<answer>": "[", "</answer>": "]"}
"""Tags as single characters: the tags of a strict trace read `()[]()[]`."""
_UNIT = re.compile(r"\(\)\[\]|\(\)|\[\]|.")
"""Tags that belong together: a whole step, a half of one, or a tag without its partner."""
_STOPS = (".", "!", "?", "。", "！", "？")
_SENTENCE_END = re.compile(r"[!?。！？]|\.(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a text and where it stands.

    Example: in `<think>clear</think>` the thought is `Span(start=7, end=12, text="clear")`
    """

    start: int
    """First code point."""
    end: int
    """One past the last code point."""
    text: str
    """What stands there, surrounding whitespace included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A thought and the answer it leads to."""

    think: Span
    answer: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a completion says, step by step, and whether it says it in the agreed form.

    Example: `<think>a</think><answer>x</answer> bye` has one step, is not strict, and its problem is
    `text outside the tags at 32`.
    """

    steps: tuple[Step, ...]
    """Every complete pair of thought and answer, in order, also where the rest is malformed."""
    answers: tuple[Span, ...]
    """Every complete answer block that does not stand inside a thought; the steps' answers are among them."""
    is_strict: bool
    """One or more steps in order and nothing else but whitespace between them."""
    problems: tuple[str, ...] = ()
    """Why the trace is not strict: each kind of fault once, with its first position and how often it occurs."""


def parse_trace(text: str) -> Trace:
    """Read `<think>...</think><answer>...</answer>` pairs; tags are lower case and hold no blanks.

    A step is the four tags in a row. A tag that belongs to no step is a problem, never a reason to give up, so a
    truncated or malformed completion keeps the steps it did finish. An answer inside an unclosed thought is no
    answer.

    Deviates from both seeds: they search with backtracking expressions, one of which needs minutes for 20 pairs and a
    stray character and lets one tag nest in another.

    >>> parse_trace("<think>clear</think><answer>no finding</answer>").steps[0].answer.text
    'no finding'
    """
    tags = tuple(_TAG.finditer(text))
    if not tags:
        return Trace(steps=(), answers=(), is_strict=False, problems=("no think or answer tags",))
    reader = _Reader(text=text, tags=tags)
    for unit in _UNIT.finditer("".join(_SHAPE[tag.group()] for tag in tags)):
        reader.read(unit.group(), unit.start())
    reader.read_outside(len(text))
    return Trace(
        steps=tuple(reader.steps),
        answers=tuple(reader.answers),
        is_strict=bool(reader.steps) and not reader.faults,
        problems=tuple(fault.describe(kind) for kind, fault in reader.faults.items()),
    )


def final_answer(trace: Trace) -> str | None:
    """Text of the last answer block, which is the last step's in a well-formed trace; None when there is none."""
    return trace.answers[-1].text.strip() if trace.answers else None


def think_text(trace: Trace) -> str:
    """All thoughts of the trace, one a line and each closed by a full stop: the reasoning without its tags and answers.

    Without the stop, `no edema` in one thought would reach into the next and deny that too.

    >>> think_text(parse_trace("<think>no edema</think><answer>edema ❌</answer>"))
    'no edema.'
    """
    thoughts = (step.think.text.strip() for step in trace.steps)
    return "\n".join(thought if thought.endswith(_STOPS) else f"{thought}." for thought in thoughts if thought)


def first_sentence(text: str) -> str:
    """The answer of Answer-First data: what stands before the first `. ! ?` or wide form of it, decimal points aside.

    >>> first_sentence("A 2.5 cm nodule. It lies in the right upper zone.")
    'A 2.5 cm nodule'
    """
    end = _SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip()


def after_first_sentence(text: str) -> str:
    """The reasoning of Answer-First data: what follows the answer; empty where nothing does."""
    end = _SENTENCE_END.search(text)
    return text[end.end() :].strip() if end else ""


@dataclass(slots=True)
class _Fault:
    first: int
    count: int = 1

    def describe(self, kind: str) -> str:
        return f"{kind} at {self.first}" + (f" and {self.count - 1} more" if self.count > 1 else "")


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Turns units into steps, answers and faults, from left to right."""

    text: str
    tags: Sequence[re.Match[str]]
    steps: list[Step] = field(default_factory=list[Step])
    answers: list[Span] = field(default_factory=list[Span])
    faults: dict[str, _Fault] = field(default_factory=dict[str, _Fault])
    """Kind -> where and how often. Kinds, not occurrences, so that a megabyte of tags makes a short message."""
    end: int = 0
    """Where the last unit ended; what stands between it and the next one is outside."""
    is_in_thought: bool = False
    """Whether a thought was opened and not closed."""

    def read(self, unit: str, first: int) -> None:
        """Take in the tags of a unit, of which `first` is the first."""
        start = self.tags[first].start()
        self.read_outside(start)
        self.end = self.tags[first + len(unit) - 1].end()
        match unit:
            case "()[]":
                self._read_step(first)
            case "()":
                self._fault("thought without an answer", start)
                self.is_in_thought = False
            case "[]":
                self._fault("answer without a thought", start)
                if not self.is_in_thought:
                    self.answers.append(self._inside(first))
            case "(" | "[":
                self._fault(f"{self.tags[first].group()} that is not closed", start)
                self.is_in_thought = self.is_in_thought or unit == "("
                self.end = self._next_start(first)
            case _:
                self._fault(f"{self.tags[first].group()} that was not opened", start)
                self.is_in_thought = self.is_in_thought and unit != ")"

    def read_outside(self, start: int) -> None:
        """Note text between the last unit and `start`."""
        if start > self.end and not self.text[self.end : start].isspace():
            self._fault("text outside the tags", self.end)

    def _read_step(self, first: int) -> None:
        step = Step(think=self._inside(first), answer=self._inside(first + 2))
        between = self.tags[first + 1].end()
        if self.text[between : self.tags[first + 2].start()].strip():
            self._fault("text between thought and answer", between)
        self.steps.append(step)
        self.answers.append(step.answer)
        self.is_in_thought = False

    def _inside(self, opening: int) -> Span:
        start, end = self.tags[opening].end(), self.tags[opening + 1].start()
        return Span(start=start, end=end, text=self.text[start:end])

    def _next_start(self, tag: int) -> int:
        return self.tags[tag + 1].start() if tag + 1 < len(self.tags) else len(self.text)

    def _fault(self, kind: str, position: int) -> None:
        if kind in self.faults:
            self.faults[kind].count += 1
        else:
            self.faults[kind] = _Fault(position)
