"""The questions a selection is made from, each with the row it came from, and the rows written back as they were."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from radrl.config.data import DataConfig
from radrl.config.selection import Form
from radrl.data.load import samples_of
from radrl.data.rows import Row
from radrl.data.sources import rows_of
from radrl.durable import write_atomically
from radrl.errors import DataError
from radrl.rewards.reasoning import is_tagged
from radrl.selection.hardest import stratum
from radrl.types import Sample

SEED_STRATUM = ("semantic_type", "question_type", "answer_type")
"""Fields of CheX-Phi4MM's annotations that make a stratum; the first may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A question that may be selected.

    Example: `Candidate(sample=..., row=..., form="think_first", stratum="presence_yes")`
    """

    sample: Sample
    row: Row
    """As it was written."""
    form: Form
    stratum: str
    """What a stratified draw keeps the shares of."""

    @property
    def id(self) -> str:
        """The sample's id. A question that is there in two forms has it twice."""
        return self.sample.id


def read_pool(sources: Sequence[str], config: DataConfig, *, strata: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """Every row of the sources, in order.

    Raises DataError for a bad row, and for an id that is twice in one source, or in two with references of one form.
    """
    plain = config.model_copy(update={"format_prompt": None})
    candidates: list[Candidate] = []
    origins: dict[tuple[str, str], str] = {}
    for source in sources:
        rows = list(rows_of(source))
        for row, sample in zip(rows, samples_of(((source, row) for row in rows), plain), strict=True):
            candidate = _candidate(row, sample, strata)
            key = (candidate.form, candidate.id)
            if key in origins:
                raise DataError(
                    f"{row.origin}: the id {candidate.id!r} stands already at {origins[key]}. Give every row its own."
                )
            origins[key] = row.origin
            candidates.append(candidate)
    return tuple(candidates)


def write_pool(path: Path, candidates: Iterable[Candidate], rows: DataConfig) -> None:
    """Write the rows of candidates, as a JSON list or as JSON lines by the file's name.

    Fields stay as they are but for films: relative paths become absolute where the rows go to another folder, and what
    was no text (bytes of a parquet file) becomes base64. Raises DataError for a file that cannot be written.
    """
    lines = [json.dumps(_fields(each, rows, folder=path.parent), ensure_ascii=False) for each in candidates]
    as_list = path.suffix == ".json"
    text = "[\n" + ",\n".join(lines) + "\n]\n" if as_list else "".join(f"{line}\n" for line in lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise DataError(f"cannot write the selection to {path} ({error.strerror}). Make room or set out=.") from error


def stratum_of(row: Row, sample: Sample, *, strata: Sequence[str] = ()) -> str:
    """Which stratum a row is in: the values of the fields named, CheX-Phi4MM's types, or kind and form of the answer.

    >>> stratum_of(row, sample)  # with question_type and answer_type
    'presence_verify_yes_no'
    """
    if strata:
        return "_".join(_value(row, name) for name in strata)
    seeds = [str(row.fields[name]) for name in SEED_STRATUM if row.fields.get(name) is not None]
    if len(seeds) > 1 and row.fields.get(SEED_STRATUM[1]) is not None and row.fields.get(SEED_STRATUM[2]) is not None:
        return "_".join(seeds)
    return "_".join(part for part in stratum(sample) if part)


def _candidate(row: Row, sample: Sample, strata: Sequence[str]) -> Candidate:
    return Candidate(
        sample=sample,
        row=row,
        form="think_first" if is_tagged(sample.reference) else "answer_first",
        stratum=stratum_of(row, sample, strata=strata),
    )


def _value(row: Row, name: str) -> str:
    value = row.fields.get(name)
    if value is None:
        raise DataError(
            f"{row.origin}: field {name!r} (of strata) is missing; the row has {', '.join(row.fields)}. "
            "Add it, or set strata= to fields that every row has."
        )
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)


def _fields(candidate: Candidate, rows: DataConfig, *, folder: Path) -> Mapping[str, object]:
    """What is written of a candidate."""
    row = candidate.row
    moves = rows.image_dir is None and folder.resolve() != row.file.parent.resolve()
    start = row.file.parent if moves else None
    fields = {name: _unfold(row, name) for name in row.fields}
    for name in {rows.image_key, rows.video_key, "images", "image"} & fields.keys():
        fields[name] = _portable(fields[name], start)
    if moves and "image_ids" in fields:
        fields["image_ids"] = [ref.path.removesuffix(".png") for ref in candidate.sample.images]
    return fields


def _unfold(row: Row, name: str) -> object:
    """A field, or the list that the cell of a table writes as JSON."""
    value = row.fields[name]
    return list(row.values(name)) if row.is_flat and str(value).lstrip().startswith("[") else value


def _portable(value: object, start: Path | None) -> object:
    """Films as texts that lead to them from anywhere: names that start from a folder written out, bytes as base64."""
    if isinstance(value, list):
        return [_portable(item, start) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {name: _portable(item, start) for name, item in cast("dict[str, object]", value).items()}
    if isinstance(value, (bytes, bytearray)):
        return f"data:image;base64,{base64.b64encode(value).decode('ascii')}"
    return str((start / value).absolute()) if isinstance(value, str) and start and _is_name(start / value) else value


def _is_name(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # A picture in base64 is longer than any name.
        return False
