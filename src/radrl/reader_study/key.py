"""What the readers must not see: which item is whose answer to what. Kept apart from their sheets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radrl.durable import write_atomically
from radrl.errors import DataError

FORMAT = 1
FILE = "key.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One of the evaluations that are compared."""

    name: str
    """What results call it: as the evaluation does, or its folder where two have the same name."""
    evaluation: str
    """Folder of the evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the study."""

    id: str
    patient_id: str
    kind: str
    weight: float
    """Questions of the evaluation that it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of a model's answer to a question."""

    question: str
    model: str
    correct: bool
    """By the strict rule."""
    graph_f1: float | None
    """Agreement of its reasoning with the reference graph; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of a rater's sheet.

    Example: `Item(code="XKCDQR", question="p0001-s1-q0", model="runs/rl/model", is_repeat=False)`
    """

    code: str
    """What the sheet and the booklet call it: letters that say nothing and that no spreadsheet takes for a number."""
    question: str
    model: str
    is_repeat: bool
    """Whether the rater has it a second time, to see how far they agree with themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Everything that makes ratings into results."""

    seed: int
    num_left_out: int
    """Questions of the evaluations in strata that no question of the study is of."""
    models: tuple[Model, ...]
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    sheets: Mapping[str, tuple[Item, ...]]
    """Rater -> their items, in their order."""


def write_key(folder: Path, key: Key) -> None:
    """Write key.json."""
    text = json.dumps({"format": FORMAT, **asdict(key)}, indent=1, ensure_ascii=False)
    write_atomically(folder / FILE, text + "\n")


def read_key(folder: Path) -> Key:
    """Read the key that `write_key` wrote. Raises DataError when it is not there or not such a file."""
    path = folder / FILE
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT:
            raise DataError(f"{path} has another format than {FORMAT}. Use the radrl that exported the study.")
        return Key(
            seed=fields["seed"],
            num_left_out=fields["num_left_out"],
            models=_all(Model, fields["models"]),
            questions=_all(Question, fields["questions"]),
            answers=_all(Answer, fields["answers"]),
            sheets={rater: _all(Item, items) for rater, items in fields["sheets"].items()},
        )
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {path}. Name the folder that `radrl reader-study export` wrote, with its key."
        ) from error
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as the key of a study: {error}. Export the study anew.") from error


def _all(kind: type, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return tuple(kind(**row) for row in rows)
