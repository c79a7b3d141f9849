"""Row 26: a stage may train on the prompts that the policy entering it neither always nor never answers right."""

import json

import pytest
from builders import a_completion, a_prompt

from radrl.checkpoints import saved_steps
from radrl.config.schema import AdvanceConfig, Config, GateConfig, PassRateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage, Validation
from radrl.data.stream import PromptStream
from radrl.difficulty import describe_rates
from radrl.errors import NoSignal
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train

YES = "<think>fluid</think><answer>left pleural effusion ✅</answer><think>s</think><answer>yes</answer>"
NO = "<think>clear</think><answer>left pleural effusion ❌</answer><think>s</think><answer>no</answer>"
REWARDS = (RewardConfig(name="format", weight=0.1), RewardConfig(name="answer_exact", weight=0.9, outcome=True))
BAND = PassRateConfig(low=0.25, high=0.75, n=4)


class SkilledSampler:
    """Answers question number k right k times in four."""

    def __init__(self):
        self.calls = []

    def generate(self, prompts, sampling):
        self.calls.append(([prompt.sample.id for prompt in prompts], sampling))
        for prompt in prompts:
            skill = int(prompt.sample.id[1:])
            yield tuple(a_completion(prompt, i, YES if i % 4 < skill else NO) for i in range(sampling.n))

    def publish(self, version):
        self.version = version


class CountingActor:
    def __init__(self):
        self.num_updates = 0

    def update(self, batch):
        self.num_updates += 1
        return {}

    def save(self, folder):
        (folder / "n.txt").write_text(str(self.num_updates))

    def load(self, folder):
        self.num_updates = int((folder / "n.txt").read_text())


CONFIG = Config.model_validate(
    {
        "data": {"rollout_batch_size": 2, "max_response_length": 8},
        "worker": {"rollout": {"n": 2, "temperature": 0.9}},
        "trainer": {"val_freq": 1, "seed": 5},
    }
)


def a_stage(name="only", *, pass_rate=BAND, steps=2, epochs=None, validation=None, advance=None):
    return Stage(
        name=name,
        prompts=PromptStream([a_prompt(number) for number in range(5)], seed=1, shuffle=True),
        rubric=Rubric(REWARDS, GateConfig(), max_tokens=8),
        max_response_length=8,
        budget=Budget(steps=steps, epochs=epochs, prompts_a_step=2),
        pass_rate=pass_rate,
        validation=validation,
        advance=advance,
    )


def run_loop(folder, sampler, *stages, progress=None):
    curriculum, actor = Curriculum(stages=list(stages)), CountingActor()
    run = Run(folder, parts={"actor": actor, "curriculum": curriculum}, save_freq=1, progress=progress)
    train(CONFIG, Roles(actor=actor, sampler=sampler), curriculum, run)
    return run


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_stage_trains_on_the_prompts_within_its_band_and_nothing_else(tmp_path):
    run_loop(tmp_path, SkilledSampler(), a_stage())

    assert {record["id"] for record in lines(tmp_path / "completions.jsonl")} <= {"q1", "q2", "q3"}


def test_every_prompt_is_answered_so_many_times_as_in_training_with_a_seed_of_its_own(tmp_path):
    sampler = SkilledSampler()
    run_loop(tmp_path, sampler, a_stage(steps=1))

    (asked, sampling), (_, training) = sampler.calls[:2]
    assert asked == ["q0", "q1", "q2", "q3", "q4"]
    assert (sampling.n, sampling.temperature, sampling.max_tokens) == (4, 0.9, 8)
    assert sampling.seed != training.seed


def test_the_rates_are_written_down_and_counted_in_the_metrics_of_the_first_step(tmp_path):
    run_loop(tmp_path, SkilledSampler(), a_stage())

    rates = lines(tmp_path / "pass_rates" / "only.jsonl")
    assert rates == [{"id": f"q{number}", "rate": number / 4} for number in range(5)]
    first, second = lines(tmp_path / "metrics.jsonl")
    assert first["pass_rate/mean"] == 0.5
    assert (first["pass_rate/num_kept"], first["pass_rate/num_too_hard"], first["pass_rate/num_too_easy"]) == (3, 1, 1)
    assert first["timing_s/pass_rate"] >= 0
    assert not any(name.startswith("pass_rate") for name in second)


def test_a_prompt_at_a_bound_is_within_the_band():
    band = PassRateConfig(low=0.1, high=0.7, n=10)
    counts = describe_rates(a_stage(pass_rate=band), {"a": 0.1, "b": 0.7, "c": 0.0, "d": 0.8, "e": 0.9})
    assert (counts["pass_rate/num_kept"], counts["pass_rate/num_too_hard"], counts["pass_rate/num_too_easy"]) == (
        *(2, 1, 2),
    )


def test_every_stage_is_measured_when_it_begins_and_epochs_count_what_is_left(tmp_path):
    sampler = SkilledSampler()
    hard = PassRateConfig(low=0.0, high=0.5, n=2)
    run_loop(tmp_path, sampler, a_stage("a", steps=None, epochs=2), a_stage("b", steps=1, pass_rate=hard))

    assert [record["stage"] for record in lines(tmp_path / "metrics.jsonl")] == ["a", "a", "a", "b"]
    assert [len(asked) for asked, _ in sampler.calls] == [5, 2, 2, 2, 5, 2]
    # Of two answers each q0 and q1 get 0 and 1 right, the others both.
    assert [row["rate"] for row in lines(tmp_path / "pass_rates" / "b.jsonl")] == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_nothing_within_the_band_is_no_signal_with_the_counts_and_a_checkpoint(tmp_path):
    narrow = PassRateConfig(low=0.3, high=0.4, n=4)
    with pytest.raises(NoSignal, match=r"none of its 5 prompts .* 2 are harder and 3 easier .*only\.jsonl\)\. Widen"):
        run_loop(tmp_path, SkilledSampler(), a_stage(pass_rate=narrow))

    assert saved_steps(tmp_path / "checkpoints") == [0]
    assert len(lines(tmp_path / "pass_rates" / "only.jsonl")) == 5


class Killed(SkilledSampler):
    """Dies when it is called for the time given."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def generate(self, prompts, sampling):
        if len(self.calls) + 1 == self.call:
            raise KeyboardInterrupt
        yield from super().generate(prompts, sampling)


@pytest.mark.parametrize(("killed_at", "measures_again"), [(2, True), (3, False), (4, False)])
def test_a_resumed_stage_draws_what_an_undisturbed_one_draws_and_measures_only_what_was_lost(
    tmp_path, killed_at, measures_again
):
    whole, rest = SkilledSampler(), SkilledSampler()
    run_loop(tmp_path / "whole", whole, a_stage(steps=4))
    with pytest.raises(KeyboardInterrupt):
        run_loop(tmp_path / "cut", Killed(killed_at), a_stage(steps=4))
    run_loop(tmp_path / "cut", rest, a_stage(steps=4))

    resumed_at = 0 if measures_again else killed_at - 1
    assert rest.calls == whole.calls[resumed_at:]
    assert lines(tmp_path / "cut" / "completions.jsonl") == lines(tmp_path / "whole" / "completions.jsonl")


def test_validations_advance_the_stage_and_each_stage_is_validated_on_its_own_prompts(tmp_path):
    easy, hard = (Validation(prompts=[a_prompt(number)], n=1, temperature=0.0, scale=str(number)) for number in (4, 0))
    rule = AdvanceConfig(outcome_at_least=1.0, validations=2)
    run = run_loop(
        tmp_path,
        SkilledSampler(),
        a_stage("easy", pass_rate=None, steps=9, validation=easy, advance=rule),
        a_stage("hard", pass_rate=None, steps=3, validation=hard, advance=rule),
    )

    validations = [record for record in lines(tmp_path / "metrics.jsonl") if "val/reward_score" in record]
    assert [(record["stage"], record["val/reward_score"]) for record in validations] == [
        *[("easy", 1.0)] * 2,
        *[("hard", 0.0)] * 3,
    ]
    # The best of the easy stage says nothing about the hard one, whose questions are others.
    tracker = json.loads((run.checkpoints.folder / "checkpoint_tracker.json").read_text())
    assert (tracker["best_global_step"], tracker["best_val_reward_score"]) == (3, 0.0)
    assert set(tracker) == {"best_global_step", "best_val_reward_score", "last_global_step", "last_actor_path"}


def test_the_measurement_shows_its_progress(tmp_path):
    class Bar:
        def __init__(self):
            self.seen = []

        def update(self, step, metrics):
            self.seen.append(step)

        def phase(self, title, *, total):
            self.seen.append((title, total))
            return self

        def __enter__(self):
            return lambda: self.seen.append("prompt")

        def __exit__(self, *error):
            self.seen.append("done")

    bar = Bar()
    run_loop(tmp_path, SkilledSampler(), a_stage(steps=1), progress=bar)
    assert bar.seen == [("pass rates of only", 5), *["prompt"] * 5, "done", 1]
