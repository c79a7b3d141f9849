"""Writes the reference pages of rewards and hacks: `python -m radrl.lint.reference docs/reference`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic.fields import FieldInfo

from radrl.config.lint import LintConfig
from radrl.config.reference import default_in_words, type_in_words
from radrl.lint.attack import Earned, Result
from radrl.lint.command import lint
from radrl.lint.targets import target_of
from radrl.phantom.world import KINDS
from radrl.rewards.hacks import HACKS
from radrl.rewards.pool import RewardPool
from radrl.rewards.reference import rewards_page

NUM_QUESTIONS = 500
SEED = 0
BATCH_SIZE = 1
"""CheX-Phi4MM's script takes one prompt a step, for which alone its graph reward looks at the right reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A seed's rubric and ours, on the kind of question that it is made for.

    Example: `Recipe(title="open", theirs="legacy_cx_mind_open", ours="cx_mind_open", kinds=("open",))`
    """

    title: str
    theirs: str
    ours: str
    kinds: tuple[str, ...]


RECIPES = (
    Recipe(title="closed", theirs="legacy_cx_mind_closed", ours="cx_mind_closed", kinds=("choice",)),
    Recipe(title="open", theirs="legacy_cx_mind_open", ours="cx_mind_open", kinds=("open",)),
    Recipe(title="CheX-Phi4MM", theirs="legacy_chex_phi4mm", ours="chex_phi4mm", kinds=KINDS),
)


def hacks_page() -> str:
    """What every hack earns by the seeds' rules and by ours."""
    return describe([result_of(preset, recipe) for recipe in RECIPES for preset in (recipe.theirs, recipe.ours)])


def result_of(preset: str, recipe: Recipe, *, num_questions: int = NUM_QUESTIONS) -> Result:
    """One rubric under attack, on the recipe's questions."""
    config = LintConfig(
        reward=preset, num_questions=num_questions, kinds=recipe.kinds, seed=SEED, batch_size=BATCH_SIZE
    )
    with RewardPool() as pool:
        return lint(target_of(config), config, pool=pool)


def describe(results: Sequence[Result]) -> str:
    """The page, from the results of each recipe's rubrics in the order of `RECIPES`: theirs, ours."""
    head = " | ".join(f"{recipe.title}: seed | {recipe.title}: radrl" for recipe in RECIPES)
    rows = [_row("gold reference", [result.gold for result in results], results)]
    rows.append(_row("majority answer", [result.majority for result in results], results))
    by_name = [{earned.name: earned for earned in result.hacks} for result in results]
    rows += [_row(hack.name, [found.get(hack.name) for found in by_name], results) for hack in HACKS]
    presets = ", ".join(f"`{recipe.ours}`" for recipe in RECIPES)
    kinds = ";\n".join(f"{recipe.title}: {', '.join(recipe.kinds)}" for recipe in RECIPES)
    described = "\n".join(f"| {hack.name} | {hack.does} | {hack.fooled} |" for hack in HACKS)
    settings = "\n".join(_setting(key, field) for key, field in LintConfig.model_fields.items())
    return f"""# Reward hacks

What a policy would be paid for writing like this instead of reading the film: the mean over {NUM_QUESTIONS} questions
about generated studies, as a share of what the gold references are paid. **Bold** is more than the majority answer is
paid, which is the best that a policy can honestly write without an image: such a rule teaches the hack. The seeds'
rules are the `legacy_*` presets, faults included; ours are the presets {presets}
([rewards](rewards.md)). `radrl lint-reward` attacks any other reward in the same way.

| | {head} |
|---|{"---|" * len(results)}
{chr(10).join(rows)}

Settings: seed {SEED}; kinds of questions, about as many of each:
{kinds}.
Batch gates are open. The majority answer is the most frequent answer of other patients' questions, written out in the
form of the references, each option judged accordingly and behind the thought that most often stands there; of yes or no
and of sets it is the most frequent one of these questions. Blind hacks bet on the same answer. The two corruptions
(negation flip, side swap) begin with the reference and count where they change the answer. The huge output is tried on
one question in 100; the table has its gap there on top of the majority's mean. A dash: the hack does not apply to these
questions.

Each question is a batch of its own, as in CheX-Phi4MM's script: its graph reward compares with the first reference of
the batch, which is another patient's as soon as a step has two prompts.

| hack | what it does | whom it fools, or why it is tried |
|---|---|---|
{described}

## Settings of the linter

`radrl lint-reward NAME key=value`, or `radrl lint-reward config=FILE key=value` for the rubrics of a training run,
whose own keys may follow too. It exits with 1 when a hack is paid more than the majority answer, when anything is paid
more than the gold references, and when a reward raises.

| key | type | default | meaning |
|---|---|---|---|
{settings}
"""


PAGES: Mapping[str, Callable[[], str]] = {"rewards.md": rewards_page, "reward-hacks.md": hacks_page}
"""File name below the reference folder -> what writes it."""


def main(argv: Sequence[str]) -> int:
    """Write all pages into the folder given."""
    folder = Path(argv[0])
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    return 0


def _setting(key: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split())
    return f"| `{key}` | {type_in_words(field.annotation)} | {default_in_words(field)} | {meaning} |"


def _row(name: str, earned: Sequence[Earned | None], results: Sequence[Result]) -> str:
    cells = (_cell(one, result) for one, result in zip(earned, results, strict=True))
    return f"| {name} | {' | '.join(cells)} |"


def _cell(earned: Earned | None, result: Result) -> str:
    if earned is None:
        return "-"
    share = f"{(result.majority.total + earned.gap) / result.gold.total:.2f}"
    return f"**{share}**" if earned.wins and earned is not result.gold else share


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
