"""CheXbert (Smit et al. 2020, arXiv 2004.09167): a BERT that labels reports, from its published checkpoint."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8
from numpy import ndarray
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertTokenizer

from radrl.errors import ConfigError
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.metrics.chexpert import label_meanings, label_statistics
from radrl.evaluation.scorers.encoding import by_length, digest, needed_file
from radrl.evaluation.tasks import Task
from radrl.evaluation.written import TextPair, Uncertain
from radrl.graph.lexicon.findings import FINDINGS

WEIGHTS = "chexbert.pth"
_LONGEST = 512
"""Tokens that BERT reads; the rest of a report is cut off, as in the published code."""
_HEADS = (*FINDINGS[1:], FINDINGS[0])
"""The checkpoint's order: CheXpert's with No Finding last, whose head knows blank and present alone."""
_PREFIX = "module."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the model makes of one text."""

    labels: Int8[ndarray, " 14"]
    embedding: Float[ndarray, " H"]
    """Of the first token, by which texts are compared as wholes."""


class CheXbert:
    """F1 of CheXbert's labels and cosine of its embeddings.

    Example: `CheXbert(Path("weights/chexbert"), device="cuda")([TextPair(predicted="Edema.", gold="No edema.")])`
    """

    tasks = frozenset({Task.REPORT})

    def __init__(self, path: Path, *, device: str, uncertain: Uncertain = "as_positive", batch_size: int = 64) -> None:
        """`path` is a folder with `chexbert.pth` and the `vocab.txt` of bert-base-uncased, and a `config.json` where
        the model is no BERT-base. `uncertain` as in `ReportReading`; as_positive is f1chexbert's `rrg`.
        """
        weights = needed_file(path, WEIGHTS, scorer="chexbert", what="the checkpoint as its authors publish it")
        needed_file(path, "vocab.txt", scorer="chexbert", what="the vocabulary of bert-base-uncased")
        self.version = digest(weights)
        self.meanings = {
            **label_meanings("chexbert", reader="CheXbert's"),
            "chexbert_cosine": "Mean over reports of the cosine of CheXbert's embeddings of the first token of "
            "predicted and gold report, as the semb_score of CXR-Report-Metric; 0 for an empty report. In [-1, 1], "
            "more is better.",
        }
        self._uncertain: Uncertain = uncertain
        self._device, self._batch_size = device, batch_size
        self._tokenizer: Any = BertTokenizer.from_pretrained(path, local_files_only=True)
        config = BertConfig.from_pretrained(path) if (path / "config.json").is_file() else BertConfig()
        self._model = _load(weights, config).to(device).eval()

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """Label statistics named `chexbert14_micro_f1` and so on, and `chexbert_cosine`."""
        texts = [_plain(text) for pair in pairs for text in (pair.predicted, pair.gold)]
        read = dict(by_length(texts, self._read, batch_size=self._batch_size))
        predicted, gold = ([read[text] for text in texts[side::2]] for side in (0, 1))
        return [
            *label_statistics(
                np.stack([one.labels for one in predicted]),
                np.stack([one.labels for one in gold]),
                prefix="chexbert",
                uncertain=self._uncertain,
            ),
            mean_of(
                "chexbert_cosine",
                [
                    _cosine(one, other) if text else 0.0
                    for one, other, text in zip(predicted, gold, texts[::2], strict=True)
                ],
            ),
        ]

    @torch.inference_mode()
    def _read(self, texts: list[str]) -> list[_Read]:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
        first, logits = self._model(tokens["input_ids"].to(self._device), tokens["attention_mask"].to(self._device))
        classes = np.stack([head.argmax(dim=1).cpu().numpy() for head in logits], axis=1).astype(np.int8)
        labels = classes[:, [_HEADS.index(name) for name in FINDINGS]]
        # A report that is empty says nothing; the model, which never saw one, might have it say something.
        labels[[place for place, text in enumerate(texts) if not text]] = 0
        return [
            _Read(labels=one, embedding=embedding)
            for one, embedding in zip(labels, first.float().cpu().numpy(), strict=True)
        ]


class _Labeller(nn.Module):
    """BERT with one linear head a finding on its first token."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config)
        self.linear_heads = nn.ModuleList(nn.Linear(config.hidden_size, 4) for _ in _HEADS[:-1])
        self.linear_heads.append(nn.Linear(config.hidden_size, 2))

    def forward(self, token_ids: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        first = self.bert(input_ids=token_ids, attention_mask=mask).last_hidden_state[:, 0]
        return first, [head(first) for head in self.linear_heads]


def _load(weights: Path, config: BertConfig) -> _Labeller:
    model = _Labeller(config)
    try:
        content = torch.load(weights, map_location="cpu", weights_only=True)
        state = {name.removeprefix(_PREFIX): tensor for name, tensor in content["model_state_dict"].items()}
        state.pop("bert.embeddings.position_ids", None)  # a buffer that older versions of transformers saved
        model.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError, OSError, ValueError) as error:
        raise ConfigError(
            f"{weights} is no CheXbert checkpoint that can be read ({type(error).__name__}: {error!s:.200}). It holds "
            "model_state_dict with module.bert and 14 module.linear_heads; give the file as it is published."
        ) from error
    return model


def _plain(text: str) -> str:
    """Blanks as in the published code: single, and none before a full stop or comma."""
    return re.sub(r"\s+(?=[.,])", "", " ".join(text.split()))


def _cosine(one: _Read, other: _Read) -> float:
    norms = float(np.linalg.norm(one.embedding) * np.linalg.norm(other.embedding))
    return float(one.embedding @ other.embedding) / norms if norms else 0.0
