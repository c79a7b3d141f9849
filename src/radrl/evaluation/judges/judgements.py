"""Verdicts of one evaluation: asked once, kept in `judgements.jsonl`, and read from there when it is run again."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from radrl.errors import DataError
from radrl.evaluation.judges.verdicts import Case, Failure, Judge, Verdict
from radrl.evaluation.records import Judged
from radrl.jsonl import append_jsonl, parse_jsonl

FILE = "judgements.jsonl"


def judge_answers(
    judged: Sequence[Judged], judge: Judge, *, folder: Path | None = None
) -> list[Verdict | Failure | None]:
    """What the judge says of every completion; None where there is no answer, about which it is not asked.

    With a folder, verdicts are kept there as they come, and those that are there already, of the same judge about the
    same case, are not asked for again; failures are. Raises DataError when the disk refuses.
    """
    cases = [Case.of(one) for one in judged]
    keys = {_key(judge.identity, case): case for case in cases if case is not None}
    kept: dict[str, Verdict | Failure] = dict(_kept(folder / FILE)) if folder is not None else {}
    asked = {key: case for key, case in keys.items() if key not in kept}
    for (key, case), said in zip(asked.items(), judge.judge(list(asked.values())), strict=True):
        kept[key] = said
        if folder is not None:
            _keep(folder / FILE, key, case, said)
    return [None if case is None else kept[_key(judge.identity, case)] for case in cases]


def _key(identity: Mapping[str, object], case: Case) -> str:
    """Digest of all that the verdict follows from."""
    content = [
        dict(identity),
        case.question,
        sorted(case.gold),
        None if case.prediction is None else sorted(case.prediction),
        case.answer,
        case.reference,
        case.text,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _keep(file: Path, key: str, case: Case, said: Verdict | Failure) -> None:
    row: dict[str, object] = {"key": key, "id": case.id, "index": case.index}
    match said:
        case Verdict():
            row |= {"correct": said.correct, "reason": said.reason}
        case Failure():
            row |= {"failure": said.reason}
    try:
        append_jsonl(file, [row])
    except OSError as error:
        raise DataError(
            f"cannot write to {file} ({error.strerror}). Make room there and give the same command again; the verdicts "
            "so far are kept."
        ) from error


def _kept(file: Path) -> Iterator[tuple[str, Verdict]]:
    """Verdicts of earlier calls. Half a last line, which a kill leaves, is cut off."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    for number, row in parse_jsonl(whole.splitlines(), source=file):
        if "failure" in row:
            continue
        key, correct = row.get("key"), row.get("correct")
        if not isinstance(key, str) or not isinstance(correct, bool):
            raise DataError(f"line {number} of {file} is no verdict. Delete the line, or the file to ask anew.")
        yield key, Verdict(correct=correct, reason=str(row.get("reason", "")))
