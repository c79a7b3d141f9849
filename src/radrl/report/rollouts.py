"""Rollouts of a run as `completions.jsonl` records them: a light index of all, and whole records of the chosen ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radrl.data.completions import read_sample
from radrl.data.sources import Row
from radrl.errors import DataError
from radrl.report.records import Line, read_line_at, read_lines
from radrl.rewards.api import Attempt
from radrl.text import parse_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEntry:
    """What curves and selection need of one rollout, and where the rest of it stands in the file.

    Example: `RolloutEntry(number=1, offset=0, step=1, stage="closed", kind="presence", id="q1", index=0,
                           outcome=1.0, rewards={"format": 1.0, "answer_f1": 1.0}, num_tokens=17)`
    """

    number: int
    """Line of the file, from 1."""
    offset: int
    """Bytes from the start of the file."""
    step: int
    stage: str
    kind: str
    id: str
    index: int
    outcome: float
    """Declared outcome in [0, 1]."""
    rewards: Mapping[str, float | None]
    """Raw parts; None where the reward abstained."""
    num_tokens: int

    @property
    def mean_part(self) -> float:
        """Mean of the parts that did not abstain: breaks ties of the outcome."""
        values = [value for value in self.rewards.values() if value is not None]
        return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecord:
    """One whole record of `completions.jsonl`."""

    step: int
    stage: str
    id: str
    index: int
    kind: str
    prompt: str
    images: tuple[str, ...]
    """Paths, absolute or relative to the run folder."""
    reference: str
    """Gold trace."""
    completion: str
    tokens: tuple[str, ...]
    """[R] texts of the tokens; empty when the file holds none that fit the completion."""
    logprobs: tuple[float, ...]
    """[R] nats, aligned with the tokens."""
    stop: str
    rewards: Mapping[str, float | None]
    outcome: float
    advantage: float | None
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    """Reward -> why it gave no score."""
    attempt: Attempt | None = None
    """The rollout as a reward sees it; None where the line says too little of its question to score it again."""


def index_rollouts(path: Path) -> list[RolloutEntry]:
    """Every rollout of the file, in its order."""
    return [_entry(line) for line in read_lines(path)]


def read_rollouts(path: Path, entries: Sequence[RolloutEntry]) -> list[RolloutRecord]:
    """The whole records of these entries, in their order."""
    return [_record(read_line_at(path, offset=entry.offset, number=entry.number)) for entry in entries]


def _entry(line: Line) -> RolloutEntry:
    return RolloutEntry(
        number=line.number,
        offset=line.offset,
        step=int(line.number_of("step")),
        stage=line.text("stage", default=""),
        kind=line.text("kind", default=""),
        id=line.text("id"),
        index=int(line.number_of("index")),
        outcome=line.number_of("outcome"),
        rewards=_rewards(line),
        num_tokens=len(line.list_of("completion_ids")),
    )


def _record(line: Line) -> RolloutRecord:
    completion = line.text("completion")
    tokens, logprobs = _tokens(line, completion=completion)
    return RolloutRecord(
        step=int(line.number_of("step")),
        stage=line.text("stage", default=""),
        id=line.text("id"),
        index=int(line.number_of("index")),
        kind=line.text("kind", default=""),
        prompt=line.text("prompt", default=""),
        images=tuple(str(path) for path in line.list_of("images")),
        reference=line.text("answer", default=""),
        completion=completion,
        tokens=tokens,
        logprobs=logprobs,
        stop=line.text("stop", default=""),
        rewards=_rewards(line),
        outcome=line.number_of("outcome"),
        advantage=None if line.fields.get("advantage") is None else line.number_of("advantage"),
        failures=_failures(line),
        attempt=_attempt(line),
    )


def _rewards(line: Line) -> dict[str, float | None]:
    value = line.fields.get("rewards") or {}
    if not isinstance(value, dict):
        raise line.wrong("rewards", value, "an object of reward names and numbers")
    parts: dict[str, float | None] = {}
    for name, part in value.items():
        if part is not None and (isinstance(part, bool) or not isinstance(part, (int, float))):
            raise line.wrong(f"rewards.{name}", part, "a number or null")
        parts[name] = part
    return parts


def _failures(line: Line) -> dict[str, str]:
    value = line.fields.get("failures") or {}
    if not isinstance(value, dict):
        raise line.wrong("failures", value, "an object of reward names and reasons")
    return {name: str(reason) for name, reason in value.items()}


def _attempt(line: Line) -> Attempt | None:
    """None for a line that `radrl score` would refuse: it can be shown all the same, and the page counts such lines."""
    try:
        sample = read_sample(Row(fields=line.fields, file=line.path, line=line.number))
    except DataError:
        return None
    text, num_tokens = line.text("completion"), len(line.list_of("completion_ids"))
    limit = line.fields.get("max_tokens")
    return Attempt(
        sample=sample,
        text=text,
        trace=parse_trace(text),
        num_tokens=num_tokens,
        max_tokens=limit if isinstance(limit, int) else num_tokens,
        is_cut=line.text("stop", default="") == "length",
    )


def _tokens(line: Line, *, completion: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Tokens with their log-probabilities; a file that holds no token texts for the completion gives none."""
    texts = tuple(str(text) for text in line.list_of("raw_completion_tokens"))
    values = line.list_of("per_token_logps")
    logprobs = tuple(float(value) for value in values if isinstance(value, (int, float)))
    aligned = len(texts) == len(values) == len(logprobs) and "".join(texts) == completion
    return (texts, logprobs) if aligned else ((), ())
