"""What every part of the configuration is made of."""

from collections.abc import Mapping
from typing import Annotated, Any, cast, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def named_or_own(*known: str) -> AfterValidator:
    """Let a text name what is built in, or where a class of a user's own stands."""

    def checked(name: str) -> str:
        if name not in known and ":" not in name:
            raise ValueError(f"it should be {', '.join(known)}, or where a class stands, such as package.module:Class")
        return name

    return AfterValidator(checked)


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _read_one_text_as_one_entry(cls, values: Any) -> Any:
        """Let `train_files: a.jsonl` mean a list of one, and an empty text the empty list."""
        if not isinstance(values, Mapping):
            return values
        lists = {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        given = cast("Mapping[str, Any]", values)
        return {
            name: ((value,) if value else ()) if name in lists and isinstance(value, str) else value
            for name, value in given.items()
        }
