"""Prompts that are too long for a run, found without a pixel: lengths are kept on disk from one run to the next."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from radrl.data.dropped import DropList
from radrl.errors import DataError
from radrl.types import Sample

log = logging.getLogger(__name__)

OVERLONG = "overlong"
"""Reason of the rows that are dropped here."""
BATCH = 1024
"""Samples that are measured together: their texts are tokenised in one call."""

_FORM = "prompt-lengths-1"
"""Folder of the files; another number whenever their form or what a length is made of changes."""
_ENTRY = np.dtype([("key", "V16"), ("num_tokens", "<u4")])
_CHECKSUM_BYTES = 16

Measure = Callable[[Sequence[Sample]], Sequence[int]]
"""Lengths of the prompts of samples, in tokens, images included. Raises DataError for one that cannot be rendered."""


class LengthIndex:
    """Lengths of prompts by question and images, for one model's way of writing them, in one file.

    A file holds hashes and numbers and no text. It is read whole and replaced whole: of two runs that add to it at once
    one wins, and the other's lengths are measured again. What is damaged is not used.

    Example: `LengthIndex(Path("/scratch/me"), fingerprint="5c1f...").get(["Is there ...".encode()])`
    """

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        """`fingerprint` stands for tokenizer, chat template and image settings: all that a length follows from."""
        self.file = folder / _FORM / f"{fingerprint}.bin"
        self._lengths: dict[bytes, int] | None = None

    def known(self) -> dict[bytes, int]:
        """Key -> length; empty where nothing is kept yet."""
        if self._lengths is None:
            self._lengths = self._read()
        return self._lengths

    def add(self, lengths: Mapping[bytes, int]) -> None:
        """Keep more lengths. A disk that refuses is worth a warning and no more."""
        if not lengths:
            return
        known = self.known()
        known.update(lengths)
        entries = np.empty(len(known), dtype=_ENTRY)
        entries["key"] = np.frombuffer(b"".join(known), dtype="V16")
        entries["num_tokens"] = np.fromiter(known.values(), dtype="<u4", count=len(known))
        content = entries.tobytes()
        try:
            _replace(self.file, _checksum(content) + content)
        except OSError as error:
            log.warning("lengths of prompts cannot be kept in %s (%s): they are measured again", self.file, error)

    def _read(self) -> dict[bytes, int]:
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("lengths of prompts cannot be read from %s (%s): they are measured again", self.file, error)
            return {}
        checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if checksum != _checksum(body) or len(body) % _ENTRY.itemsize:
            log.warning("%s is damaged: lengths of prompts are measured again", self.file)
            return {}
        entries = np.frombuffer(body, dtype=_ENTRY)
        keys = entries["key"].tolist()
        return dict(zip(keys, entries["num_tokens"].tolist(), strict=True))


def prompt_lengths(samples: Sequence[Sample], *, measure: Measure, index: LengthIndex | None) -> list[int]:
    """Length of each sample's prompt, in order; those that the index does not know are measured and added to it."""
    if index is None:
        return [length for batch in _batches(samples) for length in measure(batch)]
    known = index.known()
    keys = [length_key(sample) for sample in samples]
    unknown = {key: sample for key, sample in zip(keys, samples, strict=True) if key not in known}
    found: dict[bytes, int] = {}
    unknown_keys = list(unknown)
    for start in range(0, len(unknown_keys), BATCH):
        batch = unknown_keys[start : start + BATCH]
        found.update(zip(batch, measure([unknown[key] for key in batch]), strict=True))
    index.add(found)
    return [known[key] for key in keys]


def fitting(
    samples: Sequence[Sample],
    *,
    limit: int,
    drops_overlong: bool,
    measure: Measure,
    index: LengthIndex | None,
    drops: DropList,
) -> list[Sample]:
    """The samples whose prompts have at most `limit` tokens; a prompt is kept whole or left out, never cut.

    What is left out is noted in `drops`. Raises DataError naming the first such row where none is to be left out, and
    where nothing would be left.
    """
    lengths = prompt_lengths(samples, measure=measure, index=index)
    kept: list[Sample] = []
    overlong: list[tuple[Sample, int]] = []
    for sample, length in zip(samples, lengths, strict=True):
        if length <= limit:
            kept.append(sample)
        else:
            overlong.append((sample, length))
            drops.drop(OVERLONG, origin=sample.origin, id=sample.id, detail=f"{length} tokens, {limit} allowed")
    if overlong:
        first, length = overlong[0]
        message = (
            f"{len(overlong)} of {len(samples)} prompts are longer than data.max_prompt_length = {limit} tokens, the "
            f"first with {length} (sample {first.id}, {first.origin})"
        )
        if not drops_overlong or not kept:
            raise DataError(f"{message}. Raise data.max_prompt_length or lower data.max_pixels.")
        log.warning("%s; they are left out", message)
    return kept


def length_key(sample: Sample) -> bytes:
    """What tells prompts of one model apart: the question as it is asked, and the images by their content."""
    digest = hashlib.blake2b(sample.question.encode("utf-8", errors="surrogatepass"), digest_size=16)
    for ref in sample.images:
        digest.update(b"\0" + ref.sha256.encode("ascii"))
    return digest.digest()


def _batches(samples: Sequence[Sample]) -> Iterable[Sequence[Sample]]:
    return (samples[start : start + BATCH] for start in range(0, len(samples), BATCH))


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES).digest()


def _replace(file: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new; several processes may do so at once."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as unfinished:
            unfinished.write(content)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
