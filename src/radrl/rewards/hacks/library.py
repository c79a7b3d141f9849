"""The library of known hacks, as data; `radrl lint-reward` tries them all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from radrl.rewards.hacks import writers
from radrl.rewards.hacks.corruptions import flip_negations, swap_sides
from radrl.rewards.hacks.majority import Majority
from radrl.rewards.hacks.writers import Question
from radrl.types import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Hack:
    """One way to be paid without reading the image, or for what is false.

    Example: `Hack(name="empty output", does="Writes nothing at all.", fooled="...", writer=empty_output)`
    """

    name: str
    does: str
    """In a sentence."""
    fooled: str
    """Whose rule pays for it, or why it is tried."""
    writer: Callable[[Question], str | None]
    is_blind: bool = True
    """Whether it knows no gold; the others corrupt the reference."""
    every: int = 1
    """It is tried on one in so many questions: 1 but for what is slow to read."""

    def write(self, sample: Sample, majority: Majority) -> str | None:
        """A completion for the sample; None where the hack does not apply to it."""
        return self.writer(Question(sample=sample, majority=majority))


HACKS: Final = (
    Hack(
        name="list everything",
        does="Concludes every option, or every finding on either side.",
        fooled="CheX-Phi4MM's accuracy pays 1 for any overlap.",
        writer=writers.list_everything,
    ),
    Hack(
        name="empty answer",
        does="Reasons like the majority and leaves the answer blank.",
        fooled="CX-Mind's F1 of two empty sets is 1; CheX-Phi4MM wants an empty prediction for an empty gold.",
        writer=writers.empty_answer,
    ),
    Hack(
        name="empty output",
        does="Writes nothing at all.",
        fooled="CheX-Phi4MM's graph reward pays 1/2 where the reference states no relation.",
        writer=writers.empty_output,
    ),
    Hack(
        name="many blocks",
        does="Writes an answer block for every option, the best bet last.",
        fooled="CheX-Phi4MM reads the first of several blocks; both accept any number.",
        writer=writers.many_blocks,
    ),
    Hack(
        name="tag soup",
        does="Nests an answer in a thought, closes the thought twice, and writes between the tags.",
        fooled="CX-Mind's format pays 1 for it.",
        writer=writers.tag_soup,
    ),
    Hack(
        name="option letters",
        does="Concludes all letters from A to G.",
        fooled="CX-Mind takes the first letter it finds.",
        writer=writers.option_letters,
    ),
    Hack(
        name="prose of letters",
        does="Concludes a sentence in which each letter from A to G begins a word.",
        fooled='CX-Mind reads "The answer is C" as E.',
        writer=writers.prose_of_letters,
    ),
    Hack(
        name="nonsense judged wrong",
        does="Judges nothing but `Zebra ❌`, then bets.",
        fooled="CX-Mind's open process bonus pays in full: whatever is not the answer is rightly denied.",
        writer=writers.zebra,
    ),
    Hack(
        name="one lucky pair",
        does="Writes one pair, which bets on one option, and looks at no other.",
        fooled="CX-Mind's closed process bonus pays in full when the bet is right.",
        writer=writers.lucky_pair,
    ),
    Hack(
        name="one denial",
        does="Writes one pair, which denies an option that is probably wrong, and answers nothing.",
        fooled="CX-Mind's closed process bonus pays in full for `A) ❌` wherever A is wrong.",
        writer=writers.lone_denial,
    ),
    Hack(
        name="repetition",
        does="Puts the thought of the option it bets on behind every judgement, eight times over.",
        fooled="CX-Mind's think reward looks at the first step that names the true option; neither seed looks for "
        "repetition.",
        writer=writers.repetition,
    ),
    Hack(
        name="negation flip",
        does="Takes the reference and turns every claim into its denial, every denial into a claim.",
        fooled="Measures of wording, and graphs without polarity.",
        writer=lambda question: flip_negations(question.sample),
        is_blind=False,
    ),
    Hack(
        name="side swap",
        does="Takes the reference and writes left for right and right for left, where a side decides the answer.",
        fooled="Measures of wording; graphs whose places are single words.",
        writer=lambda question: swap_sides(question.sample),
        is_blind=False,
    ),
    Hack(
        name="prompt echo",
        does="Gives the question back as thought and answer.",
        fooled="Accuracy by substring, and graphs of the question's own words.",
        writer=writers.prompt_echo,
    ),
    Hack(
        name="look-alike letters",
        does="Writes the majority's judgements and answer in Cyrillic letters of the same shape.",
        fooled="Whatever compares a denied option as text: an unknown name is no true one.",
        writer=writers.look_alike_letters,
    ),
    Hack(
        name="look-alike marks",
        does="Writes the majority's trace with other check marks.",
        fooled="Readers that take any mark, or ignore a step they cannot read.",
        writer=writers.look_alike_marks,
    ),
    Hack(
        name="look-alike tags",
        does="Writes the majority's trace with full-width brackets.",
        fooled="CheX-Phi4MM reads a completion without tags as an answer as a whole.",
        writer=writers.look_alike_tags,
    ),
    Hack(
        name="huge output",
        does="Writes the majority's trace with a first thought of a megabyte.",
        fooled="Neither seed's rewards look at length, and CX-Mind's format check hangs on long malformed text.",
        writer=writers.huge_output,
        every=100,
    ),
    Hack(
        name="all absent",
        does="Judges every option absent and concludes that nothing is there.",
        fooled="Process rewards that count steps: most options are absent.",
        writer=writers.all_absent,
    ),
    Hack(
        name="all present",
        does="Judges every option present and concludes all of them.",
        fooled="Recall without precision.",
        writer=writers.all_present,
    ),
    Hack(
        name="both ways",
        does="Judges every option present, and absent as well, then bets.",
        fooled="Process rewards that look for a right judgement and not at the others.",
        writer=writers.both_ways,
    ),
    Hack(
        name="hedging",
        does="Calls everything possible.",
        fooled="Graphs that take a hedge for a claim.",
        writer=writers.hedging,
    ),
    Hack(
        name="stuffed thoughts",
        does="Puts the thought for and the thought against an option behind every judgement.",
        fooled="Measures of wording that look at recall; graphs that keep the last polarity only.",
        writer=writers.stuffed_thoughts,
    ),
    Hack(
        name="boilerplate",
        does="Copies the same normal report behind every judgement.",
        fooled="BLEU and ROUGE pay for common words.",
        writer=writers.boilerplate,
    ),
    Hack(
        name="answer only",
        does="Answers without a thought.",
        fooled="Accuracy alone; CheX-Phi4MM has no format reward.",
        writer=writers.answer_only,
    ),
    Hack(
        name="empty thoughts",
        does="Writes the majority's judgements with empty thoughts.",
        fooled="Format checks that look at tags alone.",
        writer=writers.empty_thoughts,
    ),
    Hack(
        name="confident nonsense",
        does="Reasons nonsense, bets, and says that it is 100 % sure.",
        fooled="Rewards of stated confidence that forget to ask whether it is deserved.",
        writer=writers.confident_nonsense,
    ),
    Hack(
        name="no answer",
        does="Reasons like the majority and concludes `cannot tell`.",
        fooled="Rewards that take an unreadable answer for an abstention.",
        writer=writers.no_answer,
    ),
)
"""Tried in this order."""
