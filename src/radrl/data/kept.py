"""What is slow to find out about images and always the same, kept on disk from one run to the next."""

import hashlib
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from radrl.config.data import DicomPreset
from radrl.data.images import image_ref
from radrl.types import ImageRef

log = logging.getLogger(__name__)

_SETTLED_NS: Final = 2_000_000_000
"""A file that changed less than this ago might change again without its times saying so."""


class KeptLines:
    """Facts by key in a text file, one a line, both in hexadecimal digits.

    Processes may add to the file at once; a line that a kill left half is passed over. A disk that refuses is worth a
    warning and no more. The folder is readable by its owner only.

    Example: `KeptLines(Path("/scratch/me/hashes.txt"), key_digits=64, fact_digits=128).read()`
    """

    def __init__(self, file: Path, *, key_digits: int, fact_digits: int) -> None:
        self.file = file
        self._line = re.compile(rf"([0-9a-f]{{{key_digits}}}) ([0-9a-f]{{{fact_digits}}})", re.ASCII)

    def read(self) -> dict[str, str]:
        """Everything that is kept."""
        if not self.file.exists():
            return {}
        lines = self.file.read_text(encoding="ascii", errors="replace").splitlines()
        return {match[1]: match[2] for match in map(self._line.fullmatch, lines) if match}

    def add(self, facts: Mapping[str, str]) -> None:
        """Keep more."""
        if not facts:
            return
        # The line break in front ends what a kill may have left without one.
        content = "".join(f"\n{key} {fact}" for key, fact in facts.items()) + "\n"
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.file.open("ab") as file:
                file.write(content.encode("ascii"))
        except OSError as error:
            log.warning("%s cannot be written (%s): what it would keep is found out again", self.file, error)


class FilmNames:
    """Names films by content like `image_ref`, which reads and checks the whole file, but once for each film.

    A file is taken to be the one it was while its path, size and times of change are. Paths are kept as hashes.

    Example: `FilmNames(Path("/scratch/me")).ref(Path("/films/a.png"))`
    """

    def __init__(self, folder: Path) -> None:
        self._kept = KeptLines(folder / "film-names-1" / "names.txt", key_digits=64, fact_digits=64)
        self._known: dict[str, str] | None = None
        self._new: dict[str, str] = {}

    def ref(self, path: Path, *, preset: DicomPreset = "voi") -> ImageRef:
        """Name one film. Raises what `image_ref` does."""
        try:
            stat = path.stat()
        except OSError:
            return image_ref(path, preset=preset)
        if self._known is None:
            self._known = self._kept.read()
        place = path.absolute()
        facts = f"{place}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}"
        for stated in (None, preset):
            sha256 = self._known.get(_key(facts, stated))
            if sha256 is not None:
                return ImageRef(path=str(place), sha256=sha256, preset=stated)
        ref = image_ref(path, preset=preset)
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_NS:
            self._known[_key(facts, ref.preset)] = self._new[_key(facts, ref.preset)] = ref.sha256
        return ref

    def save(self) -> None:
        """Keep the names that were found since the last call."""
        self._kept.add(self._new)
        self._new = {}


def _key(facts: str, preset: str | None) -> str:
    return hashlib.blake2b(f"{facts}\0{preset}".encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
