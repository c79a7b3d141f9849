"""CX-Mind rows: a prompt with `<image>` marks, image paths, and the whole reference trace as the answer.

Its evaluation files hold the two texts as turns of `messages` instead.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from radrl.answers import canonical_answer, image_size_of
from radrl.config.data import DataConfig
from radrl.data.adapters import fields
from radrl.data.adapters.api import Adapter, Choices, Drops, Record
from radrl.data.adapters.recipes import NEEDS, read_recipe
from radrl.data.kept import FilmNames
from radrl.data.rows import Row
from radrl.data.video import with_videos
from radrl.errors import DataError
from radrl.text import final_answer, parse_trace
from radrl.types import AnswerKind, Sample

KNOWN = ("id", "patient_id", "study_id", "kind", "answer_kind", "options", "answer_set", "triplets", "boxes", "twin_id")
"""Optional fields that mean the same in every row form."""


def to_sample(row: Row, config: DataConfig, films: FilmNames | None = None) -> Sample:
    """Read one row. Raises DataError naming file, line and field.

    Where `answer_set` is missing the gold answer is the reference's own last answer; where `kind` is missing a row
    whose answer is an option (or yes or no) is `closed` and any other `open`. A row without an id is named by its
    place; one without a patient stands for a patient of its own.
    """
    question, reference = _texts(row, config)
    options = row.texts("options")
    given = _given_answer(row, reference)
    kind = fields.answer_kind(row, given, options=options)
    size = image_size_of({"image_size": row.value("image_size")}, origin=row.origin)
    answer = canonical_answer(frozenset(given), kind=kind, options=options, image_size=size)
    if answer is None:
        raise DataError(
            f"{row.origin}: the answer {list(given)} cannot be read as {kind.value}. Correct it, or give answer_kind "
            f"(one of {', '.join(AnswerKind)}) and options."
        )
    pictures = fields.images(row, row.values(config.image_key), field=config.image_key, config=config, films=films)
    question, shown = with_videos(fields.marked(question, num_images=len(pictures), row=row), pictures, row, config)
    sample_id = row.optional_text("id") or f"{row.file.stem}-{row.line}"
    own = {config.prompt_key, config.answer_key, config.image_key, config.video_key, "messages", *KNOWN}
    return Sample(
        id=sample_id,
        patient_id=row.optional_text("patient_id") or sample_id,
        kind=row.optional_text("kind") or ("closed" if kind is not AnswerKind.SET else "open"),
        question=question,
        images=shown,
        answer=answer,
        answer_kind=kind,
        reference=reference,
        options=options,
        triplets=fields.triplets(row),
        boxes=fields.boxes(row),
        study_id=row.optional_text("study_id"),
        twin_id=row.optional_text("twin_id"),
        columns=fields.columns(row, own=own),
        origin=row.origin,
    )


def _texts(row: Row, config: DataConfig) -> tuple[str, str]:
    """Question and reference."""
    if config.prompt_key not in row.fields and "messages" in row.fields:
        return fields.turn(row, "user"), fields.turn(row, "assistant")
    prompt = row.text(config.prompt_key, setting="data.prompt_key")
    return prompt, row.text(config.answer_key, setting="data.answer_key")


def _given_answer(row: Row, reference: str) -> tuple[str, ...]:
    """`answer_set` where there is one, else the last answer of the reference, or all of a reference without tags."""
    if row.fields.get("answer_set") is not None:
        return row.texts("answer_set")
    final = final_answer(parse_trace(reference))
    return (reference if final is None else final,)


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Every row of the folder's files, or of one file."""

    def given(row: Row, sample: Sample) -> tuple[str, ...]:
        return _given_answer(row, sample.reference)

    return read_recipe(folder, choices, drops, to_sample=to_sample, given_answer=given)


ADAPTER: Final = Adapter(
    name="cx_mind",
    title="CX-Mind rows: questions with interleaved traces, for training and evaluation",
    licence="That of the data they were made from.",
    access="Rows written by radrl phantom, radrl convert or CX-Mind's own scripts.",
    needs=NEEDS,
    read=read,
)
