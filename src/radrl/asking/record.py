"""What a model said, on the disk as it comes: `responses.jsonl`, from which a stopped evaluation goes on."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from radrl.errors import DataError
from radrl.evaluation.responses import Response
from radrl.jsonl import append_jsonl, parse_jsonl
from radrl.types import Sample

FILE = "responses.jsonl"
SHARDS = "responses.*-of-*.jsonl"


class Key(NamedTuple):
    """Which response a row holds."""

    pass_name: str
    id: str
    index: int
    asked: str
    """Short digest of the question and its images: a question that was changed is another one."""


def shard_file(folder: Path, number: int, count: int) -> Path:
    """Where worker `number` of `count` puts its responses until all of them are done."""
    return folder / f"responses.{number}-of-{count}.jsonl"


def holds_responses(folder: Path) -> bool:
    """Whether anything was answered in an evaluation's folder."""
    return any(file.stat().st_size for file in (*folder.glob(FILE), *folder.glob(SHARDS)))


def digest_of(sample: Sample) -> str:
    """What a model is shown of a sample, in 16 hex digits."""
    shown = [sample.question, *(image.sha256 for image in sample.images)]
    return hashlib.blake2b(json.dumps(shown).encode(), digest_size=8).hexdigest()


def append_response(file: Path, response: Response, *, pass_name: str) -> None:
    """Add a response to a file. Raises DataError when the disk refuses."""
    row = {
        "pass": pass_name,
        "id": response.sample.id,
        "index": response.index,
        "asked": digest_of(response.sample),
        "text": response.text,
        "stop": response.stop,
        "token_ids": response.token_ids,
        "token_texts": response.token_texts,
        "token_logprobs": response.token_logprobs,
    }
    if response.closed_probs is not None:
        row["closed_probs"] = dict(response.closed_probs)
    try:
        append_jsonl(file, [row if response.failure is None else {**row, "failure": response.failure}])
    except OSError as error:
        raise DataError(
            f"cannot write to {file} ({error.strerror}). Make room there and give the same command again; what was "
            "answered is kept."
        ) from error


class Record:
    """The responses of one evaluation, in its folder."""

    def __init__(self, folder: Path) -> None:
        """Take up what is there: what workers left behind is put into the one file, half a last line is cut.

        A question that was not answered last time is open again.
        """
        self.file = folder / FILE
        self._folder = folder
        self._keys: dict[Key, None] = {}
        self.gather()

    def gather(self) -> None:
        """Put the responses of all shards into the one file, behind those that it has, and remove the shards."""
        shards = sorted(self._folder.glob(SHARDS))
        failed = {key for key, line in _lines(self.file) if "failure" in json.loads(line)}
        if shards or failed or _ends_in_half_a_line(self.file):
            lines = (line for file in (self.file, *shards) for line in _lines(file))
            self._write({key: line for key, line in lines if key not in failed})
            for shard in shards:
                shard.unlink()
        self._keys = dict.fromkeys(key for key, _ in _lines(self.file))

    def has(self, sample: Sample, *, pass_name: str, n: int) -> bool:
        """Whether all n responses to a question are there."""
        asked = digest_of(sample)
        return all(Key(pass_name, sample.id, index, asked) in self._keys for index in range(n))

    def append(self, response: Response, *, pass_name: str) -> None:
        """Add a response."""
        append_response(self.file, response, pass_name=pass_name)
        self._keys[Key(pass_name, response.sample.id, response.index, digest_of(response.sample))] = None

    def forget(self, samples: Iterable[Sample], *, pass_name: str) -> None:
        """Drop what is there of these questions of a pass, because they are about to be asked."""
        ids = {sample.id for sample in samples}
        dropped = {key for key in self._keys if key.pass_name == pass_name and key.id in ids}
        if dropped:
            self._write({key: line for key, line in _lines(self.file) if key not in dropped})

    def read(self, samples: Sequence[Sample], *, pass_name: str, n: int) -> list[Response]:
        """The responses to these questions, in order, all of which are there; the file is put into that order too."""
        wanted = {
            Key(pass_name, sample.id, index, asked): sample
            for sample, asked in ((sample, digest_of(sample)) for sample in samples)
            for index in range(n)
        }
        if [key for key in self._keys if key in wanted] != list(wanted):
            lines = dict(_lines(self.file))
            others = {key: line for key, line in lines.items() if key not in wanted}
            self._write({**others, **{key: lines[key] for key in wanted}})
        found = {key: _response(line, wanted[key]) for key, line in _lines(self.file) if key in wanted}
        return [found[key] for key in wanted]

    def _write(self, lines: Mapping[Key, str]) -> None:
        """Replace the file at once or not at all."""
        unfinished = self.file.with_name(f".{self.file.name}.unfinished")
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(lines.values())
        unfinished.replace(self.file)
        self._keys = dict.fromkeys(lines)


def _lines(path: Path) -> Iterator[tuple[Key, str]]:
    """Rows of a file as they are written, each with its key; none where there is no file, no half a row."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith("\n"):
                yield _key(_parsed(line, path=path, number=number), path=path, number=number), line


def _parsed(line: str, *, path: Path, number: int) -> dict[str, Any]:
    return dict(next(parse_jsonl([line], source=f"{path}, row {number}"))[1])


def _key(row: Mapping[str, Any], *, path: Path, number: int) -> Key:
    try:
        return Key(row["pass"], row["id"], row["index"], row["asked"])
    except KeyError as error:
        raise DataError(
            f"line {number} of {path} has no {error}. Put back the file as it was, or set fresh=true."
        ) from error


def _response(line: str, sample: Sample) -> Response:
    row = json.loads(line)
    return Response(
        sample=sample,
        index=row["index"],
        text=row["text"],
        stop=row["stop"],
        token_ids=tuple(row["token_ids"]),
        token_texts=tuple(row["token_texts"]),
        token_logprobs=tuple(math.nan if value is None else value for value in row["token_logprobs"]),
        closed_probs=row.get("closed_probs"),
        failure=row.get("failure"),
    )


def _ends_in_half_a_line(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
