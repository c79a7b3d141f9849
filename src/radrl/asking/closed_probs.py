"""How probable every answer to a closed question was, in the place of the one that a completion gives.

The model reads its own completion up to the answer, and then each answer in each spelling. After a chain of thought one
of them mostly has all of the probability: the trace has decided already.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

import torch

from radrl.answers import option_table, predicted_answer
from radrl.answers.options import split_letter
from radrl.asking.respondent import Respondent
from radrl.evaluation.calibration import tokens_of
from radrl.evaluation.records import answer_span
from radrl.evaluation.responses import Response
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.packing import MicroBatch, Part
from radrl.text import Span, parse_trace
from radrl.types import AnswerKind, Prompt, Sample

Ids = tuple[int, ...]


class Encode(Protocol):
    """A tokenizer without special tokens."""

    def __call__(self, text: str) -> Ids:
        """Tokens of a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a completion begins to give its answer.

    Example: behind `<think>look</think><answer>` of `<think>look</think><answer>yes</answer>`.
    """

    prefix: Ids
    """Tokens of the completion before the one that begins the answer."""
    lead: str
    """What that token writes in front of the answer; a blank, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedProbs:
    """A model of this process that says of closed questions how probable each answer was."""

    respondent: Respondent
    adapter: ModelAdapter

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:
        """Yield what the model writes, with `closed_probs` where there are any."""
        for response in self.respondent.respond(samples, places):
            yield replace(response, closed_probs=closed_probs(self.adapter, response))


@torch.no_grad()
def closed_probs(adapter: ModelAdapter, response: Response) -> dict[str, float] | None:
    """Probability of each admissible answer among them all, at temperature 1; None where there is nothing to say.

    p(answer) is the sum over its spellings of the product of their tokens' probabilities, over the same sum for all
    answers. There is nothing to say of questions that are not closed, of completions without a readable answer, and of
    answers that are hidden in a sentence.
    """
    spellings, place = closed_spellings(response.sample), answer_place(response)
    if not spellings or place is None:
        return None
    prompt = adapter.render(response.sample)
    behind = replace(prompt, token_ids=prompt.token_ids + place.prefix)
    written = written_spellings(spellings, lead=place.lead, encode=lambda text: _encode(adapter, text))
    ways = list(dict.fromkeys(ids for of_answer in written.values() for ids in of_answer))
    probs = dict(zip(ways, _probs(adapter, behind, ways), strict=True))
    masses = {answer: sum(_own_mass(ids, answer, written, probs) for ids in of) for answer, of in written.items()}
    total = math.fsum(masses.values())
    return {answer: mass / total for answer, mass in masses.items()} if total > 0 else None


def closed_spellings(sample: Sample) -> dict[str, tuple[str, ...]]:
    """Canonical answer -> how it may be written: yes and no, or an option's name and letter; else empty.

    >>> closed_spellings(sample)
    {'yes': ('yes', 'Yes', 'YES'), 'no': ('no', 'No', 'NO')}
    """
    match sample.answer_kind:
        case AnswerKind.YES_NO:
            return {word: (word, word.capitalize(), word.upper()) for word in ("yes", "no")}
        case AnswerKind.CHOICE if len(sample.options) > 1:
            table = option_table(sample.options)
            return {
                name or letter: _option_spellings(option, letter=letter, name=name)
                for option, letter, name in zip(sample.options, table.letters, table.names, strict=True)
            }
        case _:
            return {}


def answer_place(response: Response) -> Place | None:
    """Where the answer begins; None where the completion's answer does not begin with a spelling of itself."""
    sample, text = response.sample, response.text
    trace = parse_trace(text)
    prediction = predicted_answer(sample, text=text, trace=trace)
    span = answer_span(text, trace, is_readable=prediction is not None)
    if span is None or prediction is None or len(prediction) != 1 or not response.token_texts:
        return None
    (given,) = prediction
    start = span.end - len(text[span.start : span.end].lstrip())
    if not text.startswith(closed_spellings(sample).get(given, ()), start):
        return None
    # Of a character that several tokens write, the first is where the answer begins.
    first = tokens_of(Span(start=start, end=start + 1, text=text[start : start + 1]), response.token_texts)[0]
    token_start = [0, *accumulate(map(len, response.token_texts))][first]
    return Place(prefix=response.token_ids[:first], lead=text[token_start:start])


def written_spellings(
    spellings: Mapping[str, Sequence[str]], *, lead: str, encode: Encode
) -> dict[str, tuple[Ids, ...]]:
    """Canonical answer -> its spellings as tokens, with and without a blank in front; none of them begins another."""
    bare = lead.rstrip(" ")
    found: dict[str, tuple[Ids, ...]] = {}
    for answer, texts in spellings.items():
        ways = sorted({encode(f"{bare}{blank}{text}") for text in texts for blank in ("", " ")}, key=len)
        found[answer] = tuple(ids for ids in ways if not any(_extends(ids, other) for other in ways))
    return found


def _own_mass(ids: Ids, answer: str, written: Mapping[str, Sequence[Ids]], probs: Mapping[Ids, float]) -> float:
    """Probability of a spelling that is not that of another answer which begins alike: `A` is not `Atelectasis`."""
    longer = [each for other, ways in written.items() if other != answer for each in ways if _extends(each, ids)]
    nearest = {each for each in longer if not any(_extends(each, other) for other in longer)}
    return max(0.0, probs[ids] - sum(probs[each] for each in nearest))


def _extends(longer: Ids, shorter: Ids) -> bool:
    return len(longer) > len(shorter) and longer[: len(shorter)] == shorter


def _probs(adapter: ModelAdapter, prompt: Prompt, ways: Sequence[Ids]) -> list[float]:
    """Probability of each continuation of the prompt: all in one row, where each sees the prompt and itself."""
    ends = list(accumulate(map(len, ways)))
    starts = [0, *ends[:-1]]
    part = Part(prompt=prompt, completions=tuple(ways), starts=tuple(starts))
    logprobs = score_completions(adapter, MicroBatch(rows=((part,),)), temperature=1.0).logprobs.tolist()
    return [math.exp(math.fsum(logprobs[start:end])) for start, end in zip(starts, ends, strict=True)]


def _option_spellings(option: str, *, letter: str, name: str) -> tuple[str, ...]:
    """As it is written in the question, in its canonical name, and by its letter."""
    written = split_letter(option)[1].strip()
    names = [way for each in (written, name) if each for way in (each, each[0].upper() + each[1:], each.lower())]
    return tuple(dict.fromkeys([*names, *([letter] if letter else [])]))


def _encode(adapter: ModelAdapter, text: str) -> Ids:
    return tuple(adapter.tokenizer.encode(text, add_special_tokens=False))
