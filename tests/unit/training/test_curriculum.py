import pytest
from builders import a_prompt

from radrl.config.schema import AdvanceConfig, GateConfig, RewardConfig
from radrl.curriculum import Curriculum, Stage, budget_in_steps
from radrl.data.stream import PromptStream
from radrl.rewards.rubric import Rubric


def a_stage(name, num_steps, *, advance=None):
    rewards = [RewardConfig(name="format", gate="ema"), RewardConfig(name="answer_f1", outcome=True)]
    return Stage(
        name=name,
        prompts=PromptStream([a_prompt(number) for number in range(5)], seed=1, shuffle=True),
        rubric=Rubric(rewards, GateConfig(), max_tokens=64),
        max_response_length=8,
        num_steps=num_steps,
        advance=advance,
    )


def names(curriculum, *, after=0, outcome=None):
    seen = []
    for step, stage in curriculum.steps(after=after):
        seen.append((step, stage.name))
        if outcome is not None:
            curriculum.observe(outcome)
    return seen


def test_stages_follow_each_other_and_steps_are_numbered_through():
    curriculum = Curriculum(stages=[a_stage("closed", 2), a_stage("open", 1)])

    assert curriculum.total_steps == 3
    assert names(curriculum) == [(1, "closed"), (2, "closed"), (3, "open")]


def test_a_stage_ends_early_when_its_outcome_is_good_enough_over_the_window():
    rule = AdvanceConfig(outcome_at_least=0.8, window=2)
    curriculum = Curriculum(stages=[a_stage("closed", 10, advance=rule), a_stage("open", 1)])

    assert names(curriculum, outcome=0.9) == [(1, "closed"), (2, "closed"), (3, "open")]
    assert len(names(Curriculum(stages=[a_stage("closed", 10, advance=rule)]), outcome=0.7)) == 10


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
    assert budget_in_steps(epochs=2, steps=None, num_prompts=100, prompts_a_step=16) == 12
    assert budget_in_steps(epochs=0.01, steps=None, num_prompts=100, prompts_a_step=16) == 1
    assert budget_in_steps(epochs=None, steps=7, num_prompts=100, prompts_a_step=16) == 7
