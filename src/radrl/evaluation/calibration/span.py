"""Confidence of an answer by the tokens that write it."""

import math
from collections.abc import Sequence

from radrl.text import Span


def span_confidence(*, token_texts: Sequence[str], token_logprobs: Sequence[float], span: Span) -> float | None:
    """Exp of the mean log-probability of the tokens that write the span, in (0, 1]; None when no token does.

    After a chain of thought this is mostly near 1: the trace has decided already.
    """
    inside = [token_logprobs[token] for token in tokens_of(span, token_texts)]
    return math.exp(math.fsum(inside) / len(inside)) if inside else None


def tokens_of(span: Span, token_texts: Sequence[str]) -> list[int]:
    """Places of the tokens that write a span.

    A token counts when any of its characters lies in the span, and so does one whose text is empty because the
    character it belongs to is completed by a later token.
    """
    inside: list[int] = []
    start = 0
    for token, text in enumerate(token_texts):
        end = start + len(text)
        if start < span.end and (end > span.start or (not text and start >= span.start)):
            inside.append(token)
        start = end
    return inside
