"""Spec rows 21, 22 and 25: both papers' rubrics and CX-Mind's ablation arms, by name."""

import pytest

from radrl.config.load import load_config
from radrl.config.rubrics import PRESETS, expand
from radrl.config.schema import Config, StageConfig
from radrl.config.show import to_yaml
from radrl.errors import ConfigError

ARMS = (
    "final", "outcome_only", "think_only", "mixed_a", "mixed_b", "no_gate", "no_cold_start", "plain_cot",
    "answer_no_gate",
)  # fmt: skip
GATED = ("ema", "per_sample", "format")


def rewards(*args):
    return load_config(Config, list(args)).config.rewards


def gates(name):
    """What a preset pays of thoughts and judgements."""
    by_name = {term.name: term.gate for term in rewards(f"rewards={name}")}
    return by_name["think_similarity"], by_name["step_correctness"]


def test_a_preset_stands_for_its_terms_with_the_paper_s_constants():
    made = rewards("rewards=cx_mind_open")
    assert [(term.name, term.weight, term.gate, term.outcome, term.kwargs) for term in made] == [
        ("format", 0.1, ("always",), False, {}),
        ("answer_f1", 0.9, ("always",), True, {}),
        ("think_similarity", 1.0, GATED, False, {"alpha": 0.3}),
        ("step_correctness", 0.2, GATED, False, {"scheme": "all_or_none"}),
    ]  # fmt: skip


def test_the_code_s_constant_differs_in_the_closed_stage_alone():
    weights = {
        name: next(term.weight for term in rewards(f"rewards={name}") if term.name == "step_correctness")
        for name in ("cx_mind_closed", "cx_mind_closed_code", "cx_mind_open", "cx_mind_open_code")
    }
    assert list(weights.values()) == [0.2, 0.5, 0.2, 0.2]


@pytest.mark.parametrize(
    ("arm", "closed", "opened"),
    [
        ("final", (GATED, GATED), (GATED, GATED)),
        ("outcome_only", (("off",), ("off",)), (("off",), ("off",))),
        ("think_only", (GATED, ("off",)), (GATED, ("off",))),
        ("mixed_a", (GATED, GATED), (GATED, ("off",))),
        ("mixed_b", (GATED, ("off",)), (GATED, GATED)),
        ("no_gate", (("always",), ("off",)), (("always",), ("off",))),
        ("no_cold_start", (("off",), ("off",)), (("off",), ("off",))),
        ("plain_cot", (("off",), ("off",)), (("off",), ("off",))),
        ("answer_no_gate", (("off",), ("always",)), (("off",), ("always",))),
    ],
)
def test_row_25_each_arm_pays_thoughts_and_judgements_as_the_ablation_table_says(arm, closed, opened):
    assert gates(f"cx_mind_closed/{arm}") == closed
    assert gates(f"cx_mind_open/{arm}") == opened


def test_there_is_a_preset_for_each_recipe_stage_and_arm_and_for_their_legacy_rules():
    arms = {f"cx_mind_{stage}/{arm}" for stage in ("closed", "open") for arm in ARMS}
    recipes = {"cx_mind_closed", "cx_mind_open", "chex_phi4mm"}
    assert set(PRESETS) == arms | recipes | {f"legacy_{name}" for name in recipes} | {
        "cx_mind_closed_code", "cx_mind_open_code",
    }  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_declares_exactly_one_outcome_and_says_what_it_is(name):
    assert sum(term.outcome for term in Config(rewards=[name]).rewards) == 1
    assert PRESETS[name].doc.endswith(".")


def test_a_preset_may_be_extended_and_a_term_of_it_replaced():
    made = rewards("rewards=[chex_phi4mm, {name: soft_overlong}, {name: graph_jaccard, weight: 0.5}]")
    assert [(term.name, term.weight) for term in made] == [
        ("answer_f1", 1.0), ("graph_jaccard", 0.5), ("soft_overlong", 1.0),
    ]  # fmt: skip


def test_terms_of_a_preset_are_counted_like_written_ones(tmp_path):
    assert rewards("rewards=cx_mind_closed", "rewards.3.weight=0.5")[3].weight == 0.5
    file = tmp_path / "stages.yaml"
    file.write_text("curriculum: {stages: [{name: open, steps: 1, rewards: cx_mind_open}]}")
    args = [f"config={file}", "curriculum.stages.0.rewards.2.kwargs.alpha=0.4"]
    stage = load_config(Config, args).config.curriculum.stages[0]
    assert [term.kwargs for term in stage.rewards if term.name == "think_similarity"] == [{"alpha": 0.4}]
    # The preset itself stays as it is.
    (again,) = load_config(Config, args[:1]).config.curriculum.stages
    assert [term.kwargs for term in again.rewards if term.name == "think_similarity"] == [{"alpha": 0.3}]


def test_a_stage_takes_a_preset_too_and_what_is_shown_loads_again(tmp_path):
    config = Config(
        rewards="cx_mind_closed", curriculum={"stages": [{"name": "open", "steps": 1, "rewards": "cx_mind_open"}]}
    )
    assert config.curriculum.stages[0] == StageConfig(name="open", steps=1, rewards=["cx_mind_open"])
    (tmp_path / "shown.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_config(Config, [f"config={tmp_path / 'shown.yaml'}"]).config == config


@pytest.mark.parametrize("args", [["rewards=cx_mind_closd"], ["rewards=[cx_mind_closd]", "rewards.0.weight=1"]])
def test_an_unknown_preset_is_refused_with_the_nearest(args):
    with pytest.raises(ConfigError, match=r"rewards.*'cx_mind_closd' is no preset.*did you mean cx_mind_closed\?"):
        load_config(Config, args)


@pytest.mark.parametrize("gate", ["[always, ema]", "[off, format]", "[]"])
def test_row_25_always_and_off_stand_alone(gate):
    with pytest.raises(ConfigError, match=r"rewards\.0\.gate.*`always`, `off`, or one or more of the other conditions"):
        load_config(Config, ["rewards.0.name=format", f"rewards.0.gate={gate}"])


def test_what_is_no_list_of_entries_is_left_to_the_schema():
    assert expand(5) == 5
    assert expand("cx_mind_open") == "cx_mind_open"
    assert expand([{"name": "format"}]) == [{"name": "format"}]
