"""Prompts of a set of samples that are rendered when they are looked at: a run of 100,000 starts at once."""

from collections.abc import Callable, Sequence
from typing import overload

from radrl.types import Prompt, Sample

RenderBatch = Callable[[Sequence[Sample]], Sequence[Prompt]]
"""What renders samples for a model, in order."""


def unrendered(sample: Sample) -> Prompt:
    """A prompt that knows its sample and has no tokens yet."""
    return Prompt(sample=sample, text=sample.question, token_ids=(), num_image_tokens=0)


class LazyPrompts(Sequence[Prompt]):
    """The prompts of samples, rendered at each look; a slice is rendered together."""

    def __init__(self, samples: Sequence[Sample], render: RenderBatch) -> None:
        self._samples = tuple(samples)
        self._render = render

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What they are the prompts of."""
        return self._samples

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, place: int) -> Prompt: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, place: int | slice) -> Prompt | Sequence[Prompt]:
        if isinstance(place, slice):
            return self._render(self._samples[place])
        return self._render([self._samples[place]])[0]
