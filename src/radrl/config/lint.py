"""Settings of `radrl lint-reward`."""

from typing import Literal

from pydantic import Field

from radrl.config.section import NonNegativeInt, PositiveInt, Section

TraceForm = Literal["auto", "interleaved", "plain", "answer_first"]


class LintConfig(Section):
    """What is attacked, and on which questions."""

    reward: str = ""
    """A registered reward, a preset, or where a function stands (path/to/file.py:function); also the argument without
    a key. With config=FILE the stages of that training run are attacked instead."""
    kwargs: dict[str, float | int | bool | str] = Field(default={})
    """Arguments of that reward."""
    num_questions: PositiveInt = 500
    """Phantom questions, about as many of each kind."""
    kinds: tuple[str, ...] = ()
    """Kinds of questions. When empty: closed, choice and presence for a preset or stage with `closed` in its name, open
    and list for one with `open`, and all kinds for any other."""
    trace: TraceForm = "auto"
    """Form of the references: a pair a judgement, one pair, or the answer as first sentence without tags. auto is plain
    for CheX-Phi4MM's presets and layout and interleaved for any other."""
    seed: NonNegativeInt = 0
    """The questions follow from it."""
    max_tokens: PositiveInt = 1024
    """Length limit that rewards of length are told, where no run sets one."""
    batch_size: PositiveInt = 16
    """Questions that rewards per batch see together, where no run says how many prompts a step keeps."""
    out: str | None = None
    """JSON file for the result."""
