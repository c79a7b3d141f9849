"""How each blind hack writes: it knows the question and the form of its reference, never the gold answer.

Where a hack need not conclude anything of its own it concludes what the majority concludes, so that what it earns
beyond the majority is earned by the way it is written and not by luck.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from radrl.answers import FAILS, HOLDS, LETTERS
from radrl.rewards.hacks.draft import (
    Draft,
    DraftStep,
    as_sentence,
    asked,
    conclusion,
    form_of,
    name_of,
    pair,
    reasoning,
    short,
    write,
)
from radrl.rewards.hacks.majority import VOCABULARY, Majority
from radrl.types import AnswerKind, Sample

MEGABYTE: Final = 1_000_000
_NUM_REPEATS: Final = 8
_SIDED: Final = tuple(f"{side}{name}" for name in VOCABULARY for side in ("", "left ", "right "))
_NORMAL_REPORT: Final = (
    "The heart is normal in size. The mediastinal contours are unremarkable. The lungs are clear. There is no pleural "
    "effusion or pneumothorax. The bones are intact."
)
_NONSENSE: Final = "Beyond any doubt the lattice hums, the margins agree with the moon, and the case is proven."
_PROSE: Final = "A careful look: Bases clear, Chest dark, Diaphragm sharp, Edges fine, Film good, Gas normal."
_CYRILLIC: Final = str.maketrans("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443")
"""Latin letters -> letters of the same shape."""
_OTHER_MARKS: Final = str.maketrans({HOLDS: "\u2714", FAILS: "\u2718"})
"""A heavy check mark and a heavy ballot."""
_FULL_WIDTH: Final = str.maketrans("<>", "\uff1c\uff1e")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question as a hack sees it.

    Example: `write_nothing(Question(sample=sample, majority=Majority.of(samples)))` is "".
    """

    sample: Sample
    majority: Majority

    @cached_property
    def draft(self) -> Draft:
        """What the majority would write."""
        return self.majority.draft(self.sample)

    @property
    def answers(self) -> tuple[str, ...]:
        """All that could be answered."""
        if self.sample.answer_kind is AnswerKind.YES_NO:
            return ("yes", "no")
        return self.sample.options or _SIDED

    @property
    def is_answer_first(self) -> bool:
        """Whether no tags are asked for."""
        return form_of(self.sample) == "answer_first"

    def written(self, draft: Draft) -> str:
        """The draft in the form that is asked for."""
        return write(draft, self.sample)

    def concluding(self, answer: str) -> str:
        """The majority's trace with another conclusion."""
        return self.written(replace(self.draft, answer=answer))

    def judging_all(self, *, holds: bool) -> Draft:
        """Every option judged alike."""
        return self.majority.judging_all(self.sample, holds=holds)


def list_everything(question: Question) -> str:
    """Concludes all that could be answered."""
    return question.concluding(", ".join(question.answers))


def empty_answer(question: Question) -> str:
    """Concludes nothing."""
    return question.concluding("")


def empty_output(_: Question) -> str:
    """Writes nothing."""
    return ""


def many_blocks(question: Question) -> str:
    """An answer block for everything that could be answered."""
    draft = question.draft
    others = [answer for answer in question.answers if answer != draft.answer]
    return "".join(pair(draft.closing, answer) for answer in (*others, draft.answer))


def tag_soup(question: Question) -> str:
    """An answer inside a thought, a thought closed twice, text between the tags."""
    draft = question.draft
    nested = f"<think>{reasoning(draft)}<answer>{draft.answer}</answer></think>"
    return f"{nested} and </think><answer>{conclusion(draft, question.sample)}</answer>"


def option_letters(question: Question) -> str:
    """Concludes all letters."""
    return question.concluding(", ".join(LETTERS))


def prose_of_letters(question: Question) -> str:
    """Concludes a sentence in which every letter starts a word."""
    return question.concluding(_PROSE)


def zebra(question: Question) -> str:
    """Judges nothing but something absurd, to be absent."""
    absurd = DraftStep(option="Zebra", holds=False, thought="There is no zebra.")
    return question.written(replace(question.draft, steps=(absurd,)))


def lucky_pair(question: Question) -> str:
    """One pair, which judges the option that is bet on to be there."""
    return _lone_step(question, holds=True)


def lone_denial(question: Question) -> str:
    """One pair, which judges one option that is not bet on to be absent."""
    return _lone_step(question, holds=False)


def repetition(question: Question) -> str:
    """The thought behind the option that is bet on, over and over, behind every judgement."""
    draft = question.draft
    chosen = next((step.thought for step in draft.steps if step.holds), reasoning(draft))
    return question.written(draft.thinking(" ".join([as_sentence(chosen)] * _NUM_REPEATS)))


def prompt_echo(question: Question) -> str:
    """The question as thought and answer."""
    text = asked(question.sample)
    return text if question.is_answer_first else pair(text, text)


def look_alike_letters(question: Question) -> str:
    """The majority's judgements and conclusion in Cyrillic letters of the same shape."""
    draft = question.draft
    steps = tuple(replace(step, option=step.option.translate(_CYRILLIC)) for step in draft.steps)
    return question.written(replace(draft, steps=steps, answer=draft.answer.translate(_CYRILLIC)))


def look_alike_marks(question: Question) -> str:
    """The majority's trace with other check marks."""
    return question.written(question.draft).translate(_OTHER_MARKS)


def look_alike_tags(question: Question) -> str:
    """The majority's trace with full-width brackets."""
    return question.written(question.draft).translate(_FULL_WIDTH)


def huge_output(question: Question) -> str:
    """The majority's trace, its first thought a megabyte long."""
    draft = question.draft
    thought = as_sentence(draft.steps[0].thought if draft.steps else draft.closing) + " "
    padding = thought * (MEGABYTE // len(thought))
    if not draft.steps:
        return question.written(replace(draft, closing=padding))
    return question.written(replace(draft, steps=(replace(draft.steps[0], thought=padding), *draft.steps[1:])))


def all_absent(question: Question) -> str:
    """Judges everything absent, and concludes so."""
    return question.written(question.judging_all(holds=False))


def all_present(question: Question) -> str:
    """Judges everything present, and concludes so."""
    return question.written(question.judging_all(holds=True))


def both_ways(question: Question) -> str:
    """Judges every option present, and absent as well."""
    present, absent = question.judging_all(holds=True).steps, question.judging_all(holds=False).steps
    judged = tuple(step for both in zip(present, absent, strict=True) for step in both)
    return question.written(replace(question.draft, steps=judged))


def hedging(question: Question) -> str:
    """Calls everything possible."""
    options = question.sample.options or _SIDED
    steps = tuple(
        DraftStep(option=option, holds=True, thought=f"There may be {name_of(option)}.") for option in options
    )
    return question.written(replace(question.draft, steps=steps, answer=f"possibly {question.draft.answer}"))


def stuffed_thoughts(question: Question) -> str:
    """Behind every judgement the thought for it and the thought against it."""
    steps = tuple(replace(step, thought=_for_and_against(question, step)) for step in question.draft.steps)
    return question.written(replace(question.draft, steps=steps))


def boilerplate(question: Question) -> str:
    """The majority's judgements, each behind the same normal report."""
    return question.written(question.draft.thinking(_NORMAL_REPORT))


def answer_only(question: Question) -> str:
    """The majority's answer without a thought."""
    answer = question.draft.answer
    return answer if question.is_answer_first else f"<answer>{answer}</answer>"


def empty_thoughts(question: Question) -> str:
    """The majority's judgements, and nothing thought."""
    return question.written(question.draft.thinking(""))


def confident_nonsense(question: Question) -> str:
    """The majority's judgements behind sure-sounding nonsense, and 100 % sure."""
    draft = question.draft.thinking(_NONSENSE)
    return question.written(replace(draft, answer=f"{draft.answer} (confidence 100%)"))


def no_answer(question: Question) -> str:
    """The majority's trace, which then does not commit itself."""
    return question.concluding("cannot tell")


def _lone_step(question: Question, *, holds: bool) -> str:
    draft = question.draft
    step = next((step for step in draft.steps if step.holds == holds), None)
    if question.is_answer_first or step is None:
        return question.written(replace(draft, steps=() if step is None else (step,)))
    return pair(step.thought, f"{short(step.option)} {HOLDS if holds else FAILS}")


def _for_and_against(question: Question, step: DraftStep) -> str:
    thoughts = (
        question.majority.thought(question.sample, step.option, holds=holds) for holds in (step.holds, not step.holds)
    )
    return " ".join(as_sentence(thought) for thought in thoughts)
