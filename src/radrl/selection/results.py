"""What a model answered to the questions of a pool, from an evaluation, a training run, or the rows themselves."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from radrl.config.selection import Measure
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.evaluation.records import EvalRecord
from radrl.jsonl import numbered_jsonl
from radrl.selection.confidence import Tokens, confidences
from radrl.selection.pool import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer of the model to one question.

    Example: `Answered(id="q7", is_right=False, outcome=0.0, confidences={"answer_geometric": 0.97})`
    """

    id: str
    is_right: bool
    outcome: float
    """1 or 0 of an evaluation, the declared outcome of a training run."""
    confidences: Mapping[Measure, float]
    """What is known of how sure it was."""


def read_results(paths: Sequence[str], *, right_at: float, extractor: str | None) -> dict[str, list[Answered]]:
    """Answers by the question's id. Of a training run those of the last step that asked the question count.

    A .json file is an evaluation of CheX-Phi4MM's, with or without its token probabilities. Without an extractor the
    confidence of entities is left out, which takes most of the time otherwise.
    Raises DataError for a file that is in neither form.
    """
    found: dict[str, list[Answered]] = {}
    for path in map(Path, paths):
        file = path / "samples.jsonl" if path.is_dir() else path
        if not file.is_file():
            raise DataError(
                f"{file} (from results) is not a file. Give the folder or samples.jsonl that `radrl evaluate` wrote, "
                "or the completions.jsonl of a run."
            )
        if file.suffix == ".json":
            answers = {answer.id: [answer] for answer in _read_chex_phi4mm(file, extractor=extractor)}
        else:
            answers = _read_lines(file, right_at=right_at, extractor=extractor)
        for question, each in answers.items():
            found.setdefault(question, []).extend(each)
    return found


def results_in_rows(candidates: Sequence[Candidate]) -> dict[str, list[Answered]]:
    """What the field `is_correct` of the rows says, as in CheX-Phi4MM's pools. Nothing for rows without it."""
    found: dict[str, list[Answered]] = {}
    for candidate in candidates:
        verdict = candidate.row.fields.get("is_correct")
        if verdict is None:
            continue
        if not isinstance(verdict, bool):
            candidate.row.refuse("is_correct", verdict, "true or false")
        found.setdefault(candidate.id, []).append(
            Answered(id=candidate.id, is_right=verdict, outcome=float(verdict), confidences={})
        )
    return found


def _read_lines(file: Path, *, right_at: float, extractor: str | None) -> dict[str, list[Answered]]:
    found: dict[str, list[Answered]] = {}
    steps: dict[str, int] = {}
    for line, fields in numbered_jsonl(file):
        row = Row(fields=fields, file=file, line=line)
        if "completion" in fields:
            answered = _of_training(row, right_at=right_at, extractor=extractor)
            step = row.fields.get("step")
            newest = step if isinstance(step, int) else 0
            if newest > steps.get(answered.id, newest):
                found[answered.id] = []
            steps[answered.id] = newest
        else:
            answered = _of_evaluation(row, extractor=extractor)
        found.setdefault(answered.id, []).append(answered)
    return found


def _read_chex_phi4mm(file: Path, *, extractor: str | None) -> Iterator[Answered]:
    """Of `{"results": [{"id", "is_correct", "generated_tokens", "token_probabilities", ...}], ...}`."""
    try:
        items = json.loads(file.read_text(encoding="utf-8"))["results"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} (from results) is no evaluation of CheX-Phi4MM's: it is not JSON with a list of `results`. Give "
            "the folder that `radrl evaluate` wrote, or such a file."
        ) from error
    for place, item in enumerate(items, start=1):
        row = Row(fields=item, file=file, line=place)
        is_right = row.fields.get("is_correct")
        if not isinstance(is_right, bool):
            row.refuse("is_correct", is_right, "true or false")
        probabilities = row.objects("token_probabilities")
        if not all(isinstance(each, (int, float)) and 0 <= each <= 1 for each in probabilities):
            row.refuse("token_probabilities", list(probabilities), "a list of numbers from 0 to 1")
        known = cast("tuple[float, ...]", probabilities)
        logprobs = [math.log(each) if each > 0 else -math.inf for each in known]
        sure = _confidences_of(row, row.texts("generated_tokens"), logprobs, extractor=extractor) if known else {}
        name = row.optional_text("id") or row.text("id")
        yield Answered(id=name, is_right=is_right, outcome=float(is_right), confidences=sure)


def _confidences_of(
    row: Row, texts: Sequence[str], logprobs: Sequence[float], *, extractor: str | None
) -> Mapping[Measure, float]:
    """Of what the tokens spell, which is the completion but for special tokens."""
    if len(texts) != len(logprobs):
        raise DataError(
            f"{row.origin}: there are {len(texts)} tokens and {len(logprobs)} probabilities. Write the row again."
        )
    tokens = Tokens(texts=tuple(texts), logprobs=tuple(logprobs))
    return confidences("".join(texts), tokens, extractor=extractor)


def _of_evaluation(row: Row, *, extractor: str | None) -> Answered:
    try:
        record = EvalRecord.from_json(row.fields)
    except DataError as error:
        raise DataError(f"{row.origin}: {error}") from error
    sure: dict[Measure, float] = {} if record.confidence is None else {"answer_geometric": record.confidence}
    if record.token_texts is not None:
        tokens = Tokens(texts=record.token_texts, logprobs=record.token_logprobs)
        sure |= confidences(record.generated_text, tokens, extractor=extractor)
    return Answered(id=record.id, is_right=record.correct, outcome=float(record.correct), confidences=sure)


def _of_training(row: Row, *, right_at: float, extractor: str | None) -> Answered:
    outcome = row.fields.get("outcome")
    if not isinstance(outcome, (int, float)) or isinstance(outcome, bool):
        row.refuse("outcome", outcome, "a number")
    texts, logprobs = row.texts("raw_completion_tokens"), row.objects("per_token_logps")
    if not all(isinstance(each, (int, float)) for each in logprobs):
        row.refuse("per_token_logps", list(logprobs), "a list of numbers")
    known = cast("tuple[float, ...]", logprobs)
    sure = _confidences_of(row, texts, known, extractor=extractor) if texts else {}
    return Answered(id=row.text("id"), is_right=outcome >= right_at, outcome=float(outcome), confidences=sure)
