"""Recorded completions: what a line of completions.jsonl says of its sample, and samples and completions read back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import cast

from radrl.answers import canonical_answer, image_size_of, read_judgement
from radrl.data.adapters import fields
from radrl.data.sources import Row
from radrl.errors import DataError
from radrl.jsonl import numbered_jsonl
from radrl.text import final_answer, parse_trace
from radrl.types import AnswerKind, Completion, ImageRef, Prompt, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One line of completions.jsonl, read back.

    Example: `Recorded(row=..., step=12, stage="closed", group="q7", max_tokens=256, completion=...)`
    """

    row: Row
    """As it was written."""
    step: int
    stage: str
    group: str
    """Which lines of a step answer the same draw of a prompt."""
    max_tokens: int | None
    """The stage's limit, where the line says it."""
    completion: Completion
    """Its prompt has the sample, and no tokens."""


def scoring_fields(sample: Sample) -> dict[str, object]:
    """What a line says of its sample beyond question and reference, so that it can be scored again as it was.

    Fields that would say nothing are left out.
    """
    optional: dict[str, object] = {
        "study_id": sample.study_id,
        "options": list(sample.options),
        "triplets": [[fact.head, fact.relation, fact.tail, fact.certainty] for fact in sample.triplets],
        "boxes": [{"label": box.label, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1} for box in sample.boxes],
        "twin_id": sample.twin_id,
        "columns": dict(sample.columns),
    }
    return {
        "answer_kind": sample.answer_kind.value,
        "answer_set": sorted(sample.answer),
        **{name: value for name, value in optional.items() if value},
    }


def read_sample(row: Row) -> Sample:
    """The sample of a line; images are named and not opened.

    What the line does not say comes from its reference: the gold answer is its last answer, read as the kind of
    question asks, and the options are those that it judges by name. Raises DataError naming file, line and field.
    """
    reference = row.text("answer")
    options = row.texts("options") or _judged_options(reference)
    given = row.texts("answer_set")
    is_stated = row.fields.get("answer_set") is not None
    if not is_stated:
        final = final_answer(parse_trace(reference))
        given = (reference if final is None else final,)
    kind = fields.answer_kind(row, given, options=options)
    return Sample(
        id=row.text("id"),
        patient_id=row.text("patient_id"),
        kind=row.text("kind"),
        question=row.text("prompt"),
        images=tuple(ImageRef(path=path, sha256="") for path in row.texts("images")),
        answer=frozenset(given) if is_stated else _read_answer(row, given, kind=kind, options=options),
        answer_kind=kind,
        reference=reference,
        options=options,
        triplets=fields.triplets(row),
        boxes=fields.boxes(row),
        study_id=row.optional_text("study_id"),
        twin_id=row.optional_text("twin_id"),
        columns=_columns(row),
        origin=row.origin,
    )


def read_steps(path: Path) -> Iterator[list[Recorded]]:
    """Read a completions.jsonl step by step: consecutive lines of one step and stage at a time.

    Raises DataError naming file, line and field for a line that is not in that form, and for one that stands twice.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file. Give the completions.jsonl of a run; it is in the run's folder.")
    lines = (_read_line(Row(fields=record, file=path, line=line)) for line, record in numbered_jsonl(path))
    for _, of_step in groupby(lines, key=lambda line: (line.step, line.stage)):
        step = list(of_step)
        _refuse_repeated(step)
        yield step


def _read_line(row: Row) -> Recorded:
    sample = read_sample(row)
    stop = row.text("stop")
    if stop not in ("eos", "length"):
        row.refuse("stop", stop, "eos or length")
    token_ids = _token_ids(row)
    completion = Completion(
        prompt=Prompt(sample=sample, text=sample.question, token_ids=(), num_image_tokens=0),
        index=_whole_number(row, "index"),
        text=row.text("completion"),
        token_ids=token_ids,
        token_texts=(),
        logprobs=(),
        stop=stop,
        policy_version=0,
        temperature=1.0,
    )
    return Recorded(
        row=row,
        step=_whole_number(row, "step"),
        stage=row.text("stage"),
        group=f"{sample.id}, {row.fields.get('group', '')}",
        max_tokens=None if row.fields.get("max_tokens") is None else _whole_number(row, "max_tokens"),
        completion=completion,
    )


def _refuse_repeated(step: list[Recorded]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for line in step:
        key = (line.group, line.completion.index)
        if key in seen:
            raise DataError(
                f"{line.row.origin}: step {line.step} has this sample and index already at {seen[key]}. "
                "Delete one of the lines."
            )
        seen[key] = line.row.origin


def _judged_options(reference: str) -> tuple[str, ...]:
    """What a reference judges, with the letters it gives; empty where it judges something by a letter alone."""
    judged = [read_judgement(step.answer.text) for step in parse_trace(reference).steps[:-1]]
    known = [one for one in judged if one is not None]
    if any(one.label == one.letter for one in known):
        return ()
    return tuple(dict.fromkeys(f"{one.letter}) {one.label}" if one.letter else one.label for one in known))


def _read_answer(row: Row, given: tuple[str, ...], *, kind: AnswerKind, options: tuple[str, ...]) -> frozenset[str]:
    size = image_size_of(_columns(row), origin=row.origin)
    answer = canonical_answer(frozenset(given), kind=kind, options=options, image_size=size)
    if answer is None:
        raise DataError(
            f"{row.origin}: field 'answer': its last answer {given[0]!r:.80} cannot be read as {kind.value}. "
            "Correct it, or give answer_set and answer_kind."
        )
    return answer


def _columns(row: Row) -> Mapping[str, object]:
    columns = row.fields.get("columns")
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        row.refuse("columns", columns, "an object with named fields")
    return cast("Mapping[str, object]", columns)


def _token_ids(row: Row) -> tuple[int, ...]:
    if "completion_ids" not in row.fields:
        row.text("completion_ids")
    token_ids = row.objects("completion_ids")
    if not all(isinstance(token, int) for token in token_ids):
        row.refuse("completion_ids", list(token_ids), "a list of whole numbers")
    return cast("tuple[int, ...]", token_ids)


def _whole_number(row: Row, field: str) -> int:
    value = row.fields.get(field)
    if value is None:
        row.text(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        row.refuse(field, value, "a whole number from 0")
    return value
