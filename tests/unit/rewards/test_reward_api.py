from typing import Literal

import pytest
from reward_builders import NORMAL, attempt

from radrl.errors import ConfigError, RewardError
from radrl.rewards import api
from radrl.rewards.api import Attempt, Score, bind, reward, reward_names


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))


def call(name: str, **kwargs) -> Score:
    return bind(name, kwargs=kwargs).score(attempt(NORMAL, "text"))


def test_a_reward_is_a_function_with_a_name():
    @reward("mentions")
    def mentions(attempt: Attempt, *, word: str = "heart") -> float:
        return float(word in attempt.text)

    assert "mentions" in reward_names()
    assert call("mentions").value == 0.0
    assert call("mentions", word="tex").value == 1.0


def test_a_name_is_given_once():
    with pytest.raises(ConfigError, match=r"already a reward named 'format' \(radrl.rewards.format.format_reward\)"):
        reward("format")(lambda attempt: 1.0)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown reward 'graph_f2'.*Did you mean graph_f1\?"):
        bind("graph_f2", kwargs={})


def test_arguments_are_checked_against_the_signature():
    @reward("strict")
    def strict(attempt: Attempt, *, limit: int, mode: Literal["a", "b"] = "a") -> float:
        return float(limit)

    assert call("strict", limit=3, mode="b").value == 3.0
    with pytest.raises(ConfigError, match=r"no argument 'limt'. Did you mean limit\?"):
        bind("strict", kwargs={"limt": 3})
    with pytest.raises(ConfigError, match="needs the argument 'limit'"):
        bind("strict", kwargs={})
    with pytest.raises(ConfigError, match="argument 'limit' of reward 'strict' is 'many'"):
        bind("strict", kwargs={"limit": "many"})
    with pytest.raises(ConfigError, match="argument 'mode' of reward 'strict' is 'c'"):
        bind("strict", kwargs={"limit": 1, "mode": "c"})


def test_none_abstains_and_other_things_are_no_score():
    @reward("odd")
    def odd(attempt: Attempt, *, kind: str):
        return {"none": None, "text": "1.0", "nan": float("nan")}[kind]

    assert call("odd", kind="none").value is None
    with pytest.raises(RewardError, match=r"returned '1.0', which is not a score"):
        call("odd", kind="text")
    with pytest.raises(RewardError, match="is nan, which"):
        call("odd", kind="nan")
