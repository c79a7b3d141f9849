"""What the doctor says of one thing that a run needs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a run needs.

    Example: `Finding(what="vllm", status="missing", found="not installed", advice="pip install 'radrl[vllm]'")`
    """

    what: str
    status: Literal["ok", "note", "missing"]
    """note: the run can do without, and its user should know."""
    found: str
    advice: str = ""
    """How to get what is missing."""
