"""Weights of a tiny model."""

import torch


def initialise(model: torch.nn.Module, *, hidden_size: int, seed: int) -> None:
    """Draw matrices from N(0, 1 / hidden_size), convolutions at a quarter of that deviation; biases and norms stay.

    Hugging Face's fixed deviation of 0.02 suits widths in the thousands. At a width of 128 signals then shrink from
    layer to layer: in a pilot such a model reached 0.7 of a task in the steps in which this rule took it to 0.99.
    """
    generator = torch.Generator().manual_seed(seed)
    deviation = hidden_size**-0.5
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0.0, deviation if parameter.ndim == 2 else deviation / 4, generator=generator)
