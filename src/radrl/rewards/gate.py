"""When a reward term counts: by what the rollout did, and by how the whole batch did.

A term names one or more conditions (`gate: ema`, `gate: [ema, per_sample, format]`); all of them must hold.
"""

from collections.abc import Collection, Mapping

from radrl.config.schema import GateCondition, GateConfig
from radrl.rewards.api import Attempt
from radrl.rewards.format import is_well_formed


class BatchGate:
    """What the batches so far let through: CX-Mind's moving average, and the step-to-step test it was made from.

    * `ema` (CX-Mind): the first batch opens it and sets the average; later it is open iff a >= average + margin for the
      batch's mean outcome a, and then average <- alpha a + (1 - alpha) average.
    * `conditional` (arXiv 2505.19640): a batch holds iff a > previous - tolerance, with the mean outcome of the batch
      before it; the first one holds.

    How we deviate: the state is checkpointed, and only a training step moves it. CX-Mind's forgets it on resume, moves
    it with every retry of the group filter, and validates against a second one.

    Example: with alpha 0.2 and margin 0 the outcomes 0.5, 0.4, 0.49 leave `ema` open, closed, open (averages 0.5, 0.48,
    0.482); with a tolerance of 0.05 they leave `conditional` open, closed, open.
    """

    def __init__(self, config: GateConfig, *, conditions: Collection[GateCondition] = ("ema", "conditional")) -> None:
        self.config = config
        self.conditions = frozenset(conditions)
        """Conditions that some reward term names: what the metrics tell of."""
        self.average: float | None = None
        """Moving average of the batches' mean outcomes; None before the first."""
        self.previous: float | None = None
        """Mean outcome of the last training batch; None before the first."""
        self.is_open = True
        """Whether the last training batch held the average."""
        self.is_held = True
        """Whether the last training batch held the level of the one before."""

    def observe(self, outcome: float) -> None:
        """Decide on a training batch of this mean outcome, then take it into the state."""
        if self.average is None or self.previous is None:
            self.average = self.previous = outcome
            return
        self.is_open = outcome >= self.average + self.config.margin
        self.is_held = outcome > self.previous - self.config.tolerance
        # Written as a step towards the outcome, so that a constant outcome leaves the average exactly where it is.
        self.average += self.config.alpha * (outcome - self.average)
        self.previous = outcome

    def factor(self, conditions: Collection[GateCondition]) -> float:
        """1 where the batch meets those of a term's conditions that are about batches, else 0."""
        is_shut = ("ema" in conditions and not self.is_open) or ("conditional" in conditions and not self.is_held)
        return float(not is_shut)

    def metrics(self) -> dict[str, float]:
        """`gate/open` (0 or 1) and, after the first batch, `gate/average` of `ema`; `gate/held` of `conditional`."""
        metrics: dict[str, float] = {}
        if "ema" in self.conditions:
            metrics |= {"gate/open": float(self.is_open)}
            metrics |= {} if self.average is None else {"gate/average": self.average}
        if "conditional" in self.conditions:
            metrics |= {"gate/held": float(self.is_held)}
        return metrics

    def state_dict(self) -> dict[str, object]:
        """Average, level and last decisions."""
        return {
            "average": self.average,
            "previous": self.previous,
            "is_open": self.is_open,
            "is_held": self.is_held,
        }

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        average, previous = state["average"], state["previous"]
        assert average is None or isinstance(average, float)
        assert previous is None or isinstance(previous, float)
        self.average, self.previous = average, previous
        self.is_open, self.is_held = bool(state["is_open"]), bool(state["is_held"])


def rollout_factor(conditions: Collection[GateCondition], attempt: Attempt, config: GateConfig) -> float:
    """1 where a rollout meets those of a term's conditions that are about rollouts, else 0. Its outcome must be known.

    `per_sample` and `conditional` ask for a right answer (an outcome of at least `right_at`), `format` and
    `conditional` for the agreed form. They close the hole through which a wrong answer earns a process bonus.
    """
    assert attempt.outcome is not None
    is_right = attempt.outcome >= config.right_at
    for condition in conditions:
        match condition:
            case "off":
                return 0.0
            case "per_sample" if not is_right:
                return 0.0
            case "format" if not is_well_formed(attempt):
                return 0.0
            case "conditional" if not (is_right and is_well_formed(attempt)):
                return 0.0
            case _:
                continue
    return 1.0
