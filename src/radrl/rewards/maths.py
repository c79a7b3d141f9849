r"""Whether a mathematical answer is equal to the gold one, judged by the library math-verify.

It stands in for mathruler, which EasyR1's rewards use: one grader for both recipes, and the one of ms-swift.
"""

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

from radrl.errors import PluginError
from radrl.rewards.api import ABSTAIN, Attempt, Score, alias, reward
from radrl.text import final_answer, parse_trace
from radrl.types import Evidence

_LONGEST_EXPRESSION = 2000
"""Code points; a longer expression is no answer, and its simplification may take minutes."""
_GRADING_S = 2
_BOXED = r"\boxed{"
_BRACE = re.compile("[{}]")
_INLINE = re.compile(r"\$([^$]{1,2000})\$")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[A-Za-z ]*\})?")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MATHS = re.compile(r"[0-9\\]")
_ENDLESS = re.compile(r"!|\^\s*\{[^{}]*\^|\^\s*\w\s*\^|\^\s*\{?\s*\d{4}")
"""Towers of powers, factorials and long exponents: a number nobody means, which takes hours to work out."""
_AROUND = " \t\r\n.,;:*"
_FORMAT_SHARE = 0.1


def require_math_verify(attempts: Sequence[Attempt]) -> None:  # noqa: ARG001 - the shape of every `prepare`
    """Raise `PluginError` where math-verify is not installed, before the first completion is graded."""
    _math_verify()


@reward("math_accuracy", prepare=require_math_verify, needs_main_thread=True)
def math_accuracy(attempt: Attempt) -> Score:
    r"""1 when the completion's last `\boxed{}`, or else its last answer block, is mathematically the gold answer.

    Abstains where the gold answer is no expression. A completion's other expressions are not looked at.

    Hacks it resists: several boxed answers, of which one fits, and a sample whose gold answer cannot be parsed, which
    pays everybody 1 in the rule it replaces, ms-swift's `accuracy` (CheX-Phi4MM's `external_math_acc`).
    """
    gold = _gold_expression(attempt.sample.reference)
    if gold is None or not is_expression(gold):
        return ABSTAIN
    value = float(same_expression(_expression(attempt), gold))
    return Score(value=value, evidence=_evidence(attempt, value))


alias("external_math_acc", "math_accuracy")
alias("accuracy", "math_accuracy")


@reward("math", prepare=require_math_verify, needs_main_thread=True)
def math_with_format(attempt: Attempt) -> Score:
    r"""0.1 for the form `<think>...</think>...\boxed{...}`, 0.9 when the boxed answer is mathematically the gold one.

    Abstains where the gold answer is no expression, where the reference has tags but no `\boxed{}`, and on the bare
    reference itself, which is no completion.

    Hacks it resists: several boxed answers (the last one counts) and a malformed text that hangs the checker: the form
    is read in one pass. It replaces EasyR1's `math.py`, graded by mathruler.
    """
    reference = attempt.sample.reference
    gold = last_boxed(reference) or bare_reference(reference)
    if gold is None or not is_expression(gold) or attempt.text.strip() == bare_reference(reference):
        return ABSTAIN
    accuracy = float(same_expression(last_boxed(attempt.text) or "", gold))
    form = float(_has_form(attempt.text))
    return Score(
        value=_FORMAT_SHARE * form + (1 - _FORMAT_SHARE) * accuracy,
        evidence=_evidence(attempt, accuracy),
        extras={"format": form, "accuracy": accuracy},
    )


def bare_reference(reference: str) -> str | None:
    """A reference that is nothing but the answer, as in EasyR1's data; None for a trace."""
    bare = reference.strip()
    return bare if bare and not parse_trace(bare).answers and _BOXED not in bare else None


def last_boxed(text: str) -> str | None:
    r"""What stands in the last closed `\boxed{}` of a text, inner braces included; None without one.

    >>> last_boxed(r"so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    start = text.rfind(_BOXED)
    if start < 0:
        return None
    start += len(_BOXED)
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[start : brace.start()].strip()
    return None


def same_expression(answer: str, gold: str) -> bool:
    r"""Whether two expressions are mathematically equal: `0.5` and `\frac{1}{2}`, `\{1, 2\}` and `\{2, 1\}`."""
    if not is_expression(answer) or not is_expression(gold):
        return False
    return bool(_math_verify().verify(list(_parsed(gold)), list(_parsed(answer)), timeout_seconds=_seconds()))


def is_expression(text: str) -> bool:
    """Whether a text is mathematics and nothing else."""
    return len(text) <= _LONGEST_EXPRESSION and bool(_parsed(text))


def legacy_same_latex(text: str, gold: str) -> bool | None:
    """ms-swift's comparison of the LaTeX (a box, `$..$`) that it finds in two texts; None where the gold has none."""
    math_verify = _math_verify()
    in_gold = math_verify.LatexExtractionConfig()
    in_text = math_verify.LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)
    wanted, found = (
        math_verify.parse(source, [config], extraction_mode="first_match", parsing_timeout=_seconds())
        for source, config in ((gold, in_gold), (text, in_text))
    )
    return bool(math_verify.verify(wanted, found, timeout_seconds=_seconds())) if wanted else None


def _expression(attempt: Attempt) -> str:
    return last_boxed(attempt.text) or final_answer(attempt.trace) or ""


def _gold_expression(reference: str) -> str | None:
    return last_boxed(reference) or final_answer(parse_trace(reference)) or bare_reference(reference)


def _has_form(text: str) -> bool:
    r"""EasyR1's `<think>.*</think>.*\\boxed{.*}.*` over the whole text, without its backtracking."""
    closing = text.find("</think>")
    boxed = text.find(_BOXED, closing) if closing >= 0 else -1
    return text.startswith("<think>") and boxed >= 0 and text.find("}", boxed) >= 0


def _evidence(attempt: Attempt, accuracy: float) -> tuple[Evidence, ...]:
    """The last boxed answer, or else the last answer block."""
    verdict = "right" if accuracy == 1.0 else "wrong"
    start = attempt.text.rfind(_BOXED)
    if start >= 0:
        end = start + len(_BOXED) + len(last_boxed(attempt.text) or "")
        return (Evidence(start=start, end=end, verdict=verdict, note="the boxed answer"),)
    return tuple(
        Evidence(start=span.start, end=span.end, verdict=verdict, note="the final answer")
        for span in attempt.trace.answers[-1:]
    )


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[object, ...]:
    """What math-verify makes of an expression; empty where the text is none, prose with a number in it included."""
    inline = _INLINE.findall(text)
    expression = (inline[-1] if inline else text).strip(_AROUND)
    has_words = _WORD.search(_COMMAND.sub(" ", expression)) is not None
    is_maths = _MATHS.search(expression) and not _ENDLESS.search(expression)
    if has_words or not is_maths:
        return ()
    latex = _math_verify().LatexExtractionConfig(try_extract_without_anchor=False)
    return tuple(_math_verify().parse(f"{_BOXED}{expression}}}", [latex], parsing_timeout=_seconds()))


def _seconds() -> int | None:
    """Time for one parse or comparison. math-verify keeps it with a signal, which only the main thread can have."""
    return _GRADING_S if threading.current_thread() is threading.main_thread() else None


def _math_verify() -> ModuleType:
    try:
        import math_verify  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PluginError(
            "the rewards math, math_accuracy and r1v need math-verify, which is not installed. "
            "Run `pip install 'radrl[math]'`."
        ) from error
    return math_verify
