"""Ulysses sequence parallelism (Jacobs et al. 2023, arXiv 2309.14509) for rows of shared prompts.

Ranks of a sequence group are given the same micro-batches. Each runs embeddings, norms, projections and feed-forward on
its own columns of every row. Before attention the ranks exchange columns for heads, so that the ordinary attention sees
whole rows, by a mask or over segments, and exchange back behind it. Each scores the completion tokens whose source lies
in its columns, and log-probabilities are gathered, so that objectives of whole sequences see them whole.

A rank's gradient is that of its columns: the sum over all ranks, of a sequence group and of all groups, is the whole.
Images are encoded by every rank, and each takes the features in its columns; where the encoder learns, that is work
done as often as there are ranks.
"""

from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.family import Inputs
from radrl.models.row_slices import RowSlice, SequenceParallel
from radrl.models.varlen import use_segments


def share_rows(adapter: ModelAdapter, sequence: SequenceParallel) -> None:
    """Let the training passes of an adapter be made by several ranks together, each on its columns of every row.

    Raises ConfigError where the model's heads cannot be dealt out, or its positions depend on a whole row.
    """
    num_heads: int = adapter.family.language_model.config.num_attention_heads
    if num_heads % sequence.size:
        raise ConfigError(
            f"worker.actor.ulysses_size is {sequence.size}, and the model's {num_heads} attention heads cannot be "
            "dealt out to so many ranks. Set it to a divisor of that."
        )
    if not adapter.family.takes_slices:
        raise ConfigError(
            f"worker.actor.ulysses_size is {sequence.size}, but {type(adapter.model).__name__} chooses its rotary "
            "frequencies by the length of a sequence, which a part of a row does not show. Set it to 1."
        )
    use_segments(adapter.family.language_model)
    adapter.sequence = sequence


def own_inputs(inputs: Inputs, own: RowSlice) -> Inputs:
    """What enters the language model at a rank's columns, with the features of image tokens among them."""
    embeddings = own.columns(inputs.embeddings, dim=1)
    if inputs.image_places is None:
        return Inputs(embeddings=embeddings)
    which, places = own.own_places(inputs.image_places)
    layered = None if inputs.layered is None else inputs.layered.index_select(1, which)
    return Inputs(embeddings=embeddings, image_places=places, layered=layered)
