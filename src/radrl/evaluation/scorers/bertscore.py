"""BERTScore (Zhang et al. 2020, arXiv 1904.09675) with any local encoder."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from radrl.errors import ConfigError
from radrl.evaluation.intervals import Statistic, mean_of
from radrl.evaluation.scorers.encoding import by_length, digest
from radrl.evaluation.written import WRITTEN_TASKS, TextPair

_LONGEST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoded:
    """A text as unit vectors, one a token, special tokens included."""

    token_ids: tuple[int, ...]
    vectors: Float[Tensor, "T H"]


class BertScore:
    """Greedy matching of contextual tokens by cosine.

    Example: `BertScore(Path("weights/distilroberta-base"), device="cpu", layer=5, idf=True)`
    """

    tasks = WRITTEN_TASKS

    def __init__(
        self, path: Path, *, device: str, layer: int | None = None, idf: bool = False, batch_size: int = 64
    ) -> None:
        """`path` is the encoder's folder, `layer` whose hidden states are compared, from 1; the last when not given."""
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self._model: Any = AutoModel.from_pretrained(path, local_files_only=True, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path}, the path of the scorer bertscore, holds no encoder that can be opened ({error}). Give the "
                "folder of a model with its tokenizer."
            ) from error
        num_layers = self._model.config.num_hidden_layers
        if layer is not None and not 1 <= layer <= num_layers:
            raise ConfigError(
                f"layer {layer} of the scorer bertscore is not one of the {num_layers} of {path}. Correct it."
            )
        self._model = self._model.to(device).eval()
        self._layer = num_layers if layer is None else layer
        self._longest = min(_LONGEST, self._tokenizer.model_max_length)
        self._idf, self._batch_size, self._device = idf, batch_size, device
        weights = sorted(path.glob("*.safetensors")) or sorted(path.glob("*.bin"))
        self.version = "-".join(digest(file) for file in weights)
        self.meanings = {
            f"bertscore_{name}": f"Mean over texts of BERTScore's {name}: each token's largest cosine with a token of "
            f"the other text, layer {self._layer}, {'idf' if idf else 'equal'} weights, special tokens weighing "
            "nothing; 0 for an empty text. More is better. The bert-score package's formula without its rescaling by a "
            "baseline, so that unlike texts score high as well; numbers of different encoders do not compare."
            for name in ("precision", "recall", "f1")
        }

    def __call__(self, pairs: Sequence[TextPair]) -> list[Statistic]:
        """`bertscore_precision`, `bertscore_recall` and `bertscore_f1`; the idf is that of the gold texts."""
        texts = [text for pair in pairs for text in (pair.predicted, pair.gold)]
        encoded = dict(by_length(texts, self._encode, batch_size=self._batch_size))
        weights = self._weights([encoded[pair.gold] for pair in pairs])
        scores = [self._match(encoded[pair.predicted], encoded[pair.gold], weights) for pair in pairs]
        names = ("bertscore_precision", "bertscore_recall", "bertscore_f1")
        return [mean_of(name, [score[place] for score in scores]) for place, name in enumerate(names)]

    @torch.inference_mode()
    def _encode(self, texts: list[str]) -> list[_Encoded]:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
        output = self._model(
            **{name: value.to(self._device) for name, value in tokens.items()}, output_hidden_states=True
        )
        vectors = torch.nn.functional.normalize(output.hidden_states[self._layer].float(), dim=-1).cpu()
        return [
            _Encoded(token_ids=tuple(ids[kept].tolist()), vectors=states[kept])
            for ids, states, kept in zip(tokens["input_ids"], vectors, tokens["attention_mask"].bool(), strict=True)
        ]

    def _weights(self, gold: Sequence[_Encoded]) -> Mapping[int, float] | None:
        if not self._idf:
            return None
        frequency = Counter(token for one in gold for token in set(one.token_ids))
        return {token: math.log((len(gold) + 1) / (count + 1)) for token, count in frequency.items()} | {
            -1: math.log(len(gold) + 1)
        }

    def _match(
        self, predicted: _Encoded, gold: _Encoded, weights: Mapping[int, float] | None
    ) -> tuple[float, float, float]:
        cosines = predicted.vectors @ gold.vectors.T
        precision = self._mean(cosines.amax(dim=1), predicted.token_ids, weights)
        recall = self._mean(cosines.amax(dim=0), gold.token_ids, weights)
        if precision is None or recall is None or precision + recall == 0:
            return 0.0, 0.0, 0.0
        return precision, recall, 2 * precision * recall / (precision + recall)

    def _mean(
        self, best: Float[Tensor, " T"], token_ids: Sequence[int], weights: Mapping[int, float] | None
    ) -> float | None:
        """Weighted mean over the tokens that are words; None where nothing has weight."""
        special = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        weight = torch.tensor(
            [
                0.0 if token in special else 1.0 if weights is None else weights.get(token, weights[-1])
                for token in token_ids
            ]
        )
        return float((best * weight).sum() / weight.sum()) if weight.sum() > 0 else None
