"""Fields that both recipes' rows may have beside their own."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

from PIL import Image

from radrl.answers import normalise, read_answer
from radrl.config.data import DataConfig
from radrl.data.kept import FilmNames
from radrl.data.media import FORMS, image_of
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.types import IMAGE_MARK, AnswerKind, Box, ImageRef, Triplet

Relation = Literal["located_at", "suggestive_of", "modify"]
Certainty = Literal["present", "absent", "uncertain"]

KINDS: Mapping[str, AnswerKind] = {
    "presence": AnswerKind.YES_NO,
    "open": AnswerKind.SET,
    "list": AnswerKind.SET,
}
"""Question kinds whose answers are always read the same way."""


def images(
    row: Row,
    values: Sequence[object],
    *,
    field: str,
    config: DataConfig,
    films: FilmNames | None = None,
    folder: Path | None = None,
) -> tuple[ImageRef, ...]:
    """The images of a row in any of the `media.FORMS`.

    Relative paths start from `data.image_dir`, else from `folder` or else from the file's own.
    """
    start = Path(config.image_dir) if config.image_dir is not None else folder or row.file.parent
    refs: list[ImageRef] = []
    for value in values:
        try:
            ref = image_of(value, folder=start, preset=config.dicom_preset, films=films)
        except DataError as error:
            raise DataError(f"{row.origin}: field {field!r}: {error}") from error
        refs.append(row.refuse(field, value, FORMS) if ref is None else ref)
    return tuple(refs)


def columns(row: Row, *, own: Collection[str]) -> dict[str, object]:
    """The fields of a row that have no place of their own, without those that are images themselves.

    Nothing that is written down could hold these.
    """
    return {name: row.value(name) for name, value in row.fields.items() if name not in own and not _holds_pixels(value)}


def _holds_pixels(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_pixels, cast("dict[str, object]", value).values()))
    if isinstance(value, list):
        return any(map(_holds_pixels, cast("list[object]", value)))
    return isinstance(value, (bytes, bytearray, Image.Image))


def turn(row: Row, role: Literal["user", "assistant"]) -> str:
    """What the first turn of this role in `messages` says."""
    for message in row.objects("messages"):
        spoken = cast("dict[str, object]", message) if isinstance(message, dict) else {}
        content = spoken.get("content")
        if spoken.get("role") == role and isinstance(content, str):
            return content
    return row.refuse("messages", row.fields.get("messages"), f"a list with a turn of the {role} as text")


def marked(question: str, *, num_images: int, row: Row) -> str:
    """The question with one `<image>` mark an image; a question without any gets them in front."""
    num_marks = question.count(IMAGE_MARK)
    if num_marks == 0:
        return IMAGE_MARK * num_images + question
    if num_marks != num_images:
        raise DataError(
            f"{row.origin}: the question has {num_marks} {IMAGE_MARK} marks, but the row has {num_images} images. "
            "Write one mark an image, or none at all to have them put in front."
        )
    return question


def answer_kind(
    row: Row, given: Sequence[str], *, options: tuple[str, ...], are_letters_options: bool = True
) -> AnswerKind:
    """How the answer is read: as `answer_kind` says, else by the question's kind, else by the look of the given answer.

    `are_letters_options` takes a letter for an option also where the row lists none.
    """
    named = row.optional_text("answer_kind")
    if named is not None:
        if named not in list(AnswerKind):
            row.refuse("answer_kind", named, f"one of {', '.join(AnswerKind)}")
        return AnswerKind(named)
    kind = row.optional_text("kind") or ""
    if kind in KINDS:
        return KINDS[kind]
    only = given[0] if len(given) == 1 else ""
    if normalise(only) in ("yes", "no"):
        return AnswerKind.YES_NO
    may_be_choice = bool(options) or are_letters_options
    if may_be_choice and read_answer(only, kind=AnswerKind.CHOICE, options=options) is not None:
        return AnswerKind.CHOICE
    return AnswerKind.SET


def triplets(row: Row) -> tuple[Triplet, ...]:
    """`triplets`: lists of head, relation, tail and, if it is not present, certainty."""
    return tuple(_triplet(row, item) for item in row.objects("triplets"))


def boxes(row: Row) -> tuple[Box, ...]:
    """`boxes`: objects with label, x0, y0, x1 and y1, in fractions of the image."""
    return tuple(_box(row, item) for item in row.objects("boxes"))


def _triplet(row: Row, item: object) -> Triplet:
    parts = [*cast("list[object]", item), "present"][:4] if isinstance(item, list) else []
    if len(parts) != 4 or not all(isinstance(part, str) for part in parts):
        row.refuse("triplets", cast("object", item), "a list of [head, relation, tail, certainty]")
    head, relation, tail, certainty = cast("list[str]", parts)
    if relation not in get_args(Relation) or certainty not in get_args(Certainty):
        wanted = f"a relation of {get_args(Relation)} with a certainty of {get_args(Certainty)}"
        row.refuse("triplets", cast("object", item), wanted)
    return Triplet(head=head, relation=cast("Relation", relation), tail=tail, certainty=cast("Certainty", certainty))


def _box(row: Row, item: object) -> Box:
    box = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    corners = [box.get(name) for name in ("x0", "y0", "x1", "y1")]
    numbers = [float(corner) for corner in corners if isinstance(corner, (int, float))]
    if len(numbers) < 4 or not isinstance(box.get("label"), str):
        row.refuse("boxes", cast("object", item), "an object with label, x0, y0, x1 and y1")
    x0, y0, x1, y1 = numbers
    if not (0 <= x0 <= x1 <= 1 and 0 <= y0 <= y1 <= 1):
        row.refuse("boxes", box, "a box in fractions of the image, 0 <= x0 <= x1 <= 1 and 0 <= y0 <= y1 <= 1")
    return Box(label=str(box["label"]), x0=x0, y0=y0, x1=x1, y1=y1)
