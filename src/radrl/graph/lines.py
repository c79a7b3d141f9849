"""`radrl graph FILE|-`: one graph a line, in order, for plain or JSON lines; a JSON list with its graphs made anew."""

import json
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from radrl.errors import DataError
from radrl.graph.extract import extract_all, open_extractor
from radrl.graph.records import find_form, parse_records, text_of

STDIN = Path("-")
"""Stands for standard input where a file is asked for."""

_BATCH = 256
"""Texts that a back end reads together."""


def graph_file(path: Path, *, field: str = "text", out: Path | None = None, extractor: str = "rules") -> int:
    """Write the graph of every text of a file as JSON, in the same order; the number of texts.

    `-` is standard input. A file is JSON lines when its name ends in .jsonl or it starts with a brace, and a JSON list
    when it starts with a bracket and a brace; then `field` of each record is read. Otherwise each line is a text, and
    an empty line has an empty graph. Graphs are one a line; a list, such as CheX-Phi4MM's annotations or its
    gt_kg.json, is written as the same list with fresh `entities`, `relations`, `triplets` and `labels`. Without `out`
    everything goes to standard output. A progress bar for long files goes to a terminal's standard error.

    Raises `DataError` naming file and line for a line that is no JSON object or has no such text, and `PluginError`
    for an extractor that cannot be opened.
    """
    if path != STDIN and not path.is_file():
        raise DataError(f"{path} is not a file. Give a file of plain lines, JSON lines or a JSON list, or - for input.")
    open_extractor(extractor)
    num_lines = None if path == STDIN else _count_lines(path)
    with _lines_of(path) as lines:
        form, lines = find_form(lines)
        if form == "json list" and path.suffix != ".jsonl":
            return _write_list(lines, path=path, field=field, out=out, extractor=extractor)
        if form == "json lines" or path.suffix == ".jsonl":
            texts = (
                text_of(record, field=field, where=f"line {number} of {_name(path)}")
                for number, record in parse_records(lines, source=_name(path))
            )
        else:
            texts = (line.rstrip("\n") for line in lines)
        with _sink(out) as sink:
            return _write_lines(texts, sink=sink, extractor=extractor, total=num_lines)


def _write_lines(texts: Iterable[str], *, sink: TextIO, extractor: str, total: int | None) -> int:
    count = 0
    for batch in _batches(texts, total=total):
        for graph in extract_all(batch, extractor=extractor):
            sink.write(json.dumps(graph.to_json(), ensure_ascii=False) + "\n")
        count += len(batch)
    return count


def _write_list(lines: Iterable[str], *, path: Path, field: str, out: Path | None, extractor: str) -> int:
    """The whole list is read before anything is written, so `out` may be the file itself."""
    records = list(parse_records(lines, source=_name(path)))
    texts = [text_of(record, field=field, where=f"entry {number} of {_name(path)}") for number, record in records]
    graphs = [graph for batch in _batches(texts, total=len(texts)) for graph in extract_all(batch, extractor=extractor)]
    fresh = [{**record, **graph.to_json()} for (_, record), graph in zip(records, graphs, strict=True)]
    with _sink(out) as sink:
        sink.write(json.dumps(fresh, ensure_ascii=False, indent=2) + "\n")
    return len(fresh)


def _batches(texts: Iterable[str], *, total: int | None) -> Iterator[list[str]]:
    """Texts in batches, with a progress bar on standard error when that is a terminal and there is more than one."""
    console = Console(stderr=True)
    columns = (TextColumn("graphs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    waiting = iter(texts)
    is_long = total is None or total > _BATCH
    with Progress(*columns, console=console, disable=not (console.is_terminal and is_long), transient=True) as bar:
        task = bar.add_task("", total=total)
        while batch := list(islice(waiting, _BATCH)):
            yield batch
            bar.advance(task, len(batch))


@contextmanager
def _lines_of(path: Path) -> Generator[Iterator[str]]:
    if path == STDIN:
        yield iter(sys.stdin)
        return
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        yield iter(file)


def _sink(out: Path | None) -> "nullcontext[TextIO] | TextIO":
    return nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8")


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _name(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
