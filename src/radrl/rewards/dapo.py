"""A last line `Answer: ...` that equals the gold answer, with a soft limit on the length."""

import re

from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.rewards.arguments import Count, Share
from radrl.rewards.maths import bare_reference, last_boxed
from radrl.rewards.overlong import overlong_penalty
from radrl.types import Evidence

_TAIL = 300
"""Code points at the end of a completion in which its answer must stand."""
_ANSWER = re.compile(r"answer[ \t]*:[ \t]*([^\n]+)", re.IGNORECASE)
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mbox)\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]frac(?![A-Za-z])")
_SPACING = re.compile(r"\\[!,; ]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|[\s$]")
_UNIT = re.compile(
    r"(?<=\d)(?:degrees?|cm|mm|meters?|inches|units?|dollars|cents|points|hours|minutes|seconds|percent|\\%|%|\^\\circ)$"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@reward("dapo", lowest=-2.0)
def dapo(
    attempt: Attempt,
    *,
    overlong_factor: Share = 1.0,
    max_tokens: Count | None = None,
    cache_tokens: Count | None = None,
) -> Score:
    """1 for a right `Answer:` line in the last 300 characters, else -1, plus overlong_factor x the soft length penalty.

    Right means equal to the gold answer after normalisation (spacing, text commands, thousands, units); the last such
    line counts. The gold answer is the reference's own line, or all of a bare reference. Abstains on references in
    another form, and on a bare reference itself, which is no completion. The length penalty is that of
    `soft_overlong`.

    Hack it resists: several answers in one completion, and an answer early on followed by endless text. It replaces
    EasyR1's `dapo.py` (DAPO, arXiv 2503.14476).
    """
    reference = attempt.sample.reference
    bare = bare_reference(reference)
    stated = _stated(reference)
    gold = bare if stated is None else stated[1]
    if gold is None or (stated is None and attempt.text.strip() == bare):
        return ABSTAIN
    answer = _stated(attempt.text)
    accuracy = 1.0 if answer is not None and normalised(answer[1]) == normalised(gold) else -1.0
    limit = max_tokens or attempt.max_tokens
    ramp = min(cache_tokens or max(limit // 5, 1), limit)
    overlong = max(overlong_penalty(attempt.num_tokens, limit=limit, ramp=ramp), -1.0)
    verdict = "right" if accuracy > 0 else "wrong"
    return Score(
        value=accuracy + overlong_factor * overlong,
        evidence=()
        if answer is None
        else (Evidence(start=answer[0], end=answer[0] + len(answer[1]), verdict=verdict, note="the answer line"),),
        extras={"accuracy": accuracy, "overlong": overlong, "accuracy_normalized": (accuracy + 1) / 2},
    )


def normalised(answer: str) -> str:
    r"""An answer without what does not change its value.

    >>> normalised(r"$\text{ } 1,234 \text{ cm}$."), normalised(r"\boxed{\dfrac{1}{2}}")
    ('1234', '\\frac{1}{2}')
    """
    answer = last_boxed(answer) or answer
    answer = answer.rpartition("=")[2] if answer.count("=") == 1 else answer
    answer = _SPACING.sub("", _FRACTION.sub(r"\\frac", _TEXT_COMMAND.sub(r"\1", answer))).strip(".,;:*`")
    return _THOUSANDS.sub("", _UNIT.sub("", answer)).casefold()


def _stated(text: str) -> tuple[int, str] | None:
    """Where the last answer line of a text has its answer, and that answer."""
    shift = max(len(text) - _TAIL, 0)
    found = list(_ANSWER.finditer(text, shift))
    return (found[-1].start(1), found[-1][1]) if found else None
