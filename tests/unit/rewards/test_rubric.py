import json
import logging

import pytest
from reward_builders import NAMED, NORMAL, OPEN, PRESENCE, completions, rubric, trace

from radrl.config.schema import GateConfig, RewardConfig
from radrl.errors import ConfigError
from radrl.rewards import api
from radrl.rewards.api import Attempt, reward
from radrl.rewards.rubric import Rubric, reward_metrics

RIGHT = PRESENCE.reference
WRONG = trace(("fluid", "left pleural effusion ✅"), ("summary", "yes"))
LUCKY = trace(("fluid", "left pleural effusion ✅"), ("summary", "no"))


def one(rubric, group):
    """A single group, scored."""
    return rubric.score([group])[0]


@pytest.fixture
def broken_reward(monkeypatch):
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))

    @reward("broken")
    def broken(attempt: Attempt) -> float:
        if attempt.text == WRONG:
            raise KeyError("secret report text")
        return 1.0

    @reward("too_much")
    def too_much(attempt: Attempt) -> float:
        return 2.0


def test_the_total_is_the_weighted_sum_of_the_parts():
    made = rubric(
        RewardConfig(name="format", weight=0.1),
        RewardConfig(name="answer_f1", weight=0.9, outcome=True),
        RewardConfig(name="step_correctness", weight=0.5),
    )
    group = one(made, completions(PRESENCE, RIGHT, WRONG, LUCKY, "plain"))
    assert [rollout.reward.total for rollout in group.rollouts] == pytest.approx([1.5, 0.1, 1.0, 0.0])
    assert group.outcomes == (1.0, 0.0, 1.0, 0.0)
    assert group.rollouts[2].reward.parts == {"format": 1.0, "answer_f1": 1.0, "step_correctness": 0.0}


def test_the_group_is_in_order_of_index():
    group = one(rubric(), completions(PRESENCE, RIGHT, WRONG)[::-1])
    assert [rollout.completion.index for rollout in group.rollouts] == [0, 1]


def test_scoring_alone_or_in_a_group_gives_the_same():
    made = rubric(RewardConfig(name="step_correctness"), RewardConfig(name="graph_f1"))
    together = one(made, completions(PRESENCE, RIGHT, WRONG))
    alone = one(made, completions(PRESENCE, RIGHT))
    assert alone.rollouts[0].reward == together.rollouts[0].reward


def test_an_abstaining_part_adds_nothing_to_the_total():
    made = rubric(RewardConfig(name="step_correctness", weight=5.0))
    result = one(made, completions(NORMAL, NORMAL.reference)).rollouts[0].reward
    assert result.parts["step_correctness"] is None
    assert (result.total, result.failures) == (1.0, {})


def test_the_per_sample_gate_pays_steps_only_under_a_right_answer():
    made = rubric(RewardConfig(name="step_correctness", gate="per_sample"))
    unlucky = trace(("clear", "left pleural effusion ❌"), ("summary", "yes"))
    group = one(made, completions(PRESENCE, RIGHT, unlucky))
    assert [rollout.reward.total for rollout in group.rollouts] == [2.0, 0.0]
    assert group.rollouts[1].reward.parts["step_correctness"] == 1.0


def test_a_term_that_is_off_is_measured_and_not_paid():
    group = one(rubric(RewardConfig(name="format", gate="off")), completions(PRESENCE, RIGHT))
    assert group.rollouts[0].reward.parts["format"] == 1.0
    assert group.rollouts[0].reward.total == 1.0


def test_the_batch_gate_closes_when_the_outcome_falls_and_leaves_raw_parts_alone():
    made = rubric(RewardConfig(name="step_correctness", gate="ema"))
    good = [one(made, completions(PRESENCE, RIGHT, RIGHT))]
    bad = [one(made, completions(PRESENCE, RIGHT, WRONG))]
    assert [r.reward.total for r in made.settle(good, update=True)[0].rollouts] == [2.0, 2.0]
    (closed,) = made.settle(bad, update=True)
    assert [rollout.reward.total for rollout in closed.rollouts] == [1.0, 0.0]
    assert closed.rollouts[0].reward.parts == bad[0].rollouts[0].reward.parts
    # 0.2 x 0.5 + 0.8 x 1.0
    assert made.gate.average == pytest.approx(0.9)


def test_the_batch_gate_looks_at_the_mean_over_all_groups():
    made = rubric(RewardConfig(name="step_correctness", gate="ema"))
    made.settle(
        [one(made, completions(PRESENCE, RIGHT)), one(made, completions(PRESENCE, WRONG, WRONG, RIGHT))], update=True
    )
    assert made.gate.average == 0.5


def test_validation_and_retried_sampling_never_move_the_gate():
    made = rubric(RewardConfig(name="step_correctness", gate="ema"))
    made.settle([one(made, completions(PRESENCE, RIGHT))], update=True)
    before = made.state_dict()
    for _ in range(3):
        one(made, completions(PRESENCE, WRONG, WRONG))
    (validated,) = made.settle([one(made, completions(PRESENCE, WRONG, RIGHT))], update=False)
    assert made.state_dict() == before
    assert [rollout.reward.total for rollout in validated.rollouts] == [0.0, 2.0]


def test_an_empty_batch_leaves_the_gate_alone():
    made = rubric()
    assert made.settle([], update=True) == ()
    assert made.gate.average is None


def test_the_gate_is_restored_with_the_rubric():
    made = rubric(RewardConfig(name="step_correctness", gate="ema"))
    for text in (RIGHT, WRONG):
        made.settle([one(made, completions(PRESENCE, text))], update=True)
    restored = rubric(RewardConfig(name="step_correctness", gate="ema"))
    restored.load_state_dict(json.loads(json.dumps(made.state_dict())))
    group = restored.settle([one(restored, completions(PRESENCE, RIGHT))], update=False)[0]
    assert group.rollouts[0].reward.factors["step_correctness"] == 0.0
    assert restored.state_dict() == made.state_dict()


@pytest.mark.usefixtures("broken_reward")
def test_a_reward_that_raises_is_recorded_on_its_rollout_and_counts_as_abstained(caplog):
    made = rubric(RewardConfig(name="broken"))
    with caplog.at_level(logging.WARNING):
        group = one(made, completions(PRESENCE, RIGHT, WRONG, WRONG))
    assert [rollout.reward.parts["broken"] for rollout in group.rollouts] == [1.0, None, None]
    assert group.rollouts[1].reward.failures == {"broken": "KeyError: 'secret report text'"}
    assert group.rollouts[0].reward.failures == {}
    assert [record.getMessage() for record in caplog.records] == [
        "reward broken failed on sample presence; see its failures and reward/broken/failed_frac"
    ]


@pytest.mark.usefixtures("broken_reward")
def test_where_the_outcome_itself_fails_it_is_zero_with_the_failure_recorded():
    made = rubric(RewardConfig(name="broken", outcome=True), RewardConfig(name="format", gate="per_sample"))
    result = one(made, completions(PRESENCE, WRONG)).rollouts[0].reward
    assert (result.outcome, result.total) == (0.0, 0.0)
    assert "broken" in result.failures


def test_where_the_outcome_abstains_it_is_zero_and_says_so():
    made = rubric(RewardConfig(name="answer_option", outcome=True))
    group = one(made, completions(OPEN, OPEN.reference))
    assert group.outcomes == (0.0,)
    assert group.rollouts[0].reward.failures == {"answer_option": "the declared outcome abstained, which counts as 0"}
    assert reward_metrics([group])["reward/answer_option/failed_frac"] == 1.0


@pytest.mark.usefixtures("broken_reward")
def test_an_outcome_outside_zero_and_one_is_a_failure():
    result = one(rubric(RewardConfig(name="too_much", outcome=True)), completions(PRESENCE, RIGHT)).rollouts[0].reward
    assert result.outcome == 0.0
    assert "2.0, outside [0, 1]" in result.failures["too_much"]


def test_the_evidence_of_all_rewards_is_kept():
    made = rubric(RewardConfig(name="step_correctness"))
    evidence = one(made, completions(NAMED, NAMED.reference)).rollouts[0].reward.evidence
    assert [item.verdict for item in evidence] == ["right"] * 4


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], r"exactly one reward must be the declared outcome, but rewards declares none"),
        ([RewardConfig(name="format")], r"declares none. Set `outcome: true` on one of: format"),
        (
            [RewardConfig(name="format", outcome=True), RewardConfig(name="answer_f1", outcome=True)],
            r"declares format, answer_f1",
        ),
        ([RewardConfig(name="answer_f1", outcome=True)] * 2, r"'answer_f1' stands twice"),
        ([RewardConfig(name="format", outcome_key="x")], r"'format' has outcome_key 'x' but is not the outcome"),
        ([RewardConfig(name="answer_f1", outcome=True, gate="ema")], r"outcome 'answer_f1' has the gate ema"),
        ([RewardConfig(name="anser_f1", outcome=True)], r"unknown reward 'anser_f1'.*Did you mean answer_f1\?"),
        ([RewardConfig(name="graph_f1", outcome=True, kwargs={"extract": "x"})], r"no argument 'extract'.*extractor\?"),
    ],
)
def test_a_rubric_that_cannot_work_is_refused_at_start_up(terms, message):
    with pytest.raises(ConfigError, match=message):
        Rubric(terms, GateConfig(), max_tokens=64).check()


@pytest.mark.usefixtures("broken_reward")
def test_spec_row_28_every_part_is_logged_with_mean_and_std_and_what_it_left_out():
    made = rubric(
        RewardConfig(name="answer_exact", weight=0.5, outcome=True),
        RewardConfig(name="step_correctness", gate="per_sample"),
        RewardConfig(name="broken", weight=0.0),
    )
    groups = [
        one(made, completions(PRESENCE, RIGHT, WRONG)),
        one(made, completions(NORMAL, NORMAL.reference, NORMAL.reference)),
    ]
    metrics = reward_metrics(groups)
    assert metrics == pytest.approx(
        {
            # 1, 0, 1, 1
            "reward/answer_exact/mean": 0.75,
            "reward/answer_exact/std": 0.1875**0.5,
            "reward/answer_exact/abstained_frac": 0.0,
            "reward/answer_exact/failed_frac": 0.0,
            "reward/answer_exact/timeout_frac": 0.0,
            "reward/answer_exact/gate_mean": 1.0,
            # 1, 0, abstained twice; the gate is shut on the wrong answer
            "reward/step_correctness/mean": 0.5,
            "reward/step_correctness/std": 0.5,
            "reward/step_correctness/abstained_frac": 0.5,
            "reward/step_correctness/failed_frac": 0.0,
            "reward/step_correctness/timeout_frac": 0.0,
            "reward/step_correctness/gate_mean": 0.75,
            # 1, raised, 1, 1
            "reward/broken/mean": 1.0,
            "reward/broken/std": 0.0,
            "reward/broken/abstained_frac": 0.0,
            "reward/broken/failed_frac": 0.25,
            "reward/broken/timeout_frac": 0.0,
            "reward/broken/gate_mean": 1.0,
            # 1.5, 0, 0.5, 0.5
            "reward/total/mean": 0.625,
            "reward/total/std": 0.296875**0.5,
            "outcome/mean": 0.75,
            "outcome/std": 0.1875**0.5,
            "outcome/group_std": 0.25,
            # half of the 0.75 of the first group; the second has no spread
            "reward/total/group_std": 0.375,
        }
    )


def test_a_part_that_always_abstains_has_no_mean():
    made = rubric(RewardConfig(name="step_correctness"))
    metrics = reward_metrics([one(made, completions(NORMAL, NORMAL.reference))])
    assert "reward/step_correctness/mean" not in metrics
    assert metrics["reward/step_correctness/abstained_frac"] == 1.0


def test_no_rollouts_make_no_metrics():
    assert reward_metrics([]) == {}
