"""A trace before it is written: what it judges and concludes, and the form that its sample asks for."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from radrl.answers import FAILS, HOLDS
from radrl.answers.options import split_letter
from radrl.text import parse_trace
from radrl.types import IMAGE_MARK, AnswerKind, Sample

Form = Literal["steps", "pair", "answer_first"]
"""Think/answer pairs that judge option by option, one pair, or the answer as first sentence without tags."""

STOPS: Final = (".", "!", "?")
OPENING: Final = "These are weighed one by one."
CLOSING: Final = "Taken together, this settles it."


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """One option, judged.

    Example: `DraftStep(option="A) edema", holds=False, thought="There is no edema.")` is written `A) ❌`
    """

    option: str
    """As the question has it, letter included."""
    holds: bool
    thought: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a trace says, whatever form it is written in.

    Example: `Draft(steps=(DraftStep(option="edema", holds=False, thought="no edema"),), answer="no finding")`
    """

    steps: tuple[DraftStep, ...] = ()
    answer: str
    """The conclusion."""
    opening: str = OPENING
    """Thought before the list of candidates, where the form has one."""
    closing: str = CLOSING
    """Thought before the conclusion; the only one of a draft without steps."""

    def thinking(self, thought: str) -> "Draft":
        """The same judgements and conclusion, with this one thought behind each of them."""
        steps = tuple(replace(step, thought=thought) for step in self.steps)
        return replace(self, steps=steps, opening=thought, closing=thought)


def form_of(sample: Sample) -> Form:
    """The form of a sample's reference, which is all of it that a blind writer may know."""
    num_steps = len(parse_trace(sample.reference).steps)
    if num_steps == 0:
        return "answer_first"
    return "pair" if num_steps == 1 else "steps"


def write(draft: Draft, sample: Sample) -> str:
    """The draft in the sample's form."""
    match form_of(sample):
        case "steps":
            judged = (pair(step.thought, f"{short(step.option)} {mark(holds=step.holds)}") for step in draft.steps)
            return candidates(draft, sample) + "".join(judged) + pair(draft.closing, conclusion(draft, sample))
        case "pair":
            return pair(reasoning(draft), draft.answer)
        case "answer_first":
            return f"{as_sentence(draft.answer)} {reasoning(draft)}"


def candidates(draft: Draft, sample: Sample) -> str:
    """The pair that lists the candidates of an open question; empty for any other."""
    if sample.answer_kind is not AnswerKind.SET or not sample.options:
        return ""
    return pair(draft.opening, f"Differential Diagnoses: [{', '.join(sample.options)}]")


def conclusion(draft: Draft, sample: Sample) -> str:
    """The final answer of a trace in steps: of a lettered question the letter, judged once more."""
    is_lettered = draft.answer in sample.options and short(draft.answer) != draft.answer
    return f"{short(draft.answer)} {HOLDS}" if is_lettered else draft.answer


def reasoning(draft: Draft) -> str:
    """All judging thoughts as one; the closing one where there is no other."""
    return " ".join(as_sentence(step.thought) for step in draft.steps) or draft.closing


def pair(thought: str, answer: str) -> str:
    """One think/answer pair."""
    return f"<think>{thought}</think><answer>{answer}</answer>"


def mark(*, holds: bool) -> str:
    """The mark of a judgement."""
    return HOLDS if holds else FAILS


def short(option: str) -> str:
    """How a judgement names an option: `C)` where it has a letter."""
    letter, _ = split_letter(option)
    return option if letter is None else f"{letter})"


def name_of(option: str) -> str:
    """An option without its letter."""
    return split_letter(option)[1] or option


def asked(sample: Sample) -> str:
    """The text of the question."""
    return sample.question.replace(IMAGE_MARK, "").strip()


def as_sentence(text: str) -> str:
    """The text with a full stop behind it, unless it ends in a stop or is empty."""
    return text if not text or text.endswith(STOPS) else f"{text}."
