"""Graphs that some process has read before, on disk, in one SQLite file that many processes may use at once.

Every row carries a checksum over its key and its graph, so a damaged file costs time and never gives a wrong graph:
what cannot be trusted is not there. A cache that cannot be used is worth one warning and no more.
"""

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from radrl.errors import DataError
from radrl.graph.types import KnowledgeGraph

_Result = TypeVar("_Result")

_FORM = "graphs-1"
"""Folder of the file; another number whenever Graph JSON or the table changes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS graphs (
    text_sha256 TEXT, backend TEXT, version TEXT, graph TEXT, checksum TEXT,
    PRIMARY KEY (text_sha256, backend, version)
) WITHOUT ROWID
"""
_SELECT = "SELECT graph, checksum FROM graphs WHERE text_sha256 = ? AND backend = ? AND version = ?"
_INSERT = "INSERT OR REPLACE INTO graphs VALUES (?, ?, ?, ?, ?)"

_WAIT_S = 60
"""How long a process waits for others that write; each of them holds the file for milliseconds."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Where caches live: `RADRL_CACHE`, else `radrl` in the user's cache folder (`XDG_CACHE_HOME` or ~/.cache)."""
    chosen = os.environ.get("RADRL_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "radrl"


class DiskCache:
    """Graphs by SHA-256 of the text, back end and version.

    The folder is readable by its owner only: graphs hold words of reports. Each call opens the file anew (0.2 ms), so
    a cache may be shared with threads and forked processes. The file is in SQLite's write-ahead mode, which network
    file systems do not support: point `RADRL_CACHE` to a local disk.

    Example: `DiskCache(Path("/scratch/me")).get(["No edema."], name="rexkg", version="9f2c1a")`
    """

    def __init__(self, folder: Path) -> None:
        """The file is `folder/graphs-1/graphs.sqlite`; it appears with the first use."""
        self.folder = folder / _FORM
        self._has_warned = False

    def get(self, texts: Sequence[str], *, name: str, version: str) -> dict[str, KnowledgeGraph]:
        """Text -> graph, for the texts whose graph is known."""

        def select(connection: sqlite3.Connection) -> dict[str, KnowledgeGraph]:
            graphs: dict[str, KnowledgeGraph] = {}
            for text in texts:
                key = (_sha256(text), name, version)
                row = connection.execute(_SELECT, key).fetchone()
                graph = self._read(key, row) if row else None
                if graph is not None:
                    graphs[text] = graph
            return graphs

        return self._use(select) or {}

    def put(self, graphs: Mapping[str, KnowledgeGraph], *, name: str, version: str) -> None:
        """Keep graphs by their texts, all or none."""

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(_INSERT, rows)

        rows: list[tuple[str, ...]] = []
        for text, graph in graphs.items():
            key = (_sha256(text), name, version)
            # ASCII, so that texts with lone surrogates can be kept too.
            value = json.dumps(graph.to_json())
            rows.append((*key, value, _checksum(key, value)))
        self._use(insert)

    def _read(self, key: tuple[str, ...], row: tuple[object, object]) -> KnowledgeGraph | None:
        value, checksum = row
        if not isinstance(value, str) or checksum != _checksum(key, value):
            self._warn(f"an entry of the graph cache in {self.folder} is damaged; it is read from its text again.")
            return None
        try:
            return KnowledgeGraph.from_json(json.loads(value))
        except DataError as error:
            self._warn(f"the graph cache in {self.folder} holds entries of another form; they are made anew ({error}).")
            return None

    def _use(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """What the action gives on the open file; None when the file cannot be used, with a warning."""
        try:
            try:
                with self._open() as connection:
                    return action(connection)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            self._set_aside()
            with self._open() as connection:
                return action(connection)
        except (sqlite3.Error, OSError) as error:
            self._warn(
                f"the graph cache in {self.folder} cannot be used: {error}. Graphs are read without it, which takes "
                "longer; set RADRL_CACHE to a folder on a local disk that you may write to."
            )
            return None

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.folder / "graphs.sqlite", timeout=_WAIT_S)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(_TABLE)
            yield connection

    def _set_aside(self) -> None:
        """Rename the folder of a damaged file, journals and all, unless another process has just done so."""
        try:
            with self._open() as connection:
                if connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",):
                    return
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        number = 1
        while (aside := self.folder.with_name(f"{_FORM}.damaged-{number}")).exists():
            number += 1
        try:
            self.folder.rename(aside)
        except FileNotFoundError:
            return
        self._warn(f"the graph cache in {self.folder} was damaged. It was moved to {aside} and is built anew.")

    def _warn(self, message: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("%s", message)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # The low byte is the kind of error; the rest says more. Errors of the sqlite3 module itself carry no code.
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _checksum(key: tuple[str, ...], value: str) -> str:
    return _sha256("\0".join((*key, value)))[:16]
