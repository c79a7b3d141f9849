"""Tries every hack on a rubric, and says what each earns beside the honest blind answer and the gold references."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from radrl.errors import DataError
from radrl.lint.questions import Questions
from radrl.lint.targets import Target
from radrl.rewards.hacks import HACKS, Hack
from radrl.rewards.hacks.draft import write
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import OUTCOME_ABSTAINED, Rubric
from radrl.types import Completion, Prompt, RewardResult, Sample

GOLD, MAJORITY = "gold reference", "majority answer"

_CHARACTERS_A_TOKEN = 4
"""What a token of English is taken to hold: no tokenizer is opened."""
_EQUAL = 1e-9
"""Totals this close are the same: sums of floats in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The question on which a hack earned most beyond the majority.

    Example: `Example(sample=..., text="<think>...", total=1.0, majority=0.1)`
    """

    sample: Sample
    text: str
    total: float
    majority: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What one way to write earned, on the mean over the questions that it applies to.

    Example: `Earned(name="empty output", num_questions=500, outcome=0.0, total=0.0, majority=0.62, gold=2.2, ...)`
    """

    name: str
    num_questions: int
    outcome: float
    """Mean of the declared outcome, in [0, 1]."""
    total: float
    """Mean of what is paid."""
    majority: float
    """What the majority answer was paid, on the mean over all questions (of a hack that is tried on one in so many,
    over those); where rewards compare attempts, what it was paid beside this one."""
    gold: float
    """What the references were paid, on the mean over the questions that it applies to."""
    seconds_per_1000: float
    """Time to score a thousand of these completions."""
    example: Example
    failure: str = ""
    """What a reward raised, and on which question; empty where none did."""

    @property
    def gap(self) -> float:
        """Earned beyond the majority; a hack wins when it is above 0."""
        return self.total - self.majority

    @property
    def wins(self) -> bool:
        """Whether it earns more than the majority answer."""
        return self.gap > _EQUAL

    @property
    def tops_gold(self) -> bool:
        """Whether it earns more than the references."""
        return self.total - self.gold > _EQUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a rubric under attack."""

    target: Target
    gold: Earned
    majority: Earned
    hacks: tuple[Earned, ...]

    @property
    def winners(self) -> tuple[Earned, ...]:
        """Hacks that earn more than the majority answer, the best paid one first."""
        return tuple(sorted((hack for hack in self.hacks if hack.wins), key=lambda hack: -hack.gap))

    @property
    def above_gold(self) -> tuple[Earned, ...]:
        """Whatever earns more than the gold references."""
        return tuple(earned for earned in (self.majority, *self.hacks) if earned.tops_gold)

    @property
    def failed(self) -> tuple[Earned, ...]:
        """Whatever made a reward raise."""
        return tuple(earned for earned in (self.gold, self.majority, *self.hacks) if earned.failure)

    @property
    def is_safe(self) -> bool:
        """Whether nothing beats the majority answer, nothing the gold references, and no reward raised."""
        return not (self.winners or self.above_gold or self.failed)


def attack(
    target: Target,
    questions: Questions,
    *,
    pool: RewardPool,
    hacks: Sequence[Hack] = HACKS,
    done: Callable[[], None] = lambda: None,
) -> Result:
    """Let every hack answer the questions, calling `done` after each of them and after the gold and the majority.

    Raises DataError where a reward that is attacked alone has nothing to say about any of the references.
    """
    rubric = Rubric(target.rewards, target.gate, max_tokens=target.max_tokens, pool=pool)
    rubric.check()
    judged = _judged_by(target, questions, rubric)
    attacker = _Attacker(target=target, questions=judged, rubric=rubric)
    gold = attacker.earned(GOLD, attacker.gold)
    done()
    majority = attacker.earned(MAJORITY, attacker.majority)
    done()
    tried: list[Earned] = []
    for hack in hacks:
        answered = attacker.answered(hack)
        if answered.texts:
            tried.append(attacker.earned(hack.name, answered))
        done()
    return Result(target=target, gold=gold, majority=majority, hacks=tuple(tried))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """Completions of some of the questions, scored."""

    tried: Sequence[Sample]
    """Those of which the following are the ones that it applies to."""
    samples: Sequence[Sample]
    texts: Sequence[str]
    results: Sequence[RewardResult]
    beside: Sequence[RewardResult]
    """Those of the majority answer in the same groups; empty where rewards do not compare attempts."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Attacker:
    target: Target
    questions: Questions
    rubric: Rubric

    @cached_property
    def gold(self) -> _Answered:
        samples = self.questions.samples
        return self._scored([(sample, sample.reference) for sample in samples], tried=samples)

    @cached_property
    def majority(self) -> _Answered:
        samples = self.questions.samples
        return self._scored([(sample, self._by_majority(sample)) for sample in samples], tried=samples)

    def answered(self, hack: Hack) -> _Answered:
        tried = self.questions.samples[:: hack.every]
        texts = [hack.write(sample, self.questions.majority) for sample in tried]
        applies = [(sample, text) for sample, text in zip(tried, texts, strict=True) if text is not None]
        return self._scored(applies, tried=tried)

    def earned(self, name: str, answered: _Answered) -> Earned:
        totals = [result.total for result in answered.results]
        majority_of = {**self._majority_totals, **_totals(answered.samples, answered.beside)}
        majority = [majority_of[sample.id] for sample in answered.samples]
        best = max(range(len(totals)), key=lambda i: totals[i] - majority[i])
        return Earned(
            name=name,
            num_questions=len(totals),
            outcome=fmean(result.outcome for result in answered.results),
            total=fmean(totals),
            majority=fmean(majority_of[sample.id] for sample in answered.tried),
            gold=fmean(self._gold_totals[sample.id] for sample in answered.samples),
            seconds_per_1000=1000 * answered.seconds / max(1, len(totals)),
            example=Example(
                sample=answered.samples[best], text=answered.texts[best], total=totals[best], majority=majority[best]
            ),
            failure=next(filter(None, (_failure(answered, i) for i in range(len(totals)))), ""),
        )

    @cached_property
    def _majority_totals(self) -> Mapping[str, float]:
        return _totals(self.majority.samples, self.majority.results)

    @cached_property
    def _gold_totals(self) -> Mapping[str, float]:
        return _totals(self.gold.samples, self.gold.results)

    @cached_property
    def _compares(self) -> bool:
        return any(bound.entry.per != "rollout" for bound in self.rubric.bound.values())

    def _by_majority(self, sample: Sample) -> str:
        return write(self.questions.majority.draft(sample), sample)

    def _scored(self, completions: Sequence[tuple[Sample, str]], *, tried: Sequence[Sample]) -> _Answered:
        """Each completion alone in its group, or beside the majority answer where rewards compare attempts."""
        limit, size = self.target.max_tokens, self.target.batch_size
        groups = [
            _group(sample, (text, self._by_majority(sample)) if self._compares else (text,), max_tokens=limit)
            for sample, text in completions
        ]
        start = time.perf_counter()
        scored = self.rubric.score(groups)
        # Without an update the gates of batches stay open, as they are at the start.
        settled = [
            group
            for first in range(0, len(scored), size)
            for group in self.rubric.settle(scored[first : first + size], update=False)
        ]
        seconds = time.perf_counter() - start
        return _Answered(
            tried=tried,
            samples=[sample for sample, _ in completions],
            texts=[text for _, text in completions],
            results=[group.rollouts[0].reward for group in settled],
            beside=[group.rollouts[1].reward for group in settled] if self._compares else (),
            seconds=seconds / (2 if self._compares else 1),
        )


def _judged_by(target: Target, questions: Questions, rubric: Rubric) -> Questions:
    """The questions on whose references a reward that is attacked alone has something to say; all of them otherwise."""
    if target.lone is None:
        return questions
    gold = _Attacker(target=target, questions=questions, rubric=rubric).gold
    scored = zip(questions.samples, gold.results, strict=True)
    judged = tuple(
        sample for sample, result in scored if result.parts[target.lone] is not None or result.failures.get(target.lone)
    )
    if not judged:
        raise DataError(
            f"reward {target.title!r} abstains on the reference of each of the {len(questions.samples)} questions "
            f"(kinds {', '.join(target.kinds)}; trace {target.trace}), so there is nothing to attack. Give kinds= or "
            "trace= that it judges."
        )
    return Questions(samples=judged, majority=questions.majority)


def _group(sample: Sample, texts: Sequence[str], *, max_tokens: int) -> list[Completion]:
    prompt = Prompt(sample=sample, text=sample.question, token_ids=(), num_image_tokens=0)
    return [_completion(prompt, index, text, max_tokens=max_tokens) for index, text in enumerate(texts)]


def _completion(prompt: Prompt, index: int, text: str, *, max_tokens: int) -> Completion:
    num_tokens = len(text) // _CHARACTERS_A_TOKEN + 1
    return Completion(
        prompt=prompt,
        index=index,
        text=text,
        token_ids=(0,) * min(num_tokens, max_tokens),
        token_texts=(),
        logprobs=(),
        stop="length" if num_tokens > max_tokens else "eos",
        policy_version=0,
        temperature=1.0,
    )


def _totals(samples: Sequence[Sample], results: Sequence[RewardResult]) -> Mapping[str, float]:
    return {sample.id: result.total for sample, result in zip(samples, results, strict=False)}


def _failure(answered: _Answered, index: int) -> str:
    raised = {name: reason for name, reason in answered.results[index].failures.items() if reason != OUTCOME_ABSTAINED}
    return "; ".join(f"{name} on {answered.samples[index].id}: {reason}" for name, reason in raised.items())
