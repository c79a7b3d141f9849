"""From a data set as its publisher ships it to training rows, in a stream.

OUT/{train,val,test}.jsonl, OUT/dropped.jsonl with every row that is left out, OUT/conversion.json with the counts
"""

import json
import platform
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, TextIO

from radrl import __version__
from radrl.answers import canonical_answer, image_size_of
from radrl.data.adapters.api import Adapter, Choices, Record, split_of
from radrl.data.adapters.tables import found
from radrl.data.leaks import Register
from radrl.data.traces import with_trace
from radrl.errors import ConfigError, DataError
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.types import IMAGE_MARK, AnswerKind, Box

Json = dict[str, object]

_SINGLE: Final = frozenset({AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.NUMBER})
"""Kinds of answer of which there is one. A set alone may be empty."""
_FILMS_REMEMBERED: Final = 128
"""Films whose being there is not looked up again: questions about one film follow each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a conversion wrote and left out.

    Example: `Conversion(out=Path("rows"), rows={"train": {"presence": 812, "view": 90}}, patients={"train": 61},
    dropped={"film not found": 4}, num_not_asked=0)`
    """

    out: Path
    rows: Mapping[str, Mapping[str, int]]
    """Split -> question kind -> rows."""
    patients: Mapping[str, int]
    """Split -> patients."""
    dropped: Mapping[str, int]
    """Reason -> rows that are left out, the most frequent first."""
    num_not_asked: int
    """Records of kinds that `choices.kinds` does not name."""

    @property
    def num_rows(self) -> int:
        """Rows of all splits."""
        return sum(count for kinds in self.rows.values() for count in kinds.values())


class DropFile:
    """Lists what is left out in a file, one JSON object a line, and counts it by reason."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.counts: Counter[str] = Counter()

    def drop(self, reason: str, *, origin: str, detail: str = "") -> None:
        """One row that is left out."""
        self.counts[reason] += 1
        self._file.write(json.dumps({"reason": reason, "origin": origin, "detail": detail}, ensure_ascii=False) + "\n")


class RowFiles:
    """A file of rows for each split that has any, and how many of each kind they hold."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Files are closed when `stack` is."""
        self._folder = folder
        self._stack = stack
        self._files: dict[str, TextIO] = {}
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Split -> question kind -> rows."""

    def write(self, record: Record) -> None:
        """Add one row."""
        if record.split not in self._files:
            file = (self._folder / f"{record.split}.jsonl").open("w", encoding="utf-8", newline="\n")
            self._files[record.split] = self._stack.enter_context(file)
        self._files[record.split].write(json.dumps(row_of(record), ensure_ascii=False) + "\n")
        self.counts[record.split][record.kind] += 1


def convert(
    source: Path, out: Path, *, adapter: Adapter, choices: Choices, progress: Callable[[], None] | None = None
) -> Conversion:
    """Write the records of a data set as CX-Mind training rows; films are named where they lie.

    Everything goes to `OUT.partial`, which becomes `OUT` at the end. `progress` is called for each row. A record whose
    film is not there or whose answer cannot be read is left out and listed. Raises DataError for a file that the data
    set should have, an id that stands twice, a patient in two splits, and when nothing is left.
    """
    check_source(source, adapter=adapter)
    partial = _begun(out)
    with ExitStack() as stack:
        drops = DropFile(stack.enter_context((partial / "dropped.jsonl").open("w", encoding="utf-8")))
        register = stack.enter_context(Register())
        files = RowFiles(partial, stack)
        num_not_asked = 0
        for read in adapter.read(source.absolute(), choices, drops):
            record = replace(read, split=split_of(read.patient_id)) if choices.splits == "patient" else read
            if not choices.asks(record.kind):
                num_not_asked += 1
            elif _is_usable(record, drops) and (traced := _traced(record, choices, drops)) is not None:
                register.enter(record)
                files.write(traced)
                if progress is not None:
                    progress()
        conversion = Conversion(
            out=out,
            rows={split: dict(kinds) for split, kinds in files.counts.items()},
            patients=register.num_patients(),
            dropped=dict(drops.counts.most_common()),
            num_not_asked=num_not_asked,
        )
    _check_any(conversion, source=source, partial=partial, choices=choices)
    _write_account(partial / "conversion.json", conversion, source=source, adapter=adapter, choices=choices)
    partial.rename(out)
    return conversion


def _begun(out: Path) -> Path:
    """The folder that is to become `out`, empty; one that was broken off is begun anew."""
    if out.exists():
        raise ConfigError(f"{out} is there already. Name another folder, or move it away.")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def check_source(source: Path, *, adapter: Adapter) -> None:
    """Raise DataError when a data set is not where it should be, or without a file that it needs."""
    if not source.exists():
        raise DataError(f"{source} does not exist. {adapter.access}")
    for need in adapter.needs:
        patterns = need.split("|")
        if source.is_file():
            is_met = any(source.match(pattern) for pattern in patterns)
        else:
            is_met = any(found(source / pattern) or any(source.glob(pattern)) for pattern in patterns)
        if not is_met:
            raise DataError(
                f"{source} has no {' or '.join(patterns)}, which {adapter.title} needs (--from {adapter.name}). "
                f"{adapter.access}"
            )


def row_of(record: Record) -> Json:
    """A CX-Mind training row. A record without a trace has the bare answer between answer tags."""
    has_marks = IMAGE_MARK in record.question
    return {
        "prompt": record.question if has_marks else IMAGE_MARK * len(record.images) + record.question,
        "answer": record.reference or f"<answer>{', '.join(record.answer) or NO_FINDING}</answer>",
        "images": [str(path) for path in record.images],
        "id": record.id,
        "patient_id": record.patient_id,
        "study_id": record.study_id,
        "kind": record.kind,
        "answer_kind": record.answer_kind.value,
        "options": list(record.options),
        "answer_set": list(record.answer),
        "triplets": [[fact.head, fact.relation, fact.tail, fact.certainty] for fact in record.triplets],
        "boxes": [_box_row(box) for box in record.boxes],
        **record.columns,
    }


def _is_usable(record: Record, drops: DropFile) -> bool:
    """Whether training could read the row; if not, why is noted."""
    missing = [path for path in record.images if not _is_there(path)]
    stray = [box for box in record.boxes if not (0 <= box.x0 <= box.x1 <= 1 and 0 <= box.y0 <= box.y1 <= 1)]
    if missing:
        drops.drop("film not found", origin=record.origin, detail=str(missing[0]))
    elif stray:
        drops.drop("box outside the film", origin=record.origin, detail=f"{record.id}: {stray[0]}")
    elif _reads_as_nothing(record):
        detail = f"{record.id}: {list(record.answer)!r:.200} as {record.answer_kind.value}"
        drops.drop("answer cannot be read", origin=record.origin, detail=detail)
    else:
        return True
    return False


def _reads_as_nothing(record: Record) -> bool:
    size = image_size_of(record.columns, origin=record.origin)
    given = frozenset(record.answer)
    answer = canonical_answer(given, kind=record.answer_kind, options=record.options, image_size=size)
    if answer is None or record.answer_kind is AnswerKind.SET:
        return answer is None
    return not answer or (record.answer_kind in _SINGLE and len(answer) > 1)


def _traced(record: Record, choices: Choices, drops: DropFile) -> Record | None:
    """The record with a trace of the form that is asked for; if none leads to its answer, that is noted."""
    if choices.traces == "none":
        return record
    traced = with_trace(record, form=choices.traces, seed=choices.seed)
    if traced is None:
        drops.drop("no trace leads to the answer", origin=record.origin, detail=record.id)
    return traced


@lru_cache(maxsize=_FILMS_REMEMBERED)
def _is_there(path: Path) -> bool:
    return path.is_file()


def _box_row(box: Box) -> Json:
    return {"label": box.label, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1}


def _check_any(conversion: Conversion, *, source: Path, partial: Path, choices: Choices) -> None:
    if conversion.num_rows:
        return
    if not conversion.dropped and conversion.num_not_asked:
        raise ConfigError(f"no question in {source} is of a kind {', '.join(choices.kinds)} (--kinds). Name others.")
    reason, count = next(iter(conversion.dropped.items()), ("nothing was found", 0))
    raise DataError(
        f"no row of {source} can be used: {reason} ({count} times; all are listed in {partial / 'dropped.jsonl'}). "
        "Films are looked for in the data set's folder, or where --images says."
    )


def _write_account(path: Path, conversion: Conversion, *, source: Path, adapter: Adapter, choices: Choices) -> None:
    account = {
        "data_set": adapter.name,
        "title": adapter.title,
        "licence": adapter.licence,
        "access": adapter.access,
        "source": str(source.absolute()),
        "choices": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(choices).items()},
        "rows": conversion.rows,
        "patients": conversion.patients,
        "dropped": conversion.dropped,
        "not_asked": conversion.num_not_asked,
        "versions": {"radrl": __version__, "python": platform.python_version()},
    }
    path.write_text(json.dumps(account, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
