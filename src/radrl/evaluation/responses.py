"""What a model said to a question, whatever it was asked through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radrl.types import Completion, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One completion as the metrics see it: from a model here, an endpoint, or a file of predictions.

    Example: `Response(sample=Sample(...), index=0, text="<think>...</think><answer>yes</answer>", stop="eos")`
    """

    sample: Sample
    index: int
    """Which of the question's n completions, from 0."""
    text: str
    """Without the end-of-sequence token."""
    token_ids: tuple[int, ...] = ()
    """[R]; empty where the source does not tell its tokens."""
    token_texts: tuple[str, ...] = ()
    """[R] concatenates to the text; empty where the source does not tell."""
    token_logprobs: tuple[float, ...] = ()
    """[R] nats, at the sampling temperature; at temperature 1 when greedy. Empty where the source does not tell."""
    stop: Literal["eos", "length"] | None = None
    """Why it ended; None where the source does not tell."""
    closed_probs: Mapping[str, float] | None = None
    """Answer that a closed question admits -> its probability in the place of the one given; None where not asked."""
    failure: str | None = None
    """Why there is none: a request that failed for good, or a prediction that is missing. The text is then empty."""

    @classmethod
    def of(cls, completion: Completion) -> "Response":
        """The same of a completion that a sampler made."""
        return cls(
            sample=completion.prompt.sample,
            index=completion.index,
            text=completion.text,
            token_ids=completion.token_ids,
            token_texts=completion.token_texts,
            token_logprobs=completion.logprobs,
            stop=completion.stop,
        )
