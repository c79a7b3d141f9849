"""Whether the thought behind each judgement is worded like the reference's thought behind the same judgement."""

from collections import Counter
from functools import lru_cache

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import Share
from radrl.rewards.steps import answer_key, judge
from radrl.rewards.wording import bleu_1, rouge_l, words


@reward("think_similarity")
def think_similarity(attempt: Attempt, *, alpha: Share = 0.3) -> Score:
    """Mean over the reference's judgements of alpha BLEU-1 + (1 - alpha) ROUGE-L of the two thoughts, in [0, 1].

    The thoughts compared are those of the steps that judge the same option. An option that is left out, judged twice or
    not as the reference judges it adds 0, so that a thought is paid only under a right judgement. Abstains where the
    reference has no judging step.

    Hacks it resists: one well-worded thought written at every step (a thought counts as often as the reference has it,
    at least once), text copied under wrong judgements, and long thoughts that hold every word (both measures look at
    precision).

    It replaces CX-Mind's `reason` (the paper's r_think, Fig. 1d). Its code compares with the summary instead of the
    step in open questions, so that the reference itself earns 0, and with one step of all in closed ones. How we
    deviate from it: words are lower-cased runs of letters and digits for both measures (it splits at single blanks for
    BLEU), and are not stemmed.
    """
    key = answer_key(attempt.sample.reference, attempt.sample.options)
    if key is None:
        return ABSTAIN
    thoughts = _reference_words(key.thoughts)
    times_allowed = Counter(thoughts)
    times_used: Counter[tuple[str, ...]] = Counter()
    earned = 0.0
    for verdict in judge(attempt.trace, key):
        if verdict.verdict != "right" or verdict.option is None:
            continue
        thought = words(verdict.step.think.text)
        times_used[thought] += 1
        if times_used[thought] <= max(1, times_allowed[thought]):
            earned += _similarity(thought, thoughts[verdict.option], alpha=alpha)
    return Score(value=earned / key.num_expected)


@lru_cache(maxsize=4096)
def _reference_words(thoughts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(words(thought) for thought in thoughts)


def _similarity(thought: tuple[str, ...], reference: tuple[str, ...], *, alpha: float) -> float:
    """Two thoughts without any word are alike: the step is judged, and there is nothing to say it by."""
    if not reference:
        return float(not thought)
    return alpha * bleu_1(thought, reference) + (1 - alpha) * rouge_l(thought, reference)
