import pytest
from builders import a_prompt

from radrl.config.schema import AdvanceConfig, GateConfig, PassRateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage, is_reached
from radrl.data.stream import PromptStream
from radrl.rewards.rubric import Rubric


def a_stage(name, num_steps=None, *, advance=None, pass_rate=None, epochs=None):
    rewards = [RewardConfig(name="format", gate="ema"), RewardConfig(name="answer_f1", outcome=True)]
    return Stage(
        name=name,
        prompts=PromptStream([a_prompt(number) for number in range(5)], seed=1, shuffle=True),
        rubric=Rubric(rewards, GateConfig(), max_tokens=64),
        max_response_length=8,
        budget=Budget(steps=num_steps, epochs=epochs),
        advance=advance,
        pass_rate=pass_rate,
    )


def names(curriculum, *, after=0, validations=()):
    """Stage of every step; the validations come after the first steps, one a step."""
    seen = []
    for step, stage in curriculum.steps(after=after):
        seen.append((step, stage.name))
        if len(seen) <= len(validations):
            curriculum.observe({"val/reward_score": validations[len(seen) - 1]})
    return seen


def test_stages_follow_each_other_and_steps_are_numbered_through():
    curriculum = Curriculum(stages=[a_stage("closed", 2), a_stage("open", 1)])

    assert curriculum.total_steps == 3
    assert names(curriculum) == [(1, "closed"), (2, "closed"), (3, "open")]


@pytest.mark.parametrize(
    ("outcomes", "reached"),
    [([0.9], False), ([0.8, 0.8], True), ([0.9, 0.7], False), ([0.7, 0.9], False), ([0.1, 0.8, 0.9], True)],
)
def test_row_26_a_bound_is_reached_by_so_many_validations_in_a_row(outcomes, reached):
    assert is_reached(AdvanceConfig(outcome_at_least=0.8, validations=2), outcomes) is reached


@pytest.mark.parametrize(
    ("outcomes", "reached"),
    [
        ([0.5, 0.5], False),  # nothing before the last two to gain on
        ([0.5, 0.51, 0.52], True),
        ([0.5, 0.52, 0.5], True),  # a gain of 0.02 is not over 0.02
        ([0.5, 0.53, 0.5], False),
        ([0.5, 0.6, 0.4, 0.45], True),
        ([0.5, 0.6, 0.4, 0.63], False),
    ],
)
def test_row_26_a_plateau_is_so_many_validations_without_a_gain_on_the_best_before(outcomes, reached):
    assert is_reached(AdvanceConfig(plateau=0.02, validations=2), outcomes) is reached


def test_a_stage_ends_early_when_its_rule_is_reached_and_the_next_starts_counting_anew():
    rule = AdvanceConfig(outcome_at_least=0.8, validations=2)
    stages = [a_stage("closed", 10, advance=rule), a_stage("open", 10, advance=rule)]

    seen = names(Curriculum(stages=stages), validations=[0.7, 0.9, 0.9, 0.9, 0.1, 0.9, 0.9])

    assert seen == [*((step, "closed") for step in (1, 2, 3)), *((step, "open") for step in (4, 5, 6, 7))]


def test_the_budget_ends_a_stage_whose_rule_is_never_reached():
    rule = AdvanceConfig(plateau=0.0, validations=1)
    assert len(names(Curriculum(stages=[a_stage("a", 4, advance=rule)]), validations=[0.1, 0.2, 0.3, 0.4])) == 4


def test_the_step_after_which_a_rule_ends_the_last_stage_is_the_last():
    curriculum = Curriculum(stages=[a_stage("a", 9, advance=AdvanceConfig(outcome_at_least=0.5, validations=1))])
    next(curriculum.steps(after=0))
    assert not curriculum.is_finished
    curriculum.observe({"val/reward_score": 0.5})
    assert curriculum.is_finished


def test_validations_so_far_are_restored(tmp_path):
    rule = AdvanceConfig(plateau=0.0, validations=2)
    whole, cut = (Curriculum(stages=[a_stage("a", 9, advance=rule), a_stage("b", 1)]) for _ in range(2))
    for _step, _stage in zip(range(2), whole.steps(after=0), strict=False):
        whole.observe({"val/reward_score": 0.5})
    whole.save(tmp_path)
    cut.load(tmp_path)
    assert names(cut, after=2, validations=[0.4]) == [(3, "a"), (4, "b")]


BAND = PassRateConfig(low=0.25, high=0.75, n=4)
RATES = {"q0": 0.0, "q1": 0.25, "q2": 0.5, "q3": 0.75, "q4": 1.0}


def test_a_stage_is_narrowed_to_its_band_bounds_included_and_only_once():
    curriculum = Curriculum(stages=[a_stage("a", epochs=2, pass_rate=BAND)])
    assert curriculum.awaits_pass_rates
    assert curriculum.total_steps == 10
    curriculum.narrow(RATES)
    assert not curriculum.awaits_pass_rates
    assert {prompt.sample.id for prompt in curriculum.stage.prompts.take(9)} == {"q1", "q2", "q3"}
    assert curriculum.total_steps == 6


def test_a_restored_curriculum_draws_from_the_band_that_was_measured_and_does_not_ask_again(tmp_path):
    first, second = (Curriculum(stages=[a_stage("a", 9, pass_rate=BAND), a_stage("b", 1)]) for _ in range(2))
    first.narrow(RATES)
    first.stage.prompts.take(4)
    first.save(tmp_path)
    second.load(tmp_path)
    assert not second.awaits_pass_rates
    assert second.stage.prompts.take(5) == first.stage.prompts.take(5)


def test_the_last_step_is_known_while_it_runs():
    curriculum = Curriculum(stages=[a_stage("closed", 1), a_stage("open", 2)])

    assert [curriculum.is_finished for _ in curriculum.steps(after=0)] == [False, False, True]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_restored_curriculum_goes_on_with_the_same_stages_prompts_and_gate(tmp_path, cut):
    def walk(curriculum, *, after, until=99):
        seen = []
        for step, stage in curriculum.steps(after=after):
            seen.append((step, stage.name, [prompt.sample.id for prompt in stage.prompts.take(2)]))
            stage.rubric.gate.observe(step / 10)
            if step == until:
                break
        return seen

    def fresh():
        return Curriculum(stages=[a_stage("closed", 2), a_stage("open", 2)])

    whole = walk(fresh(), after=0)
    first = fresh()
    begun = walk(first, after=0, until=cut)
    first.save(tmp_path)
    second = fresh()
    second.load(tmp_path)

    assert begun + walk(second, after=cut) == whole
    assert second.stages[0].rubric.state_dict() == {**second.stages[0].rubric.state_dict()}
    assert (tmp_path / "curriculum.json").exists()


def test_a_budget_in_epochs_counts_whole_batches():
    assert Budget(epochs=2, prompts_a_step=16).in_steps(100) == 12
    assert Budget(epochs=0.01, prompts_a_step=16).in_steps(100) == 1
    assert Budget(steps=7, prompts_a_step=16).in_steps(100) == 7
