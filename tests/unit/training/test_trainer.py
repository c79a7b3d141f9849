import json
from dataclasses import replace

import pytest
from builders import a_completion, a_group, a_prompt

from radrl.algorithms.kl_control import KlController
from radrl.checkpoints import saved_steps
from radrl.collect import collect, has_signal
from radrl.config.schema import Config, GateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage, Validation
from radrl.data.stream import PromptStream
from radrl.errors import NoSignal
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train

YES = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>s</think><answer>yes</answer>"
NO = "<think>clear</think><answer>left pleural effusion ❌</answer><think>s</think><answer>no</answer>"
BROKEN = "yes"


class ScriptedSampler:
    """Writes the texts it is told to, the same for every prompt of a call."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.calls = []
        self.version = None

    def generate(self, prompts, sampling):
        texts = self.scripts[min(len(self.calls), len(self.scripts) - 1)]
        self.calls.append((len(prompts), sampling.seed))
        for prompt in prompts:
            yield tuple(
                a_completion(prompt, index, texts[index % len(texts)], version=self.version or 0)
                for index in range(sampling.n)
            )

    def publish(self, version):
        self.version = version


class RecordingActor:
    def __init__(self):
        self.batches = []

    def update(self, batch):
        self.batches.append(batch)
        return {"actor/pg_loss": 0.5}

    def save(self, folder):
        (folder / "n.txt").write_text(str(len(self.batches)))

    def load(self, folder):
        self.batches = [None] * int((folder / "n.txt").read_text())


def a_config(**algorithm):
    return Config.model_validate(
        {
            "data": {"rollout_batch_size": 2, "max_response_length": 8},
            "algorithm": algorithm,
            "worker": {"rollout": {"n": 2}},
            "rewards": [{"name": "format", "weight": 0.1}, {"name": "answer_exact", "weight": 0.9, "outcome": True}],
            "trainer": {"max_try_make_batch": 3, "val_freq": 1},
        }
    )


def a_stage(config, *, num_steps=2, gate="always"):
    rewards = [
        RewardConfig(name="format", weight=0.1, gate=gate),
        RewardConfig(name="answer_exact", weight=0.9, outcome=True),
    ]
    return Stage(
        name="only",
        prompts=PromptStream([a_prompt(number) for number in range(6)], seed=1, shuffle=False),
        rubric=Rubric(rewards, GateConfig(), max_tokens=64),
        max_response_length=8,
        budget=Budget(steps=num_steps),
    )


def run_loop(tmp_path, config, sampler, *, num_steps=2):
    actor = RecordingActor()
    curriculum = Curriculum(stages=[a_stage(config, num_steps=num_steps)])
    run = Run(tmp_path, parts={"actor": actor, "curriculum": curriculum})
    train(config, Roles(actor=actor, sampler=sampler), curriculum, run)
    return actor


def ids(collected):
    return [completions[0].prompt.sample.id for completions in collected.completions]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_step_samples_scores_credits_learns_publishes_and_writes_it_all_down(tmp_path):
    sampler = ScriptedSampler([YES, NO])
    actor = run_loop(tmp_path, a_config(), sampler)

    assert [batch.num_sequences for batch in actor.batches] == [4, 4]
    assert actor.batches[0].rewards.tolist() == pytest.approx([1.0, 0.1, 1.0, 0.1])
    assert sampler.version == 2
    steps = lines(tmp_path / "metrics.jsonl")
    assert [step["step"] for step in steps] == [1, 2]
    assert steps[0]["outcome/mean"] == 0.5
    assert steps[0]["actor/pg_loss"] == 0.5
    assert saved_steps(tmp_path / "checkpoints") == [2]


def test_row_78_one_record_a_completion_with_tokens_and_logprobs_aligned(tmp_path):
    run_loop(tmp_path, a_config(), ScriptedSampler([YES, NO]), num_steps=1)

    records = lines(tmp_path / "completions.jsonl")
    assert [(record["id"], record["index"]) for record in records] == [("q0", 0), ("q0", 1), ("q1", 0), ("q1", 1)]
    first = records[0]
    assert set(first) == {
        *("step", "stage", "id", "index", "kind", "patient_id", "prompt", "images", "answer", "completion"),
        *("completion_ids", "raw_completion_tokens", "per_token_logps", "stop", "policy_version", "temperature"),
        *("rewards", "outcome", "total", "advantage"),
        # What scoring it again takes beyond that.
        *("group", "max_tokens", "answer_kind", "answer_set", "options"),
    }
    assert len(first["completion_ids"]) == len(first["raw_completion_tokens"]) == len(first["per_token_logps"]) == 2
    assert "".join(first["raw_completion_tokens"]) == first["completion"] == YES
    assert first["rewards"] == {"format": 1.0, "answer_exact": 1.0}
    assert first["outcome"] == 1.0
    assert first["advantage"] == pytest.approx(0.707, abs=1e-3)
    assert records[1]["advantage"] == pytest.approx(-0.707, abs=1e-3)


def test_without_filtering_the_first_groups_are_the_batch():
    sampler = ScriptedSampler([NO, NO])

    collected = collect(a_stage(a_config()), sampler, a_config(), step=1)

    assert len(collected.written) == 2
    assert len(sampler.calls) == 1


def test_filtering_replaces_groups_without_signal_by_fresh_prompts_with_another_seed():
    config = a_config(online_filtering=True)
    sampler = ScriptedSampler([NO, NO], [YES, NO])

    collected = collect(a_stage(config), sampler, config, step=1)

    assert ids(collected) == ["q2", "q3"]
    assert (collected.num_sampled, collected.num_rounds) == (4, 2)
    assert sampler.calls[0][1] != sampler.calls[1][1]


def test_the_filter_looks_at_the_outcome_so_wrong_answers_that_differ_in_format_are_dropped():
    config = a_config(online_filtering=True)

    with pytest.raises(NoSignal, match=r"none of 6 groups .* in 3 rounds"):
        collect(a_stage(config), ScriptedSampler([NO, BROKEN]), config, step=1)


@pytest.mark.parametrize(("share_right", "is_kept"), [(1, False), (2, True), (15, True), (16, False)])
def test_row_43_a_group_is_kept_when_its_mean_outcome_is_strictly_within_the_band(share_right, is_kept):
    config = a_config(online_filtering=True, filter_low=1 / 16, filter_high=1.0)

    assert has_signal(a_group(0, [1.0] * share_right + [0.0] * (16 - share_right)), config) is is_kept


@pytest.mark.parametrize(("spread", "is_kept"), [(0.08, False), (0.09, True)])
def test_row_42_a_group_is_kept_when_its_outcomes_spread_is_over_the_threshold(spread, is_kept):
    # two outcomes a distance apart have the unbiased deviation distance / sqrt(2): 0.0566 and 0.0636
    config = a_config(online_filtering=True, filter_min_std=0.06)

    assert has_signal(a_group(0, [0.5, 0.5 + spread]), config) is is_kept


def test_row_43_a_batch_that_stays_short_after_its_tries_is_trained_on_as_it_is_with_a_warning(caplog):
    config = a_config(online_filtering=True)
    sampler = PerPromptSampler({"q1": [YES, NO]}, otherwise=[NO, NO])

    collected = collect(a_stage(config), sampler, config, step=1)

    assert ids(collected) == ["q1"]
    assert (collected.num_sampled, collected.num_rounds) == (4, 3)
    assert "trains on 1 of 2 groups" in caplog.text


def test_row_42_a_batch_that_stays_short_falls_back_to_its_first_groups_with_a_warning(caplog):
    config = a_config(online_filtering=True, filter_when_short="original")
    sampler = PerPromptSampler({"q2": [YES, NO]}, otherwise=[NO, NO])

    collected = collect(a_stage(config), sampler, config, step=1)

    assert ids(collected) == ["q0", "q1"]
    assert collected.num_rounds == 3
    assert "trains on its first 2 groups as they are: only 1 of 5" in caplog.text


def test_row_43_a_batch_that_stays_short_stops_the_run_where_that_is_asked_for():
    config = a_config(online_filtering=True, filter_when_short="error")
    sampler = PerPromptSampler({"q1": [YES, NO]}, otherwise=[NO, NO])

    with pytest.raises(NoSignal, match=r"only 1 of 4 groups .* in 3 rounds"):
        collect(a_stage(config), sampler, config, step=1)


def test_row_36_remax_samples_one_greedy_completion_a_prompt_and_takes_its_reward_off(tmp_path):
    sampler = GreedySampler([YES, NO], greedy=[YES])

    actor = run_loop(tmp_path, a_config(adv_estimator="remax"), sampler, num_steps=1)

    (batch,) = actor.batches
    assert sampler.greedy_calls == [(2, 1, 8)]
    assert batch.rewards.tolist() == pytest.approx([1.0, 0.1, 1.0, 0.1])
    assert batch.advantages.tolist() == pytest.approx([0.0, 0.0, -0.9, -0.9] * 2)
    assert lines(tmp_path / "metrics.jsonl")[0]["critic/baseline/mean"] == 1.0


def test_row_36_a_greedy_completion_leaves_the_gate_as_the_steps_rollouts_set_it():
    config = a_config(adv_estimator="remax")
    stage = a_stage(config, gate="ema")

    settled = collect(stage, GreedySampler([YES, NO], greedy=[YES]), config, step=1).settle(stage.rubric)

    assert stage.rubric.gate.average == 0.5
    assert settled.baselines.tolist() == pytest.approx([1.0, 1.0])


def test_row_37_the_loop_takes_the_kl_off_rewards_at_the_present_coefficient_and_then_steers_it(tmp_path):
    config = a_config(
        kl_coef=1.0, use_kl_loss=False, kl_penalty="kl", kl_type="adaptive", kl_target=0.1, kl_horizon=8.0,
        scale_advantages=False,
    )  # fmt: skip
    actor, kl, curriculum = RecordingActor(), KlController(config.algorithm), Curriculum(stages=[a_stage(config)])
    parts = {"actor": actor, "curriculum": curriculum, "kl": kl}
    roles = Roles(actor=actor, sampler=ScriptedSampler([YES, NO]), reference=HalfANatBelow(), kl=kl)

    train(config, roles, curriculum, Run(tmp_path, parts=parts))

    # Every completion has two tokens, each half a nat above the reference: 1 nat off a sequence's reward, in all alike.
    assert actor.batches[0].advantages.tolist() == pytest.approx([0.45, 0.45, -0.45, -0.45] * 2)
    steps = lines(tmp_path / "metrics.jsonl")
    assert [step["kl/mean"] for step in steps] == pytest.approx([0.5, 0.5])
    assert [step["kl/coef"] for step in steps] == pytest.approx([1.0, 1.1])
    again = KlController(config.algorithm)
    again.load(tmp_path / "checkpoints" / "global_step_2" / "kl")
    assert again.coef == kl.coef == pytest.approx(1.21)


class HalfANatBelow:
    """A reference under which every token is half a nat less likely."""

    def logprobs(self, batch):
        return batch.sampled_logprobs - 0.5


class PerPromptSampler(ScriptedSampler):
    """Writes each prompt's own texts."""

    def __init__(self, texts, *, otherwise):
        super().__init__(otherwise)
        self.texts = texts

    def generate(self, prompts, sampling):
        for prompt in prompts:
            texts = self.texts.get(prompt.sample.id, self.scripts[0])
            yield tuple(a_completion(prompt, index, texts[index]) for index in range(sampling.n))


class GreedySampler(ScriptedSampler):
    """Writes other texts where it is asked for the likeliest ones."""

    def __init__(self, *scripts, greedy):
        super().__init__(*scripts)
        self.greedy = greedy
        self.greedy_calls = []

    def generate(self, prompts, sampling):
        if sampling.temperature > 0:
            yield from super().generate(prompts, sampling)
            return
        self.greedy_calls.append((len(prompts), sampling.n, sampling.max_tokens))
        for prompt in prompts:
            yield (replace(a_completion(prompt, 0, self.greedy[0]), temperature=0.0),)


def test_zero_variance_everywhere_saves_and_says_that_nothing_is_left_to_learn(tmp_path):
    with pytest.raises(NoSignal, match="the task is solved, out of reach"):
        run_loop(tmp_path, a_config(online_filtering=True), ScriptedSampler([YES, YES]))

    assert saved_steps(tmp_path / "checkpoints") == [0]
    assert not (tmp_path / "metrics.jsonl").exists()


def test_zero_variance_without_filtering_is_counted_and_gives_no_advantage(tmp_path):
    actor = run_loop(tmp_path, a_config(), ScriptedSampler([YES, YES]), num_steps=1)

    assert actor.batches[0].advantages.abs().max() == 0.0
    assert lines(tmp_path / "metrics.jsonl")[0]["sample/zero_advantage_frac"] == 1.0


def test_validation_is_logged_by_kind_and_leaves_the_gate_alone(tmp_path):
    prompts = [a_prompt(0), a_prompt(1, kind="view", answer="no")]
    config = a_config()
    actor = RecordingActor()
    stage = replace(
        a_stage(config, num_steps=1, gate="ema"), validation=Validation(prompts=prompts, n=1, temperature=0.0)
    )
    curriculum = Curriculum(stages=[stage])
    run = Run(tmp_path, parts={"actor": actor, "curriculum": curriculum})

    train(config, Roles(actor=actor, sampler=ScriptedSampler([YES, NO], [YES])), curriculum, run)

    validation = lines(tmp_path / "metrics.jsonl")[-1]
    assert validation["val/reward_score"] == 0.5
    assert validation["val/presence/outcome"] == 1.0
    assert validation["val/view/outcome"] == 0.0
    assert stage.rubric.gate.average == 0.5  # the training batch's own mean outcome


def test_a_resumed_loop_samples_with_the_seeds_an_uninterrupted_one_uses(tmp_path):
    whole = ScriptedSampler([YES, NO])
    run_loop(tmp_path / "whole", a_config(), whole, num_steps=3)
    first, second = ScriptedSampler([YES, NO]), ScriptedSampler([YES, NO])
    config = a_config()

    for sampler, stop_after in ((first, 2), (second, 99)):
        actor, curriculum = RecordingActor(), Curriculum(stages=[a_stage(config, num_steps=3)])
        run = Run(tmp_path / "cut", parts={"actor": actor, "curriculum": curriculum}, save_freq=1)
        run.stop_signal = None
        try:
            train(config, Roles(actor=actor, sampler=StopAfter(sampler, run, stop_after)), curriculum, run)
        except KeyboardInterrupt:
            continue

    assert first.calls[:2] + second.calls == whole.calls
    assert [line["step"] for line in lines(tmp_path / "cut" / "metrics.jsonl")] == [1, 2, 3]


class StopAfter:
    """Is killed when a step after `last` begins to sample."""

    def __init__(self, sampler, run, last):
        self.sampler, self.run, self.last = sampler, run, last

    def generate(self, prompts, sampling):
        if (self.sampler.version or 0) >= self.last:
            raise KeyboardInterrupt
        yield from self.sampler.generate(prompts, sampling)

    def publish(self, version):
        self.sampler.publish(version)


def test_a_prompt_drawn_twice_in_a_step_goes_on_counting_its_completions(tmp_path):
    config = a_config()
    stage = replace(a_stage(config, num_steps=1), prompts=PromptStream([a_prompt(0)], seed=1, shuffle=False))
    actor = RecordingActor()
    curriculum = Curriculum(stages=[stage])
    run = Run(tmp_path, parts={"actor": actor, "curriculum": curriculum})

    train(config, Roles(actor=actor, sampler=ScriptedSampler([YES, NO])), curriculum, run)

    records = lines(tmp_path / "completions.jsonl")
    assert [(record["id"], record["index"]) for record in records] == [("q0", 0), ("q0", 1), ("q0", 2), ("q0", 3)]
    assert [record["outcome"] for record in records] == [1.0, 0.0, 1.0, 0.0]
