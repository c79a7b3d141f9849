"""A file of texts as the model: whatever wrote them, they are judged like those of a model that is asked here."""

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from radrl.asking.respondent import MAIN
from radrl.asking.spelling import spelt
from radrl.config.evaluation import EvaluateConfig
from radrl.data.rows import Row
from radrl.data.sources import read_rows
from radrl.errors import ConfigError, DataError
from radrl.evaluation.responses import Response
from radrl.types import Sample

log = logging.getLogger(__name__)

TEXT_FIELDS = ("generated_text", "completion", "text", "response", "prediction")
"""Where a row may have its text, the first that is there; without any it is the last turn of `messages`."""
ID_FIELDS = ("id", "idx")
TOKEN_TEXTS = ("token_texts", "raw_completion_tokens", "generated_tokens", "token_preds")
TOKEN_LOGPROBS = ("token_logprobs", "per_token_logps")
TOKEN_PROBS = ("token_probabilities", "token_probs")
TOKEN_IDS = ("token_ids", "completion_ids")
NUM_NAMED = 5
"""Ids that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One text of the file.

    Example: `Prediction(id="q7", text="<think>...</think><answer>yes</answer>", origin="answers.jsonl:3")`
    """

    id: str | None
    """None where the file names no questions."""
    text: str
    origin: str
    token_ids: tuple[int, ...] = ()
    token_texts: tuple[str, ...] = ()
    token_logprobs: tuple[float, ...] = ()
    stop: Literal["eos", "length"] | None = None

    def of(self, sample: Sample, *, index: int) -> Response:
        """The response that it is to a question."""
        return Response(
            sample=sample,
            index=index,
            text=self.text,
            token_ids=self.token_ids,
            token_texts=self.token_texts,
            token_logprobs=self.token_logprobs,
            stop=self.stop,
        )


class PredictionsRespondent:
    """Answers each question with the texts that a file has for it."""

    def __init__(self, config: EvaluateConfig) -> None:
        """Raises ConfigError without a file, DataError for one that cannot be read."""
        if not config.predictions:
            raise ConfigError(
                "backend is predictions and no file is given. Give predictions=FILE, which holds the texts."
            )
        self._config = config
        self._path = Path(config.predictions)
        self._predictions = read_predictions(self._path)

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:  # noqa: ARG002
        """Yield the texts. Raises DataError for questions without a text, and texts without a question."""
        n = self._config.n
        if all(prediction.id is None for prediction in self._predictions):
            texts = self._by_order(samples)
        else:
            texts = self._by_id(samples)
        for sample in samples:
            found = texts.get(sample.id, [])
            yield from (prediction.of(sample, index=index) for index, prediction in enumerate(found))
            for index in range(len(found), n):
                yield Response(sample=sample, index=index, text="", failure="the file has no prediction")

    def _by_id(self, samples: Sequence[Sample]) -> dict[str, list[Prediction]]:
        texts: dict[str, list[Prediction]] = {sample.id: [] for sample in samples}
        surplus: dict[str, None] = {}
        for prediction in self._predictions:
            if prediction.id is None:
                raise DataError(f"{prediction.origin}: the prediction has no id, and others have one. Add it.")
            if prediction.id in texts:
                texts[prediction.id].append(prediction)
            else:
                surplus[prediction.id] = None
        self._check(texts, surplus=list(surplus))
        return texts

    def _by_order(self, samples: Sequence[Sample]) -> dict[str, list[Prediction]]:
        n, wanted = self._config.n, len(samples) * self._config.n
        if len(self._predictions) != wanted:
            raise DataError(
                f"{self._path} (from predictions) names no questions and has {len(self._predictions)} texts, where "
                f"{wanted} would be {n} for each of {len(samples)} questions. Give every text the id of its question."
            )
        log.warning("the texts of %s have no ids and are matched to the questions by their order", self._path)
        texts = iter(self._predictions)
        return {sample.id: [next(texts) for _ in range(n)] for sample in samples}

    def _check(self, texts: Mapping[str, Sequence[Prediction]], *, surplus: Sequence[str]) -> None:
        n = self._config.n
        if surplus and self._config.max_samples is None:
            raise DataError(
                f"{self._path} (from predictions) has texts for {len(surplus)} ids that no question has: "
                f"{_named(surplus)}. Give the file of these questions in data, or remove the rows."
            )
        missing = [name for name, found in texts.items() if len(found) < n]
        if missing and self._config.predictions_missing == "error":
            raise DataError(
                f"{self._path} (from predictions) has fewer than {n} texts for {len(missing)} of {len(texts)} "
                f"questions: {_named(missing)}. Add them, or set predictions_missing=wrong to count them as unreadable."
            )
        many = [name for name, found in texts.items() if len(found) > n]
        if many:
            raise DataError(
                f"{self._path} (from predictions) has {len(texts[many[0]])} texts for the question {many[0]}, and n is "
                f"{n}. Set n to it, or leave one text a question."
            )


def read_predictions(path: Path) -> list[Prediction]:
    """Every text of a file, in order: of an evaluation here or of CheX-Phi4MM's, of a run's last step, or of a table.

    A folder is that of an evaluation. Raises DataError naming file, line and field.
    """
    file = path / "samples.jsonl" if path.is_dir() else path
    rows = _last_steps([row for row in _rows(file) if row.fields.get("pass", MAIN) == MAIN])
    if not any(_text_field(row) or "messages" in row.fields for row in rows):
        raise DataError(
            f"{file} (from predictions) has no row with a text: none of the fields {', '.join(TEXT_FIELDS)} and "
            "messages is there. Rename the one that holds it."
        )
    predictions = [_prediction(row) for row in rows]
    num_unlike = sum(_has_tokens(row) and not each.token_texts for row, each in zip(rows, predictions, strict=True))
    if num_unlike:
        log.warning("the tokens of %d of %d texts in %s do not spell them: left out", num_unlike, len(rows), file)
    return predictions


def _rows(file: Path) -> list[Row]:
    """Rows of a table or list; a JSON object with a list of `results` is CheX-Phi4MM's."""
    if file.suffix != ".json" or not file.is_file():
        return read_rows(file)
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise DataError(f"{file} (from predictions) cannot be read as JSON ({error}). Write it again.") from error
    items = cast("dict[str, object]", content).get("results") if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(
            f"{file} (from predictions) holds neither a list of objects nor an object with such a list as `results`. "
            'Write [{"id": ..., "text": ...}, ...].'
        )
    return [Row(fields=item, file=file, line=number) for number, item in enumerate(items, start=1)]


def _last_steps(rows: Sequence[Row]) -> list[Row]:
    """Of a question that a training run answered at several steps, the answers of the last."""
    last: dict[str | None, int] = {}
    for row in rows:
        last[_id(row)] = max(_step(row), last.get(_id(row), 0))
    return [row for row in rows if _step(row) == last[_id(row)]]


def _step(row: Row) -> int:
    step = row.fields.get("step")
    return step if isinstance(step, int) else 0


def _prediction(row: Row) -> Prediction:
    text = _text(row)
    texts = spelt(_flat_texts(row, _first(row, TOKEN_TEXTS)), text) or ()
    logprobs = _logprobs(row)
    if texts and logprobs and len(texts) != len(logprobs):
        raise DataError(
            f"{row.origin}: there are {len(texts)} tokens and {len(logprobs)} probabilities. Write the row again."
        )
    token_ids = _numbers(row, _first(row, TOKEN_IDS))
    stop = row.fields.get("stop")
    return Prediction(
        id=_id(row),
        text=text,
        origin=row.origin,
        token_ids=tuple(int(number) for number in token_ids),
        token_texts=texts,
        token_logprobs=logprobs if texts or not _has_tokens(row) else (),
        stop=stop if stop in ("eos", "length") else None,  # pyright: ignore[reportArgumentType]
    )


def _id(row: Row) -> str | None:
    field = _first(row, ID_FIELDS)
    return row.optional_text(field) if field else None


def _text(row: Row) -> str:
    """An empty cell of a table is an empty text."""
    field = _text_field(row)
    if field:
        return row.text(field)
    return "" if row.is_flat else _last_turn(row)


def _text_field(row: Row) -> str | None:
    """`prediction` may hold the answer as it was read, a list, beside the text that it was read from."""
    return next((field for field in TEXT_FIELDS if isinstance(row.fields.get(field), str)), None)


def _last_turn(row: Row) -> str:
    """What the model says last in the `messages` of CX-Mind's evaluation files."""
    for message in reversed(row.objects("messages")):
        spoken = cast("dict[str, object]", message) if isinstance(message, dict) else {}
        content = spoken.get("content")
        if spoken.get("role") == "assistant" and isinstance(content, str):
            return content
    return row.refuse("messages", row.fields.get("messages"), "a list with a turn of the assistant as text")


def _has_tokens(row: Row) -> bool:
    return bool(_flat_texts(row, _first(row, TOKEN_TEXTS)))


def _first(row: Row, fields: Sequence[str]) -> str | None:
    return next((field for field in fields if row.fields.get(field) is not None), None)


def _flat_texts(row: Row, field: str | None) -> list[str]:
    items = _flat(row, field)
    if field and not all(isinstance(item, str) for item in items):
        row.refuse(field, items, "a list of texts")
    return [str(item) for item in items]


def _logprobs(row: Row) -> tuple[float, ...]:
    """Logarithms as they are, or those of probabilities, of which one that was rounded to 0 counts as the least."""
    field = _first(row, TOKEN_LOGPROBS)
    if field:
        return _numbers(row, field)
    field = _first(row, TOKEN_PROBS)
    probabilities = _numbers(row, field)
    if field and not all(0 <= each <= 1 for each in probabilities):
        row.refuse(field, list(probabilities), "a list of numbers from 0 to 1")
    return tuple(math.log(max(each, sys.float_info.min)) for each in probabilities)


def _numbers(row: Row, field: str | None) -> tuple[float, ...]:
    items = _flat(row, field)
    if field and not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
        row.refuse(field, items, "a list of numbers")
    return tuple(cast("list[float]", items))


def _flat(row: Row, field: str | None) -> list[object]:
    """A list; CheX-Phi4MM's README nests those of its records one deeper."""
    items = list(row.objects(field)) if field else []
    return list(cast("list[object]", items[0])) if len(items) == 1 and isinstance(items[0], list) else items


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NUM_NAMED]) + (", ..." if len(ids) > NUM_NAMED else "")
