"""Spec row 9: the shipped format prompts ask for what the rewards read."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from reward_builders import LETTERED, NAMED, OPEN, PRESENCE, completions
from rows import closed_row, write_image, write_rows

from radrl.config.data import DataConfig
from radrl.config.schema import Config, GateConfig
from radrl.data.load import load_samples
from radrl.rewards.rubric import Rubric
from radrl.types import AnswerKind, Sample

FOLDER = Path(__file__).parents[3] / "examples" / "format_prompts"
NAMES = ("closed", "open", "joint", "math", "r1v", "dapo")


@pytest.fixture
def asked(tmp_path):
    """The question as a format prompt puts it."""

    def ask(name, **changes):
        write_image(tmp_path)
        config = DataConfig(format_prompt=str(FOLDER / f"{name}.jinja"))
        row = write_rows(tmp_path, [closed_row(prompt="<image>Which?", **changes)])
        return load_samples([row], config)[0].question

    return ask


def earned(rewards, sample, *texts):
    made = Rubric(Config(rewards=rewards).rewards, GateConfig(), max_tokens=100)
    (group,) = made.settle(made.score([completions(sample, *texts)]), update=False)
    return [rollout.reward.total for rollout in group.rollouts]


def tags(prompt):
    """The pairs of tags that a prompt shows."""
    return dict.fromkeys(re.findall(r"<(\w+)> </\1>", prompt))


def step(prompt, thought, answer):
    """A step in the tags that the prompt names first and second."""
    first, second = tags(prompt)
    return f"<{first}>{thought}</{first}><{second}>{answer}</{second}>"


def marks(prompt):
    """What the prompt says to write behind an option that holds, and behind one that does not."""
    holds, fails = re.search(r"followed by (\S+) if .*? or by (\S+) if", prompt).groups()
    return {True: holds, False: fails}


def test_all_prompts_of_the_recipes_are_shipped():
    assert {path.stem for path in FOLDER.glob("*.jinja")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_prompt_leaves_question_and_images_in_front_and_adds_instructions(asked, name):
    lines = asked(name).split("\n\n")
    assert lines[0] == "<image>Which?"
    assert len(lines) == 2
    assert len(lines[1].split()) > 20


@pytest.mark.parametrize("sample", [LETTERED, NAMED, PRESENCE], ids=lambda sample: sample.id)
def test_row_9_who_does_as_the_closed_prompt_says_earns_all_that_the_closed_reward_pays(asked, sample):
    """The seed's closed prompt asks for a boxed answer, which its reward never reads."""
    prompt = asked("closed")
    gold = next(iter(sample.answer))
    judged = [
        (option.partition(") ")[2] or option, gold != "no" and option.endswith(gold)) for option in sample.options
    ]
    said = [f"{option} {marks(prompt)[holds]}" for option, holds in judged]
    thoughts = re.findall("<think>(.*?)</think>", sample.reference)
    text = "".join(step(prompt, *pair) for pair in zip(thoughts, [*said, gold], strict=True))
    assert earned(["cx_mind_closed"], sample, text) == pytest.approx(
        earned(["cx_mind_closed"], sample, sample.reference)
    )
    assert "boxed" not in prompt


def test_row_9_who_does_as_the_open_prompt_says_earns_all_that_the_open_reward_pays(asked):
    prompt = asked("open")
    heading = re.search(r"<answer>(.*?)\[\.\.\.\]</answer>", prompt)[1]
    mark = marks(prompt)
    text = "".join(
        [
            step(prompt, "candidates", f"{heading}[Atelectasis, Edema]"),
            step(prompt, "left atelectasis", f"Atelectasis {mark[True]}"),
            step(prompt, "no edema", f"Edema {mark[False]}"),
            step(prompt, "summary", "Atelectasis"),
        ]
    )
    assert earned(["cx_mind_open"], OPEN, text) == pytest.approx([2.2])


def test_the_joint_prompt_is_that_of_the_kind_of_question(asked):
    assert asked("joint", kind="open") == asked("open")
    assert asked("joint", kind="closed") == asked("closed")


SUM = Sample(
    id="sum", patient_id="p", kind="open", question="What is 3 + 4?", answer=frozenset({"7"}),
    answer_kind=AnswerKind.NUMBER, reference="7",
)  # fmt: skip


def test_row_9_the_math_prompt_asks_for_the_form_and_the_box_that_the_math_reward_reads(asked):
    prompt = asked("math")
    (tag,) = tags(prompt)
    box = re.search(r"(\\\w+)\{\}", prompt)[1]
    right, loose = f"<{tag}>3 + 4</{tag}> {box}{{7}}", f"{box}{{7}}"
    assert earned([{"name": "math", "outcome": True}], SUM, right, loose) == pytest.approx([1.0, 0.9])


def test_row_9_the_r1v_prompt_asks_for_the_one_pair_that_the_r1v_reward_reads(asked):
    pair = step(asked("r1v"), "fluid at the left base", "left pleural effusion")
    sample = replace(LETTERED, reference="<think>fluid</think><answer>left pleural effusion</answer>")
    assert earned([{"name": "r1v", "outcome": True}], sample, pair, pair + pair) == pytest.approx([1.0, 0.5])


def test_row_9_the_dapo_prompt_asks_for_the_last_line_that_the_dapo_reward_reads(asked):
    start = re.search('"(.*?)"', asked("dapo"))[1]
    texts = (f"3 and 4 make seven.\n{start}7", f"3 and 4 make seven.\n{start}8", "It is 7")
    assert earned(
        [{"name": "dapo", "outcome": True, "outcome_key": "accuracy_normalized"}], SUM, *texts
    ) == pytest.approx([1.0, -1.0, -1.0])
