"""Row 62: generation one step ahead, with weights one step older."""

import hashlib
import json
from dataclasses import replace
from threading import Event

import pytest
from builders import a_completion, a_prompt

from radrl.checkpoints import saved_steps
from radrl.config.schema import AdvanceConfig, Config, GateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage, Validation
from radrl.data.stream import PromptStream
from radrl.errors import NoSignal
from radrl.lookahead import Lookahead
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train

YES = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>s</think><answer>yes</answer>"
NO = "<think>clear</think><answer>left pleural effusion ❌</answer><think>s</think><answer>no</answer>"
LONG_S = 20.0
"""Longer than anything here takes; only a test that fails waits for it."""


class Policy:
    """A sampler and an actor of one policy, whose texts follow from its version, the seed and the prompt."""

    def __init__(self, *, depends_on_version=True):
        self.events = []
        self.version = 0
        self.depends_on_version = depends_on_version
        self.num_updates = 0
        self.dies_at_update = None

    def generate(self, prompts, sampling):
        self.events.append(f"write v{self.version}")
        for prompt in prompts:
            yield tuple(self._completion(prompt, index, sampling) for index in range(sampling.n))

    def _completion(self, prompt, index, sampling):
        version = self.version if self.depends_on_version else 0
        source = f"{version} {sampling.seed} {prompt.sample.id} {index}".encode()
        is_right = hashlib.sha256(source).digest()[0] % 2 == 0
        made = a_completion(prompt, index, YES if is_right else NO, version=self.version)
        return replace(made, temperature=sampling.temperature)

    def publish(self, version):
        self.events.append(f"publish v{version}")
        self.version = version

    def update(self, batch):
        self.num_updates += 1
        if self.num_updates == self.dies_at_update:
            raise KeyboardInterrupt
        self.events.append(f"update {self.num_updates}")
        return {"actor/pg_loss": float(batch.rewards.sum())}

    def save(self, folder):
        (folder / "n.txt").write_text(str(self.num_updates))

    def load(self, folder):
        self.num_updates = int((folder / "n.txt").read_text())


def a_config(*, one_step_off=True, val_freq=-1, **algorithm):
    return Config.model_validate(
        {
            "data": {"rollout_batch_size": 2, "max_response_length": 8},
            "algorithm": algorithm,
            "worker": {"rollout": {"n": 2}},
            "trainer": {"max_try_make_batch": 8, "val_freq": val_freq, "one_step_off": one_step_off},
        }
    )


def a_stage(name="only", *, num_steps=3, first=0, **more):
    rewards = [
        RewardConfig(name="format", weight=0.1, gate=("ema",)),
        RewardConfig(name="answer_exact", weight=0.9, outcome=True),
    ]
    return Stage(
        name=name,
        prompts=PromptStream([a_prompt(first + number) for number in range(7)], seed=1, shuffle=True),
        rubric=Rubric(rewards, GateConfig(), max_tokens=64),
        max_response_length=8,
        budget=Budget(steps=num_steps),
        **more,
    )


def run_loop(folder, policy, config, *stages, save_freq=-1, apart=False):
    curriculum = Curriculum(stages=list(stages))
    run = Run(folder, parts={"actor": policy, "curriculum": curriculum}, save_freq=save_freq)
    train(config, Roles(actor=policy, sampler=policy, samples_apart=apart), curriculum, run)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def comparable(metrics):
    return [
        {name: value for name, value in line.items() if not name.startswith(("timing", "perf/"))} for line in metrics
    ]


def test_row_62_the_next_step_is_written_before_the_update_by_weights_one_step_older(tmp_path):
    policy = Policy()

    run_loop(tmp_path, policy, a_config(), a_stage(num_steps=4))

    assert policy.events == [
        "publish v0",
        *("write v0", "write v0", "update 1", "publish v1"),
        *("write v1", "update 2", "publish v2"),
        *("write v2", "update 3", "publish v3"),
        *("update 4", "publish v4"),
    ]
    assert [line["sample/staleness"] for line in lines(tmp_path / "metrics.jsonl")] == [0.0, 1.0, 1.0, 1.0]
    versions = [(line["step"], line["policy_version"]) for line in lines(tmp_path / "completions.jsonl")]
    assert sorted(set(versions)) == [(1, 0), (2, 0), (3, 1), (4, 2)]


def test_without_it_every_step_is_written_by_the_weights_that_learn_from_it(tmp_path):
    policy = Policy()

    run_loop(tmp_path, policy, a_config(one_step_off=False), a_stage(num_steps=2))

    assert policy.events == [
        "publish v0",
        *("write v0", "update 1", "publish v1"),
        *("write v1", "update 2", "publish v2"),
    ]
    assert [line["sample/staleness"] for line in lines(tmp_path / "metrics.jsonl")] == [0.0, 0.0]


class ApartPolicy(Policy):
    """Writes what is sampled ahead only while the actor updates, and ends it only after the update has ended."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = [Event() for _ in range(4)], [Event() for _ in range(4)]
        self.is_writing = False

    def generate(self, prompts, sampling):
        number = sum(event.startswith("write") for event in self.events)
        self.is_writing = True
        for group in super().generate(prompts, sampling):
            if number:
                assert self.begun[number].wait(LONG_S), "the update waited for what is written ahead"
                assert self.ended[number].wait(LONG_S)
            yield group
        self.is_writing = False

    def update(self, batch):
        self.begun[self.num_updates + 1].set()
        metrics = super().update(batch)
        self.ended[self.num_updates].set()
        return metrics

    def publish(self, version):
        assert not self.is_writing, "weights were replaced under what is being written"
        super().publish(version)


def test_row_62_a_sampler_apart_writes_while_the_actor_learns_and_weights_wait_until_it_is_done(tmp_path):
    run_loop(tmp_path / "apart", ApartPolicy(), a_config(), a_stage(), apart=True)
    run_loop(tmp_path / "together", Policy(), a_config(), a_stage())

    apart, together = (lines(tmp_path / name / "metrics.jsonl") for name in ("apart", "together"))
    assert comparable(apart) == comparable(together)
    assert lines(tmp_path / "apart" / "completions.jsonl") == lines(tmp_path / "together" / "completions.jsonl")


@pytest.mark.parametrize("algorithm", [{}, {"online_filtering": True}, {"adv_estimator": "remax"}])
def test_row_62_a_policy_that_does_not_change_learns_from_the_same_rollouts_as_without_it(tmp_path, algorithm):
    for name, one_step_off in (("ahead", True), ("with", False)):
        policy = Policy(depends_on_version=False)
        run_loop(tmp_path / name, policy, a_config(one_step_off=one_step_off, **algorithm), a_stage())

    for file in ("metrics.jsonl", "completions.jsonl"):
        ahead, without = (comparable(lines(tmp_path / name / file)) for name in ("ahead", "with"))
        for line in (*ahead, *without):
            line.pop("policy_version", None)
            line.pop("sample/staleness", None)
        assert ahead == without


@pytest.mark.parametrize("algorithm", [{}, {"online_filtering": True}, {"adv_estimator": "remax"}])
@pytest.mark.parametrize("dies_at_update", [2, 3, 4])
def test_row_62_a_killed_run_goes_on_with_what_had_been_written_ahead_by_weights_that_are_gone(
    tmp_path, algorithm, dies_at_update
):
    config = a_config(**algorithm)
    run_loop(tmp_path / "whole", Policy(), config, a_stage(num_steps=4))

    killed = Policy()
    killed.dies_at_update = dies_at_update
    with pytest.raises(KeyboardInterrupt):
        run_loop(tmp_path / "cut", killed, config, a_stage(num_steps=4), save_freq=1)
    run_loop(tmp_path / "cut", Policy(), config, a_stage(num_steps=4), save_freq=1)

    whole, cut = (lines(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut"))
    assert comparable(cut) == comparable(whole)
    assert lines(tmp_path / "cut" / "completions.jsonl") == lines(tmp_path / "whole" / "completions.jsonl")


def test_row_62_nothing_is_written_ahead_at_the_end_of_a_stage_so_the_next_one_starts_on_policy(tmp_path):
    policy = Policy()

    run_loop(tmp_path, policy, a_config(), a_stage("first", num_steps=2), a_stage("second", num_steps=2, first=10))

    steps = lines(tmp_path / "metrics.jsonl")
    assert [(line["stage"], line["sample/staleness"]) for line in steps] == [
        *(("first", 0.0), ("first", 1.0)),
        *(("second", 0.0), ("second", 1.0)),
    ]
    records = lines(tmp_path / "completions.jsonl")
    of_second = {record["id"] for record in records if record["stage"] == "second"}
    assert of_second <= {f"q{number}" for number in range(10, 17)}
    assert [line["data/epoch"] for line in steps] == pytest.approx([2 / 7, 4 / 7, 2 / 7, 4 / 7])


@pytest.mark.parametrize(("rule", "staleness"), [(None, [0.0, 1.0, 1.0]), ("advance", [0.0, 1.0, 0.0])])
def test_row_62_nothing_is_written_ahead_of_a_validation_that_may_end_the_stage(tmp_path, rule, staleness):
    validation = Validation(prompts=[a_prompt(5)], n=1, temperature=0.0)
    advance = AdvanceConfig(outcome_at_least=1.0, validations=2) if rule else None
    policy = Policy()

    run_loop(tmp_path, policy, a_config(val_freq=2), a_stage(validation=validation, advance=advance))

    steps = [line for line in lines(tmp_path / "metrics.jsonl") if "sample/staleness" in line]
    assert [line["sample/staleness"] for line in steps] == staleness


def test_row_62_a_validation_with_rollouts_in_flight_is_of_the_present_weights_and_leaves_them_alone(tmp_path):
    validation = Validation(prompts=[a_prompt(5)], n=1, temperature=0.0)
    watched, plain = Policy(), Policy()

    run_loop(tmp_path / "val", watched, a_config(val_freq=1), a_stage(validation=validation))
    run_loop(tmp_path / "none", plain, a_config(), a_stage())

    assert watched.events[:6] == ["publish v0", "write v0", "write v0", "update 1", "publish v1", "write v1"]
    assert lines(tmp_path / "val" / "completions.jsonl") == lines(tmp_path / "none" / "completions.jsonl")


class Solving(Policy):
    """Knows everything once it has taken a step."""

    def _completion(self, prompt, index, sampling):
        is_right = self.version > 0 or index == 0
        return a_completion(prompt, index, YES if is_right else NO, version=self.version)


def test_row_62_a_batch_without_signal_ends_the_run_in_its_own_step_and_the_steps_before_are_saved(tmp_path):
    with pytest.raises(NoSignal, match="step 3: none of 16 groups"):
        run_loop(tmp_path, Solving(), a_config(online_filtering=True), a_stage(num_steps=4))

    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")] == [1, 2]
    assert saved_steps(tmp_path / "checkpoints") == [2]


def test_row_62_nothing_is_written_ahead_or_saved_unless_it_is_asked_for(tmp_path):
    policy, stage = Policy(), a_stage()
    source = Lookahead(Config(), Roles(actor=policy, sampler=policy), Curriculum([stage]))
    source.begin(stage, step=1, is_validated=False)
    source.wait()
    source.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
