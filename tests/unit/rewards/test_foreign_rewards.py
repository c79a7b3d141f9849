"""Spec row 14: rewards by name or path:func, batch and sequential, with kwargs, weights and an injected tokenizer."""

from dataclasses import replace
from pathlib import Path

import pytest
from reward_builders import NORMAL, OPEN, PRESENCE, attempt, completions, rubric

from radrl.config.schema import RewardConfig
from radrl.errors import ConfigError, PluginError
from radrl.rewards.foreign import bind_term
from radrl.rewards.pool import RewardPool
from radrl.rewards.scoring import Call, Scored, perform
from radrl.types import ImageRef, Sample

FILES = Path(__file__).parent / "foreign_files"


def term(name: str, interface: str = "radrl", **kwargs) -> RewardConfig:
    """A term by its place below `foreign_files`."""
    return RewardConfig.model_validate({"name": f"{FILES}/{name}", "interface": interface, "kwargs": kwargs})


def scored(named: RewardConfig, *texts: str, sample: Sample = PRESENCE) -> list[Scored]:
    group = tuple(attempt(sample, text, num_tokens=len(text)) for text in texts)
    return perform(Call(term=named, groups=(group,)), bind_term(named))


def values(named: RewardConfig, *texts: str, sample: Sample = PRESENCE) -> list[float | None]:
    return [one.value for one in scored(named, *texts, sample=sample)]


def test_row_14_an_easyr1_batch_function_gets_dicts_and_gives_dicts():
    reference = replace(PRESENCE, reference="the answer is no")
    (right, wrong) = scored(term("easyr1_rewards.py:compute_score", "easyr1_batch"), "no", "yes", sample=reference)
    # 0.9 x 1 + 0.1 / (1 + 2 tokens) and 0.9 x 0 + 0.1 / (1 + 3 tokens)
    assert (right.value, wrong.value) == (pytest.approx(0.9 + 0.1 / 3), pytest.approx(0.025))
    assert (right.score.extras, wrong.score.extras) == ({"accuracy": 1.0}, {"accuracy": 0.0})


def test_row_14_an_easyr1_sequential_function_gets_one_dict():
    (one, other) = scored(term("easyr1_rewards.py:one_by_one", "easyr1_sequential", bonus=0.25), "yes", "no")
    assert (one.value, one.score.extras, other.value) == (1.25, {"length": 3.0}, 0.25)


def test_row_14_kwargs_reach_the_function_and_are_checked_at_start_up():
    reference = replace(PRESENCE, reference="no")
    name = "easyr1_rewards.py:compute_score"
    assert values(term(name, "easyr1_batch", length_weight=0.0), "no", sample=reference) == [1.0]
    with pytest.raises(ConfigError, match=r"no argument 'lenght_weight'\. Did you mean length_weight\?"):
        bind_term(term(name, "easyr1_batch", lenght_weight=0.0))
    with pytest.raises(ConfigError, match=r"no argument 'most'\. Did you mean at_most\?|no argument 'most'"):
        bind_term(term("trl_rewards.py:CountsWords", "trl", most=3))
    with pytest.raises(ConfigError, match=r"'.*:mentions' has no argument 'wrd'\. Did you mean word\?"):
        bind_term(term("own_rewards.py:mentions", wrd="lung"))


def test_row_14_weights_count_and_the_outcome_may_be_another_key_of_the_dict(tmp_path):
    reference = replace(PRESENCE, reference="the answer is no")
    named = term("easyr1_rewards.py:compute_score", "easyr1_batch").model_copy(
        update={"weight": 2.0, "outcome": True, "outcome_key": "accuracy"}
    )
    with RewardPool() as pool:
        made = rubric(named, RewardConfig(name="format", weight=0.0), pool=pool)
        (group,) = made.score([completions(reference, "no", "yes")])
    first = group.rollouts[0].reward
    assert group.outcomes == (1.0, 0.0)
    assert first.parts == {"compute_score": 1.0, "compute_score/accuracy": 1.0, "format": None}
    assert first.total == 2.0


def test_row_14_a_tokenizer_is_injected_where_it_is_asked_for(monkeypatch):
    class Letters:
        def encode(self, text):
            return list(text)

    opened = []
    monkeypatch.setattr("radrl.rewards.foreign.open_tokenizer", lambda path: opened.append(path) or Letters())
    named = term("easyr1_rewards.py:counts_tokens", "easyr1_batch")
    group = (attempt(PRESENCE, "four"), attempt(PRESENCE, "no"))
    bound = bind_term(named, tokenizer_path="models/policy")
    assert opened == []
    assert [one.value for one in perform(Call(term=named, groups=(group, group)), bound)] == [4.0, 2.0, 4.0, 2.0]
    assert opened == ["models/policy"]
    with pytest.raises(ConfigError, match=r"needs the argument 'tokenizer' \(the folder of a tokenizer\)"):
        bind_term(named)


def test_what_an_easyr1_dict_lacks_is_a_failure_on_its_rollout_and_never_a_zero():
    texts = ("good", "no overall", "nan", "infinite extra", "text", "number")
    results = scored(term("easyr1_rewards.py:bad_for_some", "easyr1_batch"), *texts)
    assert [one.value for one in results] == [0.5, None, None, None, None, None]
    assert [one.failure.partition(":")[0] for one in results] == ["", *["RewardError"] * 5]
    assert "its dict has accuracy but not 'overall'" in results[1].failure
    assert "nan" in results[2].failure
    assert "inf" in results[3].failure
    assert "'overall' is 'high', which is not a number" in results[4].failure


def test_where_a_list_raises_only_those_fail_that_are_to_blame():
    results = scored(term("easyr1_rewards.py:raises_for_some", "easyr1_batch"), "four", "", "no")
    assert [one.value for one in results] == [0.25, None, 0.5]
    line = 1 + (FILES / "easyr1_rewards.py").read_text().splitlines().index(
        '    return [{"overall": 1 / len(one["response"])} for one in reward_inputs]'
    )
    assert results[1].failure == f"ZeroDivisionError: division by zero ({FILES}/easyr1_rewards.py:{line})"


def test_a_list_of_another_length_fails_as_a_whole():
    results = scored(term("easyr1_rewards.py:too_short", "easyr1_batch"), "a", "b")
    assert [one.value for one in results] == [None, None]
    assert "returned 1 scores for 2 attempts" in results[0].failure


def test_the_list_holds_the_completions_of_one_prompt_however_many_prompts_there_are():
    named = term("easyr1_rewards.py:size_of_list", "easyr1_batch")
    groups = ((attempt(PRESENCE, "a"), attempt(PRESENCE, "b")), (attempt(OPEN, "c"),))
    assert [one.value for one in perform(Call(term=named, groups=groups), bind_term(named))] == [2.0, 2.0, 1.0]


def test_a_trl_function_gets_columns_and_may_abstain():
    named = term("trl_rewards.py:matches_answer", "trl")
    assert values(named, "yes", "it is no", sample=PRESENCE) == [0.0, 1.0]
    assert values(named, "no finding", sample=NORMAL) == [None]


def test_the_columns_are_those_of_the_sample_and_of_its_row():
    sample = replace(
        PRESENCE, columns={"acquisition": "portable"}, images=(ImageRef(path="/films/1.png", sha256="ab"),)
    )
    named = term("trl_rewards.py:sees", "trl")
    one = replace(attempt(sample, "no"), token_ids=(5, 6))
    (result,) = perform(Call(term=named, groups=((one,),)), bind_term(named))
    expected = (sample.question, [5, 6], sample.reference, ["/films/1.png"], "p2", ["no"], "portable")
    assert result.failure.startswith(f"ValueError: {expected!r} (")


def test_a_trl_function_without_kwargs_gets_what_it_names_and_the_texts_first():
    assert values(term("trl_rewards.py:takes_few", "trl"), "four", sample=PRESENCE) == [4.0]
    assert values(term("trl_rewards.py:takes_few", "trl"), "four", sample=OPEN) == [0.0]


def test_a_column_that_is_not_there_is_a_failure_that_names_it():
    (result,) = scored(term("trl_rewards.py:wants_missing_column", "trl"), "x")
    assert result.value is None
    assert "severity" in result.failure


def test_trl_functions_may_be_coroutines_and_classes():
    assert values(term("trl_rewards.py:waits", "trl"), "four", "no") == [4.0, 2.0]
    assert values(term("trl_rewards.py:CountsWords", "trl", at_most=2), "a", "a b c") == [1.0, 2.0]
    assert values(term("trl_rewards.py:scaled", "trl", scale=0.5), "four") == [2.0]


@pytest.mark.parametrize("name", ["AnswerFirst", "external_answer_first"])
def test_a_plugin_file_of_ms_swift_loads_without_ms_swift(name):
    sample = replace(PRESENCE, reference="Yes. There is fluid.")
    assert values(term(f"swift_plugin.py:{name}", "trl"), "Yes.", "No.", sample=sample) == [1.0, 0.0]


def test_a_plain_function_of_ones_own_is_a_reward():
    assert values(term("own_rewards.py:mentions", word="lung"), "the lung", "the heart") == [1.0, 0.0]


def test_a_registered_function_in_a_file_keeps_what_it_was_registered_with():
    by_group = term("own_rewards.py:rank_by_length")
    assert bind_term(by_group).entry.per == "group"
    assert values(by_group, "aaa", "a", "aa") == [2.0, 0.0, 1.0]
    assert bind_term(term("own_rewards.py:half_at_most")).highest == 0.5
    (one,) = scored(term("own_rewards.py:half_at_most"), "four")
    assert (one.value, one.score.extras) == (0.5, {"length": 4.0})


def test_numbers_of_numpy_are_numbers():
    assert values(term("misbehaving.py:obeys"), "numpy") == [0.5]


def test_a_reward_that_exits_is_a_failure_and_not_the_end_of_the_run():
    (one,) = scored(term("misbehaving.py:obeys"), "leave")
    assert one.failure.startswith("SystemExit: goodbye")


def test_a_place_where_nothing_callable_stands_is_refused():
    with pytest.raises(PluginError, match=r":NUMBER is 3, which cannot be called"):
        bind_term(term("own_rewards.py:NUMBER"))
    with pytest.raises(PluginError, match=r"defines no 'mention'\. Did you mean mentions\?"):
        bind_term(term("own_rewards.py:mention"))
    with pytest.raises(ConfigError, match="'format' has interface trl, which is for functions of other systems"):
        bind_term(RewardConfig(name="format", interface="trl"))


def test_metrics_and_records_use_the_functions_name_or_a_label():
    assert term("trl_rewards.py:scaled", "trl").key == "scaled"
    assert RewardConfig(name="graph_f1").key == "graph_f1"
    same = [
        RewardConfig(name="answer_exact", outcome=True),
        RewardConfig(name="format", label="first"),
        RewardConfig(name="format", label="second", weight=0.5),
    ]
    (group,) = rubric(*same).score([completions(PRESENCE, PRESENCE.reference)])
    assert group.rollouts[0].reward.parts == {"answer_exact": 1.0, "first": 1.0, "second": 1.0}
    assert group.rollouts[0].reward.total == 2.5
