"""Numbers that stand for a part of a question: its words, its gold findings, its radiographs, or what a plugin says."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from rich.progress import track
from scipy import sparse

from radrl.config.data import DataConfig
from radrl.config.selection import EncodersConfig
from radrl.errors import PluginError
from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import NO_FINDING
from radrl.plugins import is_reference, resolve
from radrl.rewards.reasoning import gold_graph, gold_reasoning
from radrl.types import IMAGE_MARK, AnswerKind, ImageRef, Sample

Modality = Literal["question", "answer", "explanation", "image", "findings"]
"""Part of a question in which another may be like it."""

_WORD = re.compile(r"\w+")
_IMAGES_AT_ONCE = 16
_A_FEW = 500
"""References that are read within a second or two, without a progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """One row a question, and how two rows are compared.

    Example: `Features(rows=np.eye(2), distance="cosine")`: two questions that have nothing in common.
    """

    rows: Any
    """[N, F] float32, an array or a sparse CSR matrix; of length 1 or 0 for cosine, of 0 and 1 for hamming."""
    distance: Literal["cosine", "hamming"]
    """cosine: 1 - cosine, and 1 from a question without features; hamming: share of the features that differ."""

    def distances(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """[Q, G] distances between two lists of rows."""
        left, right = self.rows[queries], self.rows[gallery]
        products = left @ right.T
        shared = products.toarray() if sparse.issparse(products) else np.asarray(products)
        if self.distance == "cosine":
            return 1 - shared
        sizes = np.asarray(left.sum(axis=1)).reshape(-1, 1) + np.asarray(right.sum(axis=1)).reshape(1, -1)
        return (sizes - 2 * shared) / left.shape[1]


def text_features(texts: Sequence[str], encoder: str) -> Features:
    """Of texts: `words`, or a function that a plugin gives."""
    if encoder == "words":
        return word_features(texts)
    if not is_reference(encoder):
        raise PluginError(
            f"unknown encoder {encoder!r} (from retrieval.encoders). Write words, or path/to/file.py:function."
        )
    return Features(rows=_unit(_call(encoder, list(texts))), distance="cosine")


def word_features(texts: Sequence[str]) -> Features:
    """Which words a text has, case aside: the cosine of two is the words in common over sqrt(words x words).

    >>> word_features(["left effusion", "right effusion"]).distances(np.array([0]), np.array([1]))
    array([[0.5]], dtype=float32)
    """
    places: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns.extend(places.setdefault(word, len(places)) for word in sorted(set(_WORD.findall(text.lower()))))
        ends.append(len(columns))
    counts = np.diff(ends)
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    shape = (len(texts), max(len(places), 1))
    return Features(rows=sparse.csr_matrix((values, columns, ends), shape=shape), distance="cosine")


def finding_features(samples: Sequence[Sample], *, extractor: str) -> Features:
    """Which of CheXpert's findings each sample's gold graph and answer claim, also as uncertain."""
    read = track(samples, description="read findings", disable=len(samples) < _A_FEW)
    claimed = [_claimed(sample, extractor=extractor) for sample in read]
    names = sorted(set(extract("", extractor="rules").labels))
    rows = np.array([[name in each for name in names] for each in claimed], dtype=np.float32)
    return Features(rows=rows, distance="hamming")


def image_features(samples: Sequence[Sample], config: EncodersConfig, rows: DataConfig) -> Features:
    """The mean over a sample's radiographs of what the encoder makes of each, which is computed once an image."""
    assert config.image is not None
    distinct = list({ref.sha256 or ref.path: ref for sample in samples for ref in sample.images}.values())
    encode = _plugin_encoder(config.image) if is_reference(config.image) else _tower_encoder(config, rows)
    encoded = _unit(encode(distinct)) if distinct else np.zeros((0, 1), dtype=np.float32)
    places = {ref.sha256 or ref.path: place for place, ref in enumerate(distinct)}
    means = np.zeros((len(samples), encoded.shape[1]), dtype=np.float32)
    for number, sample in enumerate(samples):
        if sample.images:
            means[number] = encoded[[places[ref.sha256 or ref.path] for ref in sample.images]].mean(axis=0)
    return Features(rows=_unit(means), distance="cosine")


def question_text(sample: Sample) -> str:
    """The question without its image marks."""
    return sample.question.replace(IMAGE_MARK, " ")


def answer_text(sample: Sample) -> str:
    """The gold answer as one text."""
    return ", ".join(sorted(sample.answer)) or NO_FINDING


def explanation_text(sample: Sample) -> str:
    """The reasoning of the reference, or all of a reference without any."""
    return gold_reasoning(sample.reference) or sample.reference


def _claimed(sample: Sample, *, extractor: str) -> frozenset[str]:
    graphs = [gold_graph(sample, extractor=extractor)]
    if sample.answer_kind is AnswerKind.SET:
        graphs.append(extract(answer_text(sample), extractor=extractor))
    return frozenset(
        name for graph in graphs for name, certainty in graph.labels.items() if certainty in ("present", "uncertain")
    )


def _tower_encoder(config: EncodersConfig, rows: DataConfig) -> Callable[[Sequence[ImageRef]], np.ndarray]:
    """Mean over the image's tokens of what a model's tower hands to its language model."""
    import torch

    from radrl.models.load import load_adapter

    adapter = load_adapter(
        str(config.image),
        device=config.device,
        dtype=config.dtype,
        min_pixels=rows.min_pixels,
        max_pixels=rows.max_pixels,
        trust_remote_code=config.trust_remote_code,
        cache_bytes=1 << 26,
    )

    def encode(refs: Sequence[ImageRef]) -> np.ndarray:
        starts = range(0, len(refs), _IMAGES_AT_ONCE)
        means: list[np.ndarray] = []
        with torch.no_grad():
            for start in track(starts, description="encode radiographs", disable=len(starts) < 2):
                features = adapter.encode_images(refs[start : start + _IMAGES_AT_ONCE])
                means.extend(each.float().mean(dim=0).cpu().numpy() for each in features)
        return np.stack(means)

    return encode


def _plugin_encoder(reference: str) -> Callable[[Sequence[ImageRef]], np.ndarray]:
    return lambda refs: _call(reference, [Path(ref.path) for ref in refs])


def _call(reference: str, items: Sequence[object]) -> np.ndarray:
    """What a plugin makes of the items. Raises PluginError where that is no row of numbers for each."""
    encoder = resolve(reference)
    if not callable(encoder):
        raise PluginError(f"{reference} cannot be called. Name a function that takes a list and returns an array.")
    encoded = np.asarray(cast("Callable[[Sequence[object]], Any]", encoder)(items), dtype=np.float32)
    if encoded.ndim != 2 or len(encoded) != len(items) or not np.isfinite(encoded).all():
        raise PluginError(
            f"{reference} made an array of shape {encoded.shape} of {len(items)} items. "
            "Let it return one row of finite numbers for each."
        )
    return encoded


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
