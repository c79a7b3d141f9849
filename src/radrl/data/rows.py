"""A row as it was written, with where it came from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from radrl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a data file as it was written, and readers that name file, line and field when a field is wrong.

    Example: `Row(fields={"prompt": "Is there an effusion?", "answer": "yes"}, file=Path("train.jsonl"), line=12)`
    """

    fields: Mapping[str, object]
    file: Path
    line: int
    """Line of a .jsonl or table file, place in the list of a .json file or among the rows of a parquet file; from 1."""
    is_flat: bool = False
    """Whether every field is a text, as in a table; a field that should be a list may then be one written as JSON."""

    @property
    def origin(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def text(self, field: str, *, setting: str | None = None) -> str:
        """A text that has to be there. `setting` is the configuration key that names the field."""
        value = self.fields.get(field)
        if value is None:
            advice = f"Add it, or set {setting} to the right name." if setting else "Add it."
            raise DataError(
                f"{self.origin}: field {field!r} is missing; the row has {', '.join(self.fields) or 'none'}. {advice}"
            )
        if not isinstance(value, str):
            self.refuse(field, value, "a text")
        return value

    def optional_text(self, field: str) -> str | None:
        """A text or a whole number written out, None when there is neither."""
        value = self.fields.get(field)
        if value is None or isinstance(value, str):
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(field, value, "a text or a whole number")
        return str(value)

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one, a missing field an empty list."""
        items = self.values(field)
        if not all(isinstance(item, str) for item in items):
            self.refuse(field, self.fields.get(field), "a list of texts")
        return tuple(str(item) for item in items)

    def values(self, field: str) -> tuple[object, ...]:
        """A list of anything; what is no list is a list of one, a missing field an empty list."""
        value = self.value(field)
        return self.objects(field) if value is None or isinstance(value, list) else (value,)

    def objects(self, field: str) -> tuple[object, ...]:
        """A list of anything; a missing field is an empty list."""
        value = self.value(field)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(field, value, "a list")
        return tuple(cast("list[object]", value))

    def value(self, field: str) -> object:
        """The field; where a row is flat and the field is a list written as JSON, that list."""
        value = self.fields.get(field)
        if not (self.is_flat and isinstance(value, str) and value.lstrip().startswith("[")):
            return value
        try:
            return cast("object", json.loads(value))
        except json.JSONDecodeError:
            return value

    def refuse(self, field: str, value: object, wanted: str) -> NoReturn:
        """Raise the DataError for a field that holds something else than what is wanted."""
        raise DataError(f"{self.origin}: field {field!r} is {value!r:.80}, which is not {wanted}. Correct the row.")
