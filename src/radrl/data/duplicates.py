"""Films that are in training and in held-out data alike, whatever was done to the file between.

A film's perceptual hash says, for the film shrunk to 16 x 16 fields, whether it gets brighter from each field to the
next one to the right and to the next one down: 512 bits (the difference hash, in two directions). Measured on 116 films
(NIH at 128 px, Hannover, one of Wikimedia): no two films come closer than 69 bits, and 300 phantom films no closer than
46. Saving as JPEG at quality 50, halving, equalising and a gamma of 0.7 change 31 bits at most; cutting 1 % off every
edge stays within 32 for nine films of ten. Cutting 3 % off, turning, mirroring and inverting go unnoticed.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radrl.data.images import open_image
from radrl.data.kept import KeptLines
from radrl.errors import DataError
from radrl.graph.cache import default_folder
from radrl.types import ImageRef, Sample

log = logging.getLogger(__name__)

SIDE: Final = 16
NUM_BITS: Final = 2 * SIDE * SIDE
MAX_DISTANCE: Final = 32
"""Bits up to which two films count as the same."""

_DECODED_PX: Final = 256
"""Side that a JPEG may be decoded at, an eighth of its pixels or more being left out on the way."""
_NUM_NAMED: Final = 10
"""Pairs that a message names."""
_BLOCK: Final = 8192
"""Films that are compared at a time."""

Hash = NDArray[np.uint8]
"""[64] the bits of a film, packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A training film and a held-out one that are nearly the same.

    Example: `Pair(train=ImageRef(...), held_out=ImageRef(...), distance=3)`
    """

    train: ImageRef
    held_out: ImageRef
    distance: int
    """Bits of 512 in which their hashes differ; 0 for the same file."""


def perceptual_hash(image: Image.Image) -> Hash:
    """The 512 bits of a film: brighter to the right, then brighter downwards, row by row."""
    grey = image.convert("L")
    across = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16)
    down = np.asarray(grey.resize((SIDE, SIDE + 1), Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(np.concatenate([(np.diff(across, axis=1) > 0).ravel(), (np.diff(down, axis=0) > 0).ravel()]))


class HashIndex:
    """Hashes of films by content, kept on disk, since a film has to be decoded for its hash.

    Example: `HashIndex(Path("/scratch/me")).hashes([ImageRef(...)])`
    """

    def __init__(self, folder: Path) -> None:
        file = folder / "perceptual-hashes-1" / "hashes.txt"
        self.kept = KeptLines(file, key_digits=64, fact_digits=NUM_BITS // 4)

    def hashes(self, refs: Iterable[ImageRef]) -> dict[str, Hash]:
        """Content hash -> perceptual hash; films that are not known yet are decoded."""
        wanted = {ref.sha256: ref for ref in refs}
        known = self.kept.read()
        unknown = [ref for sha256, ref in wanted.items() if sha256 not in known]
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            hashed = zip(unknown, threads.map(_hash_of, unknown), strict=True)
            new = {ref.sha256: bits.tobytes().hex() for ref, bits in hashed}
        self.kept.add(new)
        found = {**known, **new}
        return {sha256: np.frombuffer(bytes.fromhex(found[sha256]), dtype=np.uint8) for sha256 in wanted}


def near_duplicates(train: Iterable[ImageRef], held_out: Iterable[ImageRef], *, index: HashIndex) -> list[Pair]:
    """Every pair of a training film and a held-out one within `MAX_DISTANCE`, the closest first."""
    train_by_key = {ref.sha256: ref for ref in train}
    held_out_by_key = {ref.sha256: ref for ref in held_out}
    if not train_by_key or not held_out_by_key:
        return []
    hashes = index.hashes({**train_by_key, **held_out_by_key}.values())
    train_refs, held_out_refs = list(train_by_key.values()), list(held_out_by_key.values())
    others = _signs([hashes[ref.sha256] for ref in held_out_refs])
    pairs: list[Pair] = []
    for start in range(0, len(train_refs), _BLOCK):
        block = train_refs[start : start + _BLOCK]
        agreement = _signs([hashes[ref.sha256] for ref in block]) @ others.T
        distances = (NUM_BITS - agreement) / 2
        near: list[list[int]] = np.argwhere(distances <= MAX_DISTANCE).tolist()
        for row, column in near:
            distance = round(float(distances[row, column]))
            pairs.append(Pair(train=block[row], held_out=held_out_refs[column], distance=distance))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.train.sha256, pair.held_out.sha256))


def check_apart(
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    *,
    mode: Literal["off", "warn", "error"],
    index: HashIndex | None = None,
) -> list[Pair]:
    """Report films that training and held-out questions share, by the rows that show them first.

    Raises: DataError with `error` as the mode, when there are any; with `warn` they are a warning.
    """
    if mode == "off":
        return []
    rows = {"train": _first_rows(train), "held out": _first_rows(held_out)}
    pairs = near_duplicates(
        (ref for sample in train for ref in sample.images),
        (ref for sample in held_out for ref in sample.images),
        index=index or HashIndex(default_folder()),
    )
    if not pairs:
        return []
    named = ", ".join(
        f"{rows['train'][pair.train.sha256]} and {rows['held out'][pair.held_out.sha256]} ({pair.distance})"
        for pair in pairs[:_NUM_NAMED]
    )
    message = (
        f"{len(pairs)} pairs of a training and a validation image are the same film or nearly so, with this many of "
        f"{NUM_BITS} bits between them: {named}{', ...' if len(pairs) > _NUM_NAMED else ''}. Split by patient, or set "
        "data.near_duplicates=off if these are different films"
    )
    if mode == "error":
        raise DataError(f"{message}.")
    log.warning("%s", message)
    return pairs


def _hash_of(ref: ImageRef) -> Hash:
    return perceptual_hash(open_image(ref, least_px=_DECODED_PX))


def _first_rows(samples: Sequence[Sample]) -> dict[str, str]:
    """Content hash of an image -> the first row that shows it."""
    return {ref.sha256: sample.origin for sample in reversed(samples) for ref in sample.images}


def _signs(hashes: Sequence[Hash]) -> NDArray[np.float32]:
    """[N 512] bits as +1 and -1: the product of two rows is the number of equal bits less that of unequal ones."""
    bits = np.unpackbits(np.stack(hashes), axis=1)
    return bits.astype(np.float32) * 2 - 1
