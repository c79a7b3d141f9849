"""Writes the reference page of evaluations: `python -m radrl.evaluation.reference docs/reference`."""

import ast
import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from radrl.evaluation.families import FAMILIES
from radrl.evaluation.family import Family
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.records import EvalRecord
from radrl.evaluation.summary import CONVENTIONS, Settings, Summary
from radrl.evaluation.tasks import Task

SUMMARY: Mapping[str, str] = {
    "model": "What was evaluated.",
    "data": "Files that the questions came from.",
    "sampling": "`n`, `temperature`, `max_response_length` and `seed` of the completions.",
    "asked": "`backend`, how many completions are missing (`failed`), and `notes` on how the model was asked.",
    "conventions": "What every number means: those of the sentences of this page that apply.",
    "reports": "How metrics read reports: the `section` that is compared, and what `uncertain` findings count as.",
    "intervals": "`unit` that is resampled (`patients`, or `samples` where the data name none), `resamples`, `level` "
    "and `seed`.",
    "overall": "A block of everything.",
    "per_kind": "A block for each kind of question.",
    "per_file": "A block for each data file.",
    "per_task": "A block for each task: what the questions test.",
    "per_group": "Grouping -> its value -> block. Subgroups of patients and films are groupings.",
    "gaps": "Subgrouping -> how unevenly its groups are answered.",
    "diseases": "CheXpert-14 finding -> its row, of all questions whose answers name findings.",
    "positions": "Which places in the list of options are chosen and right; null without such questions.",
    "agreement": "Mean over questions of the share of the n completions that give the most frequent answer.",
    "calibration": "Confidence against correctness, and under `by_source` the same of every sort of confidence.",
    "blind": "What is reached without looking.",
    "verdict": "What the numbers say, in sentences.",
    "robustness": "Perturbation of the films -> what it does to the answers; `twins`: to films with one fact toggled.",
    "judge": "What a second judge says of the same answers; null without one.",
    "scorers": "Scores of models that read reports, by local path, each with its version.",
}
"""Key of summary.json -> what it is, in order."""

TOLD_ABOVE = (Summary, Settings, Bootstrap)
"""Their fields stand in the table of summary.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a dataclass as its source has it.

    Example: `Field(name="low", annotation="float | None", meaning="Lower end.")`
    """

    name: str
    annotation: str
    meaning: str


def evaluation_page() -> str:
    """Every metric, convention and field of what `radrl evaluate` writes."""
    return f"""# What an evaluation writes

`radrl evaluate` writes `summary.json`, `samples.jsonl` and a page of both, `report.html`. The summary carries the
sentences below with it, so that a number that is passed on can still be read. How to read them together: [evaluate
honestly](../how-to/evaluate-honestly.md).

## Conventions

| of | convention |
|---|---|
{_rows(CONVENTIONS)}

## Metrics

Names as in `overall.metrics` of summary.json, and as in every block by kind, file, task and group. A metric that is
about none of the completions of a block is absent from it; one that is undefined is null.

{_metric_sections()}
## summary.json

| key | meaning |
|---|---|
{_rows(SUMMARY)}

{_structures()}
## samples.jsonl

A row a completion, in the order of the data.

{_field_table(EvalRecord)}
| `token_probs` | list of numbers | Probability of each token, with `token_texts`. |
"""


def fields_of(carrier: type) -> list[Field]:
    """Fields of a dataclass with the texts under them, in order."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(carrier))).body
    assert isinstance(tree, ast.ClassDef), "a dataclass is written as a class"
    found: list[Field] = []
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation = ast.unparse(statement.annotation)
            found.append(Field(name=statement.target.id, annotation=annotation, meaning=_text(following)))
    return found


def carriers_in(root: type) -> list[type]:
    """Dataclasses that a dataclass holds, at any depth, in the order in which they are met."""
    met: dict[type, None] = {}

    def visit(annotation: Any) -> None:
        for part in get_args(annotation):
            visit(part)
        if isinstance(annotation, type) and dataclasses.is_dataclass(annotation) and annotation not in met:
            met[annotation] = None
            for held in get_type_hints(annotation).values():
                visit(held)

    visit(root)
    return list(met)


PAGES = {"evaluation.md": evaluation_page}
"""File name below the reference folder -> what writes it."""


def main(argv: Sequence[str]) -> int:
    """Write all pages into the folder given."""
    folder = Path(argv[0])
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    return 0


def _metric_sections() -> str:
    return "\n".join(
        f"### {family.name}\n\n{_about(family)}\n\n| metric | meaning |\n|---|---|\n{_rows(family.metrics)}\n"
        for family in FAMILIES
    )


def _about(family: Family) -> str:
    if not family.tasks:
        return "Of all questions."
    return f"Of questions of {', '.join(task.value for task in Task if task in family.tasks)}."


def _structures() -> str:
    return "\n".join(
        f"### {carrier.__name__}\n\n{_one_line((carrier.__doc__ or '').partition('Example:')[0])}\n\n"
        f"{_field_table(carrier)}\n"
        for carrier in carriers_in(Summary)
        if carrier not in TOLD_ABOVE
    )


def _field_table(carrier: type) -> str:
    rows = "\n".join(
        f"| `{field.name}` | {_cell(field.annotation)} | {_cell(field.meaning)} |" for field in fields_of(carrier)
    )
    return f"| field | type | meaning |\n|---|---|---|\n{rows}"


def _rows(meanings: Mapping[str, str]) -> str:
    return "\n".join(f"| `{name}` | {_cell(meaning)} |" for name, meaning in meanings.items())


def _cell(text: str) -> str:
    """A bar would end the cell."""
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(statement: ast.stmt | None) -> str:
    """The text that a statement is, if it is nothing else."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
