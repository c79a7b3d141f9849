"""Types of reward arguments that say which values make sense, so that others are refused at start-up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, Field

from radrl.graph.lexicon.findings import FINDINGS

Share = Annotated[float, Field(ge=0, le=1)]
"""In [0, 1]."""

Loss = Annotated[float, Field(ge=-1, le=0)]
"""In [-1, 0]."""

Positive = Annotated[float, Field(gt=0)]
"""Above 0."""

Count = Annotated[int, Field(ge=1)]
"""At least 1."""


def read_risks(text: object) -> dict[str, float]:
    """How much each finding matters, from a line of `finding: number` pairs. Raises ValueError naming what is wrong.

    >>> read_risks("pneumothorax: 3, fracture: 0.5")
    {'pneumothorax': 3.0, 'fracture': 0.5}
    """
    if not isinstance(text, str):
        raise ValueError("Input should be a text such as 'pneumothorax: 3, fracture: 0.5'")
    risks: dict[str, float] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (part.strip() for part in pair.partition(":"))
        if name not in FINDINGS:
            raise ValueError(f"{name!r} is no finding; known are {', '.join(FINDINGS)}")
        risks[name] = float(number)
        if not 0 <= risks[name] < float("inf"):
            raise ValueError(f"the risk of {name} is {number}, which should be 0 or more")
    return risks


Risks = Annotated[Mapping[str, float], BeforeValidator(read_risks)]
"""Finding -> how much it matters, 1 where it is not named; written as one line, see `read_risks`."""

ALL_ALIKE: Mapping[str, float] = MappingProxyType({})
"""Every finding matters as much as any other."""
