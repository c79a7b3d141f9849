"""The policy that training must not drift from: a frozen copy of the starting weights."""

from jaxtyping import Float
from torch import Tensor

from radrl.batch import Batch
from radrl.config.schema import ActorConfig
from radrl.engines.actor import batch_logprobs
from radrl.models.adapter import ModelAdapter


class FrozenReference:
    """Scores completions under the weights an adapter has when this is made."""

    def __init__(self, adapter: ModelAdapter, config: ActorConfig) -> None:
        self.config = config
        self.adapter = adapter.frozen_copy()

    def logprobs(self, batch: Batch) -> Float[Tensor, "T"]:
        """Log-probability of every completion token, in nats at the batch's temperature."""
        return batch_logprobs(self.adapter, batch, self.config)
