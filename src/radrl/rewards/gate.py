"""When process rewards count: on a batch that holds its level, or on a rollout whose answer is right."""

from collections.abc import Mapping

from radrl.config.schema import GateConfig


class EmaGate:
    """CX-Mind's conditional process reward (arXiv 2508.03733): open while the batch's outcome holds its moving average.

    The first batch opens the gate and sets the average; later it is open iff a >= average + margin for the batch's mean
    outcome a, and then average <- alpha a + (1 - alpha) average.

    How we deviate: the average is checkpointed, and only a training step moves it. CX-Mind's forgets it on resume,
    moves it with every retry of the group filter, and validates against a second one.

    Example: with alpha 0.2 and margin 0 the outcomes 0.5, 0.4, 0.49 leave it open, closed, open (averages 0.5, 0.48,
    0.482).
    """

    def __init__(self, config: GateConfig) -> None:
        self.config = config
        self.average: float | None = None
        """Moving average of the batches' mean outcomes; None before the first."""
        self.is_open = True
        """What the last training batch decided."""

    def observe(self, outcome: float) -> None:
        """Decide on a training batch of this mean outcome, then take it into the average."""
        if self.average is None:
            self.average = outcome
            return
        self.is_open = outcome >= self.average + self.config.margin
        # Written as a step towards the outcome, so that a constant outcome leaves the average exactly where it is.
        self.average += self.config.alpha * (outcome - self.average)

    def metrics(self) -> dict[str, float]:
        """`gate/open` (0 or 1) and, after the first batch, `gate/average`."""
        average = {} if self.average is None else {"gate/average": self.average}
        return {"gate/open": float(self.is_open), **average}

    def state_dict(self) -> dict[str, object]:
        """Average and last decision."""
        return {"average": self.average, "is_open": self.is_open}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        average, is_open = state["average"], state["is_open"]
        assert average is None or isinstance(average, float)
        self.average, self.is_open = average, bool(is_open)


def per_sample_factor(outcome: float, config: GateConfig) -> float:
    """1 where this rollout's outcome is right (at least `right_at`), else 0.

    Closes the hole through which a wrong answer earns a process bonus (the condition of arXiv 2505.19640).
    """
    return float(outcome >= config.right_at)
