"""What a sampler has written, whichever it is, and the completions made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from radrl.models.adapter import ModelAdapter
from radrl.types import Completion, Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One sequence as it was sampled.

    Example: `Written(token_ids=(9, 31, 2), logprobs=(-0.1, -2.3, -0.01))`
    """

    token_ids: tuple[int, ...]
    """[R] end-of-sequence included when it was reached."""
    logprobs: tuple[float, ...]
    """[R] nats at the sampling temperature, or at 1 when greedy; banned tokens out."""


def completions_of(
    adapter: ModelAdapter, prompt: Prompt, group: Sequence[Written], *, version: int, temperature: float
) -> tuple[Completion, ...]:
    """Make the completions of a prompt, in the order of their index."""
    completions: list[Completion] = []
    for index, written in enumerate(group):
        texts = adapter.token_texts.split(written.token_ids)
        completion = Completion(
            prompt=prompt,
            index=index,
            text="".join(texts),
            token_ids=written.token_ids,
            token_texts=texts,
            logprobs=written.logprobs,
            stop="eos" if written.token_ids[-1] in adapter.eos_ids else "length",
            policy_version=version,
            temperature=temperature,
        )
        completions.append(completion)
    return tuple(completions)
