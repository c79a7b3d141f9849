"""Recorded completions in the form that CheX-Phi4MM's documentation gives."""

import json
from pathlib import Path
from typing import Final

from radrl.errors import ConfigError, DataError
from radrl.jsonl import numbered_jsonl

_NESTED: Final = ("per_token_logps", "raw_completion_tokens")
"""Lists that stand one level deeper there."""
_FIELDS: Final = ("step", "prompt", "completion", *_NESTED, "rewards")


def write_chex_phi4mm_completions(source: Path, out: Path) -> Path:
    """Write each record of a run's completions.jsonl with CheX-Phi4MM's six fields, both token lists nested once more.

    Raises ConfigError when `out` is there already, DataError naming file, line and field for a record without one.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already. Name another file, or move it away.")
    if not source.is_file():
        raise DataError(f"{source} does not exist. Give the completions.jsonl of a run.")
    partial = out.with_name(f"{out.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for number, record in numbered_jsonl(source):
            missing = [name for name in _FIELDS if name not in record]
            if missing:
                raise DataError(f"{source}:{number}: field {missing[0]!r} is missing. Give a run's completions.jsonl.")
            row = {name: [record[name]] if name in _NESTED else record[name] for name in _FIELDS}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.rename(out)
    return out
