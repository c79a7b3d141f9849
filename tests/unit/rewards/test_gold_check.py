import logging
from dataclasses import replace
from pathlib import Path

import pytest
from reward_builders import NORMAL, OPEN, PRESENCE, SAMPLES, rubric

from radrl.config.schema import RewardConfig
from radrl.errors import RewardError
from radrl.rewards.api import Attempt, reward
from radrl.rewards.gold import NUM_CHECKED, check_gold, gold_completion, gold_problems
from radrl.rewards.pool import RewardPool
from radrl.types import AnswerKind

FILES = Path(__file__).parent / "foreign_files"
WRONG = replace(PRESENCE, id="wrong", answer=frozenset({"yes"}), origin="train.jsonl:7")


def problems(made, *samples):
    return gold_problems(made, made.score([[gold_completion(sample)] for sample in samples]))


def test_rewards_that_pay_their_own_references_pass_and_abstaining_is_no_problem():
    made = rubric(RewardConfig(name="format"), RewardConfig(name="step_correctness"), RewardConfig(name="graph_f1"))
    check_gold(made, SAMPLES, seed=1)
    assert problems(made, *SAMPLES) == []


def test_a_reward_that_does_not_pay_its_own_reference_stops_the_run_with_reward_sample_and_value():
    with pytest.raises(RewardError) as caught:
        check_gold(rubric(), [WRONG], seed=1)
    assert str(caught.value).startswith(
        "reward 'answer_exact' gives the reference of sample wrong (train.jsonl:7) 0, and 1 is its highest; "
        "so it is with 1 of 1 references. "
    )


def test_fewer_bad_rows_than_half_are_counted_in_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        check_gold(rubric(), [PRESENCE, NORMAL, WRONG], seed=1)
    (warned,) = [record.getMessage() for record in caplog.records]
    assert warned.startswith(
        "reward answer_exact does not give 1 of 3 references its highest, the first of sample wrong"
    )


def test_a_reward_that_fails_on_a_reference_stops_the_run_with_the_reason():
    unreadable = replace(OPEN, answer=frozenset({"perhaps"}), answer_kind=AnswerKind.YES_NO)
    with pytest.raises(RewardError, match=r"'answer_exact' fails on the reference of sample open.*: RewardError"):
        check_gold(rubric(), [unreadable], seed=1)


def test_the_highest_is_that_under_the_terms_own_arguments():
    @reward("up_to", highest_for=lambda most=1.0: most)
    def up_to(attempt: Attempt, *, most: float = 1.0) -> float:
        return 0.5

    check_gold(rubric(RewardConfig(name="up_to", kwargs={"most": 0.5})), [PRESENCE], seed=1)
    with pytest.raises(RewardError, match=r"'up_to' gives .* 0\.5, and 1 is its highest"):
        check_gold(rubric(RewardConfig(name="up_to")), [PRESENCE], seed=1)


def test_legacy_rewards_and_terms_that_are_never_paid_do_not_stop_a_run():
    @reward("old", is_legacy=True)
    def old(attempt: Attempt) -> float:
        return 0.0

    @reward("measured")
    def measured(attempt: Attempt) -> float:
        return 0.0

    made = rubric(
        RewardConfig(name="old"),
        RewardConfig(name="measured", weight=0.0),
        RewardConfig(name="measured", label="off", gate="off"),
    )
    check_gold(made, [PRESENCE], seed=1)
    assert [problem.term.key for problem in problems(made, PRESENCE)] == ["old", "measured", "off"]


def test_a_foreign_reward_only_causes_a_warning(caplog):
    terms = (
        RewardConfig(name=f"{FILES}/own_rewards.py:mentions", kwargs={"word": "zebra"}),
        RewardConfig(name=f"{FILES}/easyr1_rewards.py:too_short", interface="easyr1_batch"),
        RewardConfig(name=f"{FILES}/trl_rewards.py:wants_missing_column", interface="trl"),
    )
    with RewardPool() as pool, caplog.at_level(logging.WARNING):
        check_gold(rubric(*terms, pool=pool), [PRESENCE, NORMAL], seed=1)
    warned = [record.getMessage() for record in caplog.records if "references" in record.getMessage()]
    # A list of one is what too_short returns, and a list of one it is asked for.
    assert [message.split()[1] for message in warned] == ["mentions", "wants_missing_column"]
    assert "does not give 2 of 2 references its highest" in warned[0]


def test_so_many_samples_are_drawn_by_the_seed():
    seen: list[str] = []

    @reward("sees")
    def sees(attempt: Attempt) -> float:
        seen.append(attempt.sample.id)
        return 1.0

    samples = [replace(PRESENCE, id=f"q{number}") for number in range(100)]
    for seed in (1, 1, 2):
        check_gold(rubric(RewardConfig(name="sees")), samples, seed=seed)
    first, again, other = (seen[start : start + NUM_CHECKED] for start in (0, NUM_CHECKED, 2 * NUM_CHECKED))
    assert first == again
    assert first != other
    assert len(set(first)) == NUM_CHECKED == 32


def test_the_check_leaves_gates_alone():
    made = rubric(RewardConfig(name="step_correctness", gate="ema"))
    before = made.state_dict()
    check_gold(made, [PRESENCE], seed=1)
    assert made.state_dict() == before
