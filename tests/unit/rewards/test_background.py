"""Row 29: rewards are scored beside the loop. Order is shown by events, never by the clock."""

import multiprocessing
from dataclasses import replace
from threading import Event

import pytest
from reward_builders import NAMED, OPEN, PRESENCE, completions, rubric

from radrl.config.schema import RewardConfig
from radrl.rewards import api
from radrl.rewards.api import Attempt, reward
from radrl.rewards.background import Background
from radrl.rewards.pool import RewardPool
from radrl.types import AnswerKind

LONG_S = 20.0
"""Longer than anything here takes; only a test that fails waits for it."""


@pytest.fixture
def own_rewards(monkeypatch):
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))


class Gated:
    """Scores by handing back what it got, once it may."""

    def __init__(self):
        self.began, self.may_go = Event(), Event()
        self.calls = []

    def score(self, groups):
        self.calls.append([group[0].prompt.sample.id for group in groups])
        self.began.set()
        assert self.may_go.wait(LONG_S)
        return [f"scored {group[0].prompt.sample.id}" for group in groups]


def test_row_29_beginning_returns_at_once_and_groups_that_wait_are_scored_together_in_their_order():
    gated, background = Gated(), Background()

    first = background.begin(gated.score, completions(PRESENCE, "x"))
    assert gated.began.wait(LONG_S)
    others = [background.begin(gated.score, completions(sample, "x")) for sample in (NAMED, OPEN)]
    gated.may_go.set()

    assert [pending.result() for pending in (first, *others)] == ["scored presence", "scored named", "scored open"]
    assert gated.calls == [["presence"], ["named", "open"]]


def test_groups_of_different_rubrics_are_never_scored_together():
    gated, other, background = Gated(), Gated(), Background()
    other.may_go.set()

    first = background.begin(gated.score, completions(PRESENCE, "x"))
    assert gated.began.wait(LONG_S)
    later = [
        background.begin(asked.score, completions(sample, "x"))
        for asked, sample in ((other, NAMED), (other, OPEN), (gated, NAMED))
    ]
    gated.may_go.set()

    assert [pending.result() for pending in later] == ["scored named", "scored open", "scored named"]
    assert first.result() == "scored presence"
    assert (gated.calls, other.calls) == ([["presence"], ["named"]], [["named", "open"]])


def test_what_ends_the_scoring_is_raised_where_it_is_asked_for_and_later_groups_are_scored():
    def score(groups):
        if groups[0][0].text == "bad":
            raise ZeroDivisionError
        return list(groups)

    background = Background()
    bad = background.begin(score, completions(PRESENCE, "bad"))
    with pytest.raises(ZeroDivisionError):
        bad.result()
    good = completions(PRESENCE, "good")
    assert background.begin(score, good).result() == tuple(good)


def test_closing_the_pool_tells_those_who_wait_for_groups_that_were_not_begun():
    gated, pool = Gated(), RewardPool()
    first = pool.background.begin(gated.score, completions(PRESENCE, "x"))
    assert gated.began.wait(LONG_S)
    second = pool.background.begin(gated.score, completions(NAMED, "x"))

    pool.close()
    gated.may_go.set()

    with pytest.raises(RuntimeError, match="closed before this group was scored"):
        second.result()
    assert first.result() == "scored presence"


def test_row_29_a_group_scored_beside_the_loop_gets_what_it_gets_from_a_call_whatever_it_is_scored_with():
    made = rubric(
        RewardConfig(name="answer_exact", outcome=True),
        RewardConfig(name="step_correctness"),
        RewardConfig(name="group_length"),
    )
    groups = [completions(sample, sample.reference, "plain", "an effusion") for sample in (PRESENCE, NAMED, OPEN)]

    pending = [made.begin(group[::-1]) for group in groups]

    assert tuple(one.result() for one in pending) == made.score(groups)
    assert [completion.index for completion in pending[0].completions] == [0, 1, 2]


def test_a_group_that_a_reward_cannot_prepare_for_fails_alone_whatever_it_is_scored_with(own_rewards):
    def prepare(attempts):
        if any(attempt.text == "unreadable" for attempt in attempts):
            raise ValueError("unreadable")

    @reward("prepared", prepare=prepare)
    def prepared(attempt: Attempt) -> float:
        return float(len(attempt.text))

    made = rubric(RewardConfig(name="answer_exact", outcome=True), RewardConfig(name="prepared"))
    first, second = made.score([completions(PRESENCE, "ab", "unreadable"), completions(NAMED, "abc")])

    assert [rollout.reward.parts["prepared"] for rollout in first.rollouts] == [None, None]
    assert [rollout.reward.parts["prepared"] for rollout in second.rollouts] == [3.0]


@pytest.mark.parametrize(("waited_s", "hidden"), [(0.5, 0.75), (3.0, 0.0)])
def test_the_pool_says_how_long_scoring_took_and_how_much_of_it_the_loop_did_not_wait_for(waited_s, hidden):
    pool = RewardPool()
    pool._seconds.extend([1.5, 0.5])

    assert pool.take({"timing_s/reward": waited_s}) == {"perf/reward_s": 2.0, "perf/reward_hidden_frac": hidden}
    assert pool.take({"timing_s/reward": waited_s}) == {}


def test_a_reward_that_keeps_time_with_a_signal_is_asked_in_the_main_thread_of_some_process():
    sample = replace(NAMED, answer_kind=AnswerKind.TEXT, options=(), reference=r"\boxed{\frac{1}{2}}")
    with RewardPool() as pool:
        made = rubric(RewardConfig(name="answer_exact", outcome=True), RewardConfig(name="math_accuracy"), pool=pool)
        asked = completions(sample, r"\boxed{0.5}", r"\boxed{0.6}")

        beside = made.begin(asked).result()

        assert [child.name for child in multiprocessing.active_children()].count("pebble_pool_worker") == 1
        assert [rollout.reward.parts["math_accuracy"] for rollout in beside.rollouts] == [1.0, 0.0]
        assert made.score([asked]) == (beside,)


def test_scoring_is_counted_wherever_it_runs():
    made = rubric(RewardConfig(name="answer_exact", outcome=True))
    made.begin(completions(PRESENCE, "x")).result()
    assert made.pool.take({})["perf/reward_s"] > 0
