"""The weight of the KL term: fixed, or steered towards a target."""

import json
from collections.abc import Mapping
from pathlib import Path

from radrl.algorithms.credit import sums_of
from radrl.algorithms.kl import kl_estimate
from radrl.batch import Batch
from radrl.config.learning import AlgorithmConfig

MAX_ERROR = 0.2


class KlController:
    """Holds the coefficient of the KL term, a persistent part of a run whose coefficient is adaptive."""

    def __init__(self, config: AlgorithmConfig) -> None:
        self.config = config
        self.coef = config.kl_coef

    def observe(self, batch: Batch) -> Mapping[str, float]:
        """Adapt the coefficient to how far a batch's policy was from the reference; `kl/` metrics of the step.

        Empty without a reference. `kl/coef` is the coefficient that the batch was trained with.
        """
        if batch.reference_logprobs is None:
            return {}
        current = mean_kl(batch, self.config)
        metrics = {"kl/mean": current, "kl/coef": self.coef}
        if self.config.kl_type == "adaptive":
            self.coef = adapted(
                self.coef,
                kl=current,
                target=self.config.kl_target,
                num_sequences=batch.num_sequences,
                horizon=self.config.kl_horizon,
            )
        return metrics

    def save(self, folder: Path) -> None:
        """Write the coefficient."""
        (folder / "kl.json").write_text(json.dumps({"coef": self.coef}), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        self.coef = float(json.loads((folder / "kl.json").read_text(encoding="utf-8"))["coef"])


def adapted(coef: float, *, kl: float, target: float, num_sequences: int, horizon: float) -> float:
    """The coefficient after a batch: up where the KL is over its target, down where it is under.

    coef x (1 + clip(kl / target - 1, -0.2, 0.2) n / horizon): Ziegler et al. (arXiv 1909.08593, section 2.2) with the
    horizon that their code and CX-Mind's add, n being the sequences of the batch. Their KL is a sequence's sum; ours,
    like CX-Mind's, is a mean a token. A batch longer than the horizon counts as one, so that the sign cannot turn.

    >>> adapted(0.1, kl=0.3, target=0.1, num_sequences=100, horizon=1000.0)
    0.102
    """
    error = min(max(kl / target - 1, -MAX_ERROR), MAX_ERROR)
    return coef * (1 + error * min(num_sequences / horizon, 1.0))


def mean_kl(batch: Batch, config: AlgorithmConfig) -> float:
    """Mean over sequences of the mean over their tokens of the estimated KL(sampler || reference), nats."""
    assert batch.reference_logprobs is not None
    tokens = kl_estimate(batch.sampled_logprobs, batch.reference_logprobs, estimator=config.kl_penalty)
    return float((sums_of(tokens, batch) / batch.lengths).mean())
