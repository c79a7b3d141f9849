"""Evaluations on disk as the sides of a comparison, and what makes two of them hard to compare."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radrl.errors import DataError
from radrl.evaluation.records import EvalRecord, read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One evaluation as its folder holds it."""

    path: Path
    summary: Mapping[str, object]
    """summary.json."""
    records: tuple[EvalRecord, ...]
    """samples.jsonl."""

    def part(self, name: str) -> Mapping[str, object]:
        """An object of the summary; empty where it has none of that name."""
        value = self.summary.get(name)
        return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    @property
    def metrics(self) -> Mapping[str, float]:
        """Recorded values of the metrics over everything, those that are defined."""
        found = self.part("overall").get("metrics")
        recorded: dict[str, object] = found if isinstance(found, dict) else {}
        values = {name: item.get("value") if isinstance(item, dict) else item for name, item in recorded.items()}
        return {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One recipe: a single evaluation, or one of each training seed."""

    name: str
    path: Path
    seeds: tuple[Evaluated, ...]

    @property
    def records_by_seed(self) -> list[tuple[EvalRecord, ...]]:
        """Rows of each seed."""
        return [one.records for one in self.seeds]


def read_sides(paths: Sequence[Path]) -> tuple[Side, ...]:
    """Each path as a side: a folder that `radrl evaluate` wrote, or one that holds several, one a training seed.

    Raises DataError for a folder that is neither, and for files that cannot be read.
    """
    return tuple(
        Side(name=name, path=path, seeds=tuple(_read(folder) for folder in _evaluations_in(path)))
        for name, path in zip(_names(paths), paths, strict=True)
    )


def differences(after: Side, before: Side) -> list[str]:
    """What the two sides do not have in common, a sentence each: conventions, data, sampling, questions."""
    one, other = after.seeds[0], before.seeds[0]
    found: list[str] = []
    if one.summary.get("data") != other.summary.get("data"):
        found.append(f"The data differ: {_listed(other.summary.get('data'))} and {_listed(one.summary.get('data'))}.")
    settings, earlier = one.part("sampling"), other.part("sampling")
    found += [
        f"The sampling differs: {name} is {earlier.get(name)} in {before.name}, {settings.get(name)} in {after.name}."
        for name in sorted(settings.keys() | earlier.keys())
        if settings.get(name) != earlier.get(name)
    ]
    conventions, old = one.part("conventions"), other.part("conventions")
    reworded = [name for name in sorted(conventions.keys() & old.keys()) if conventions[name] != old[name]]
    if reworded:
        found.append(f"The conventions of {', '.join(reworded)} differ: the same name does not mean the same number.")
    for label, field in (("gold answer", "answer"), ("question text", "question"), ("patient", "patient_id")):
        changed = _changed(one.records, other.records, field=field)
        if changed:
            found.append(f"The {label} of {len(changed)} questions differs, {changed[0]!r} for one.")
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """As much of each path's end as tells it from the others: `rl`, or `run7/rl` beside `run8/rl`."""
    parts = [path.resolve().parts for path in paths]
    longest = max(map(len, parts))
    ends = (["/".join(names[-num:]) for names in parts] for num in range(1, longest + 1))
    return next((names for names in ends if len(set(names)) == len(names)), [str(path) for path in paths])


def _evaluations_in(path: Path) -> list[Path]:
    """The folder itself, or the folders of evaluations in it or one level further down."""
    if (path / "samples.jsonl").is_file():
        return [path]
    inner = sorted({file.parent for depth in ("*", "*/*") for file in path.glob(f"{depth}/samples.jsonl")})
    if not inner:
        raise DataError(
            f"{path} is no evaluation and holds none: there is no samples.jsonl. Give a folder that `radrl evaluate` "
            "wrote, a run's evaluation/NAME, or a folder of such folders, one a training seed."
        )
    return inner


def _read(folder: Path) -> Evaluated:
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing beside samples.jsonl. Evaluate the model again.") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}). Evaluate the model again.") from error
    if not isinstance(summary, dict):
        raise DataError(f"{path} holds {type(summary).__name__}, not an object. Evaluate the model again.")
    records = read_records(folder / "samples.jsonl")
    if not records:
        raise DataError(f"{folder / 'samples.jsonl'} holds no row. Evaluate the model again.")
    return Evaluated(path=folder, summary=summary, records=records)


def _changed(records: Sequence[EvalRecord], others: Sequence[EvalRecord], *, field: str) -> list[str]:
    """Questions of both whose field differs."""
    earlier = {record.id: getattr(record, field) for record in others}
    return sorted(
        {record.id for record in records if record.id in earlier and earlier[record.id] != getattr(record, field)}
    )


def _listed(files: object) -> str:
    names: Iterator[str] = map(str, files) if isinstance(files, list) else iter(())
    return ", ".join(names) or "no file"
