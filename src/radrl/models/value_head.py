"""The value of a state: a head of its own on the hidden states of any family, in the place of the LM head."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from radrl.models.adapter import ModelAdapter
from radrl.models.forward import completion_states
from radrl.models.packing import MicroBatch


class ValueHead(nn.Linear):
    """An affine function of a hidden state, in float32 whatever the model is in.

    It starts at 0: the first values are 0 and the first advantages those of REINFORCE, rather than noise. A model's own
    weights have their first gradient in the second step, once the head has left 0.
    """

    def __init__(self, hidden_size: int, *, device: torch.device) -> None:
        super().__init__(hidden_size, 1, device=device, dtype=torch.float32)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, hidden: Float[Tensor, "T D"]) -> Float[Tensor, "T"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One value a state."""
        return super().forward(hidden.float())[:, 0]


def value_completions(adapter: ModelAdapter, head: ValueHead, micro_batch: MicroBatch) -> Float[Tensor, "T"]:
    """Value of the state before each completion token, in the micro-batch's flat order, with gradient.

    The first token of every completion of a group has the value of their prompt. The LM head is not computed.
    """
    before = completion_states(adapter, micro_batch)
    return before.gathered(head(before.states))


def hold_lm_head(adapter: ModelAdapter) -> None:
    """Let the LM head keep its weights, which no value depends on; one tied to the embedding learns as that does."""
    output, embedding = adapter.model.get_output_embeddings(), adapter.model.get_input_embeddings()
    assert output is not None, "every family has an LM head"
    if output.weight is not embedding.weight:
        output.requires_grad_(False)
