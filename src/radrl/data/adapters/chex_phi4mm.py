"""CheX-Phi4MM rows.

Training items have `images` (or `image`), `messages` and `solution` (or an assistant's turn); annotations have
`image_ids`, `question` and `explanation`.
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
from radrl.errors import DataError
from radrl.types import ImageRef, Sample

KNOWN = frozenset(
    {"images", "image", "image_ids", "messages", "question", "solution", "explanation", "answer"}
    | {"idx", "subject_id", "study_id", "kind", "answer_kind", "options", "triplets", "boxes", "twin_id"}
)
"""Fields with a place of their own in a sample; the others become its columns."""


def to_sample(row: Row, config: DataConfig, films: FilmNames | None = None) -> Sample:
    """Read one row of either form. Raises DataError naming file, line and field.

    `answer` is a text or a list of texts; an empty list is the answer `no finding`. Where `kind` is missing,
    `question_type` or else `semantic_type` stands for it.
    """
    is_training_item = "messages" in row.fields
    question = fields.turn(row, "user") if is_training_item else row.text("question")
    options = row.texts("options")
    pictures = _images(row, is_training_item=is_training_item, config=config, films=films)
    given = _given_answer(row)
    kind = fields.answer_kind(row, given, options=options, are_letters_options=False)
    size = image_size_of({"image_size": row.value("image_size")}, origin=row.origin)
    answer = canonical_answer(frozenset(given), kind=kind, options=options, image_size=size)
    if answer is None:
        raise DataError(f"{row.origin}: field 'answer': {list(given)} cannot be read as {kind.value}. Correct it.")
    sample_id = row.optional_text("idx") or f"{row.file.stem}-{row.line}"
    return Sample(
        id=sample_id,
        patient_id=row.optional_text("subject_id") or sample_id,
        kind=row.optional_text("kind")
        or row.optional_text("question_type")
        or row.optional_text("semantic_type")
        or "open",
        question=fields.marked(question, num_images=len(pictures), row=row),
        images=pictures,
        answer=answer,
        answer_kind=kind,
        reference=_reference(row, is_training_item=is_training_item),
        options=options,
        triplets=fields.triplets(row),
        boxes=fields.boxes(row),
        study_id=row.optional_text("study_id"),
        twin_id=row.optional_text("twin_id"),
        columns=fields.columns(row, own=KNOWN),
        origin=row.origin,
    )


def _given_answer(row: Row) -> tuple[str, ...]:
    """An empty list is an answer; a missing field is none."""
    if row.fields.get("answer") is None:
        row.text("answer")
    return row.texts("answer")


def _reference(row: Row, *, is_training_item: bool) -> str:
    if not is_training_item:
        return row.text("explanation")
    return row.text("solution") if row.fields.get("solution") is not None else fields.turn(row, "assistant")


def _images(row: Row, *, is_training_item: bool, config: DataConfig, films: FilmNames | None) -> tuple[ImageRef, ...]:
    if is_training_item:
        field = "images" if "images" in row.fields else "image"
        return fields.images(row, row.values(field), field=field, config=config, films=films)
    names = [f"{stem}.png" for stem in row.texts("image_ids")]
    folder = _image_folder(row.file)
    return fields.images(row, names, field="image_ids", config=config, films=films, folder=folder)


def _image_folder(file: Path) -> Path | None:
    """`images` beside the `annotations` that a file lies in, as in the recipe's own `data/`; None elsewhere."""
    annotations = next((folder for folder in file.parents if folder.name == "annotations"), None)
    images = annotations.parent / "images" if annotations else None
    return images if images and images.is_dir() else None


def read(folder: Path, choices: Choices, drops: Drops) -> Iterator[Record]:
    """Every row of the folder's files, or of one file."""

    def given(row: Row, _: Sample) -> tuple[str, ...]:
        return _given_answer(row)

    return read_recipe(folder, choices, drops, to_sample=to_sample, given_answer=given)


ADAPTER: Final = Adapter(
    name="chex_phi4mm",
    title="CheX-Phi4MM items: training items, or annotations for evaluation and sampling",
    licence="That of the data they were made from.",
    access="Items written by radrl phantom --layout chex_phi4mm or by CheX-Phi4MM's own tools.",
    needs=NEEDS,
    read=read,
)
