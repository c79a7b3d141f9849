"""Row 77: validation before, during, after and only; row 74: some of what was written in it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import a_completion, a_prompt
from test_trainer import NO, YES, RecordingActor, ScriptedSampler, a_config, a_stage, lines

from radrl.checkpoints import saved_steps
from radrl.config.schema import Config
from radrl.curriculum import Curriculum, Validation
from radrl.generations import Generation, append_generations, cut_generations_after, pick_generations
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train
from radrl.types import RewardResult, Rollout, RolloutGroup
from radrl.validation import validate, validation_metrics


class ScoringSampler(ScriptedSampler):
    """Answers by the prompt's position in the whole call, and remembers every call."""

    def __init__(self):
        super().__init__([YES, NO])
        self.calls = []

    def generate(self, prompts, sampling):
        self.calls.append((len(prompts), sampling))
        for place, prompt in enumerate(prompts, start=sampling.first):
            yield tuple(a_completion(prompt, index, YES if place % 3 else NO) for index in range(sampling.n))


def prompts(num):
    return [a_prompt(number, kind="view" if number % 2 else "presence") for number in range(num)]


def configured(**trainer):
    tree = a_config().model_dump()
    tree["trainer"] |= trainer
    return Config.model_validate(tree)


def a_run(tmp_path, config, *, num_steps=3, gate="always", start_from=None):
    actor, sampler = RecordingActor(), ScriptedSampler([YES, NO])
    validation = Validation(prompts=prompts(3), n=1, temperature=0.0)
    stage = replace(a_stage(config, num_steps=num_steps, gate=gate), validation=validation)
    curriculum = Curriculum(stages=[stage])
    run = Run(tmp_path, parts={"actor": actor, "curriculum": curriculum}, save_freq=1, start_from=start_from)
    train(config, Roles(actor=actor, sampler=sampler), curriculum, run)
    return actor, stage


def validated(tmp_path):
    return [line["step"] for line in lines(tmp_path / "metrics.jsonl") if "val/reward_score" in line]


@pytest.mark.parametrize(
    ("trainer", "steps"),
    [
        ({"val_freq": -1}, [3]),
        ({"val_freq": 2}, [2, 3]),
        ({"val_freq": 2, "val_before_train": True}, [0, 2, 3]),
        ({"val_freq": 3}, [3]),
    ],
)
def test_row_77_validation_comes_before_every_so_many_steps_and_at_the_end(tmp_path, trainer, steps):
    actor, _ = a_run(tmp_path, configured(**trainer))
    assert validated(tmp_path) == steps
    assert len(actor.batches) == 3


def test_row_77_validation_alone_takes_no_step_and_saves_nothing(tmp_path):
    actor, _ = a_run(tmp_path, configured(val_only=True))
    assert validated(tmp_path) == [0]
    assert actor.batches == []
    assert saved_steps(tmp_path / "checkpoints") == []


def test_row_77_validation_alone_judges_the_checkpoint_it_is_given(tmp_path):
    a_run(tmp_path / "first", configured(), num_steps=2)
    checkpoint = str(tmp_path / "first" / "checkpoints" / "global_step_2")

    actor, _ = a_run(tmp_path / "second", configured(val_only=True), start_from=checkpoint)

    assert validated(tmp_path / "second") == [2]
    assert len(actor.batches) == 2, "the state of the checkpoint, and no batch of its own"


def test_row_77_a_resumed_run_does_not_validate_its_starting_weights_again(tmp_path):
    config = configured(val_before_train=True, val_freq=-1)
    a_run(tmp_path, config, num_steps=2)
    a_run(tmp_path, config, num_steps=3)
    assert validated(tmp_path) == [0, 2, 3]


@pytest.mark.parametrize("gate", ["ema", "conditional"])
def test_row_77_validation_leaves_gates_where_training_left_them(tmp_path, gate):
    config = configured(val_freq=1, val_before_train=True)
    _, stage = a_run(tmp_path / "validated", config, gate=gate)
    _, alone = a_run(tmp_path / "alone", configured(val_freq=-1), gate=gate)
    assert stage.rubric.state_dict() == alone.rubric.state_dict()


@pytest.mark.parametrize("size", [1, 2, 5, 7, 100])
def test_row_77_a_validation_is_the_same_however_its_prompts_are_batched(size):
    tree = a_config().model_dump()
    tree["data"]["val_batch_size"] = size
    config, sampler = Config.model_validate(tree), ScoringSampler()
    validation = Validation(prompts=prompts(7), n=3, temperature=0.5)

    groups = validate(sampler, a_stage(config), validation, config)

    # Prompts 0, 3 and 6 are answered wrongly, three times each.
    assert validation_metrics(groups)["val/reward_score"] == pytest.approx(4 / 7)
    assert [group.prompt.sample.id for group in groups] == [f"q{number}" for number in range(7)]
    assert sum(num for num, _ in sampler.calls) == 7
    assert {(sampling.n, sampling.temperature, sampling.is_for_training) for _, sampling in sampler.calls} == {
        (3, 0.5, False)
    }
    assert len({sampling.seed for _, sampling in sampler.calls}) == 1


def test_row_77_every_reward_has_its_mean_where_it_did_not_abstain_and_every_kind_its_outcome():
    def a_rollout(prompt, outcome, graph):
        reward = RewardResult(
            parts={"answer": outcome, "graph": graph, "graph/recall": 0.5},
            weights={"answer": 1.0, "graph": 0.5, "graph/recall": 0.0},
            factors={"answer": 1.0, "graph": 1.0, "graph/recall": 1.0},
            outcome=outcome,
        )
        return Rollout(completion=a_completion(prompt, 0, "x"), reward=reward)

    view, presence = a_prompt(0, kind="view"), a_prompt(1)
    groups = [
        RolloutGroup(prompt=view, rollouts=(a_rollout(view, 1.0, 0.25), a_rollout(view, 0.0, None))),
        RolloutGroup(prompt=presence, rollouts=(a_rollout(presence, 1.0, 0.75),)),
    ]

    assert validation_metrics(groups) == {
        "val/reward_score": pytest.approx(2 / 3),
        "val/total_reward": pytest.approx((1.125 + 0.0 + 1.375) / 3),
        "val/answer_reward": pytest.approx(2 / 3),
        "val/graph_reward": 0.5,
        "val/graph/recall_reward": 0.5,
        "val/view/outcome": 0.5,
        "val/presence/outcome": 1.0,
    }


def written(*texts):
    """A group a text, whose question is the text."""
    groups = []
    for number, text in enumerate(texts):
        prompt = a_prompt(number)
        prompt = replace(prompt, sample=replace(prompt.sample, question=text))
        reward = RewardResult(parts={"a": 1.0}, weights={"a": 1.0}, factors={"a": 1.0}, outcome=0.5)
        groups.append(
            RolloutGroup(
                prompt=prompt,
                rollouts=tuple(
                    Rollout(completion=a_completion(prompt, i, f"{text}{i}"), reward=reward) for i in (0, 1)
                ),
            )
        )
    return groups


def test_row_74_generations_are_sorted_by_question_shuffled_with_seed_42_and_cut():
    outputs = [f"{question}{index}" for question in "abcd" for index in (0, 1)]
    np.random.RandomState(42).shuffle(outputs)

    picked = pick_generations(written("c", "a", "d", "b"), 3)

    assert [generation.output for generation in picked] == outputs[:3]
    assert picked[0] == Generation(
        input=outputs[0][0], output=outputs[0], label=a_prompt(0).sample.reference, score=0.5
    )
    assert len(pick_generations(written("c", "a"), 99)) == 4
    assert pick_generations(written("c"), 0) == ()


def test_row_74_generations_are_appended_to_a_file_and_none_is_logged_unless_asked_for(tmp_path):
    a_run(tmp_path / "silent", configured(val_freq=1), num_steps=1)
    assert not (tmp_path / "silent" / "generation_samples.txt").exists()

    a_run(tmp_path / "asked", configured(val_freq=1, val_generations_to_log=2), num_steps=2)
    headings = [
        line for line in (tmp_path / "asked" / "generation_samples.txt").read_text().splitlines() if line[:2] == "=="
    ]
    assert headings == [f"== step {step}, stage only, sample {number}, score 1" for step in (1, 2) for number in (1, 2)]


def test_row_74_the_file_is_cut_back_with_the_other_logs_whatever_its_texts_hold(tmp_path):
    file = tmp_path / "samples.txt"
    text = "== step 9, stage only\nline"
    for step in (1, 2, 12):
        append_generations(file, [Generation(input=text, output="", label="b", score=0.25)], step=step, stage="only")
    with file.open("a") as torn:
        torn.write("== step 1")

    cut_generations_after(file, 2)

    block = (
        "== step {}, stage only, sample 1, score 0.25\n  input\n    == step 9, stage only\n    line\n"
        "  output\n    \n  label\n    b\n\n"
    )
    assert file.read_text() == block.format(1) + block.format(2)
    cut_generations_after(file, -1)
    assert file.read_text() == ""
    cut_generations_after(tmp_path / "none.txt", 2)


def test_row_74_the_path_of_the_file_can_be_chosen(tmp_path):
    run = Run(tmp_path / "run", parts={}, generations_file=str(tmp_path / "elsewhere" / "samples.txt"))
    run.restore()
    run.show(1, [Generation(input="a", output="b", label="c", score=1.0)], stage="only")
    assert (tmp_path / "elsewhere" / "samples.txt").read_text().startswith("== step 1, ")


def test_a_metrics_file_says_which_stage_a_validation_was_of(tmp_path):
    a_run(tmp_path, configured(val_freq=1), num_steps=1)
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["stage"]) == (1, "only")
