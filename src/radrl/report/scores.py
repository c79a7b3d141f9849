"""Numbers of a summary.json as the page shows them: whatever is undefined or of another shape is left out."""

from collections.abc import Mapping
from dataclasses import dataclass

from radrl.report.charts import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A model's results on one set of questions.

    Example: `Scores(num_questions=500, metrics={"accuracy": Share(value=0.48, low=0.44, high=0.52)}, counts={...})`
    """

    num_questions: int
    metrics: Mapping[str, Share]
    """Those that are defined, by name."""
    counts: Mapping[str, int]


def read_scores(block: Mapping[str, object]) -> Scores:
    """A block of summary.json: everything, or one kind, task, file or group."""
    counts = {name: value for name, value in object_in(block, "counts").items() if isinstance(value, int)}
    return Scores(
        num_questions=counts.get("questions", 0), metrics=shares_in(object_in(block, "metrics")), counts=counts
    )


def share_in(value: object) -> Share | None:
    """An estimate of the file: a number, or an object with value, low and high. None where it is undefined."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Share(value=float(value))
    if not isinstance(value, dict) or not isinstance(value.get("value"), (int, float)):
        return None
    low, high = value.get("low"), value.get("high")
    has_interval = isinstance(low, (int, float)) and isinstance(high, (int, float))
    return Share(value=float(value["value"]), low=low if has_interval else None, high=high if has_interval else None)


def shares_in(fields: Mapping[str, object]) -> dict[str, Share]:
    """Every estimate that is defined, by name."""
    found = {name: share_in(value) for name, value in fields.items()}
    return {name: share for name, share in found.items() if share is not None}


def object_in(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The object of that name; an empty one where there is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(fields: Mapping[str, object], name: str) -> dict[str, Mapping[str, object]]:
    """The objects that the object of that name holds."""
    return {key: value for key, value in object_in(fields, name).items() if isinstance(value, dict)}


def texts_in(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    """The list of that name as texts; empty where there is none."""
    value = fields.get(name)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def number_in(fields: Mapping[str, object], name: str) -> int:
    """The count of that name; 0 where there is none."""
    value = fields.get(name)
    return value if isinstance(value, int) else 0
