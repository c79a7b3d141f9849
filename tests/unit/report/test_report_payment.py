import pytest

from radrl.config.schema import Config, GateConfig, RewardConfig
from radrl.report.payment import payments, when_paid
from radrl.report.series import StepMetrics

TERMS = [{"name": "format", "weight": 0.1}, {"name": "answer_f1", "outcome": True}]
OTHER = [{"name": "answer_f1", "outcome": True, "kwargs": {}}]


def config_of(*stages: dict[str, object]) -> Config:
    return Config.model_validate({"rewards": TERMS, "curriculum": {"stages": list(stages)}})


def steps_of(**lengths: int) -> list[StepMetrics]:
    names = [name for name, length in lengths.items() for _ in range(length)]
    return [
        StepMetrics(step=step, stage=name, values={"reward/format/mean": step / 10})
        for step, name in enumerate(names, start=1)
    ]


def test_stages_with_the_same_terms_share_a_table_and_others_have_their_own() -> None:
    config = config_of(
        {"name": "a", "steps": 1}, {"name": "b", "steps": 1, "rewards": OTHER}, {"name": "c", "steps": 1}
    )
    assert [[stage.name for stage in entry.stages] for entry in payments(config, ())] == [["a", "c"], ["b"]]
    assert [[term.key for term in entry.terms] for entry in payments(config, ())] == [
        ["format", "answer_f1"],
        ["answer_f1"],
    ]


def test_the_presets_of_a_stage_are_shown_as_their_terms() -> None:
    config = config_of({"name": "closed", "steps": 1, "rewards": "cx_mind_closed"})
    (entry,) = payments(config, ())
    assert len(entry.terms) > 1
    assert sum(term.is_outcome for term in entry.terms) == 1


def test_a_part_goes_from_the_mean_of_its_first_steps_to_that_of_its_last() -> None:
    (entry,) = payments(config_of({"name": "a", "steps": 4}), steps_of(a=4))
    assert [term.changes for term in entry.terms] == [("15% to 35%",), ("",)]


@pytest.mark.parametrize(
    ("advance", "taken", "said"),
    [
        (None, {"a": 8}, "Steps 1 to 8, as planned."),
        ({"plateau": 0.01}, {"a": 3, "b": 1}, "Steps 1 to 3 of 8 planned: it ended early by its rule."),
        ({"plateau": 0.01}, {"a": 3}, "Steps 1 to 3 of 8 planned: the rest is not in this folder."),
        (None, {"a": 1, "b": 1}, "Step 1 of 8 planned: the rest is not in this folder."),
        (None, {"b": 1}, "Not reached."),
    ],
)
def test_a_stage_says_how_long_it_was_and_why_it_ended(
    advance: dict[str, object] | None, taken: dict[str, int], said: str
) -> None:
    config = config_of({"name": "a", "steps": 8, "advance": advance}, {"name": "b", "steps": 8})
    (entry,) = payments(config, steps_of(**taken))
    assert entry.stages[0].notes[0] == said


def test_a_stage_says_how_many_questions_it_kept() -> None:
    kept = {"pass_rate/mean": 0.4, "pass_rate/num_kept": 24.0, "pass_rate/num_too_hard": 6.0}
    first = StepMetrics(step=1, stage="a", values=kept | {"pass_rate/num_too_easy": 2.0})
    (entry,) = payments(config_of({"name": "a", "epochs": 1}), [first])
    assert " ".join(entry.stages[0].notes) == (
        "Step 1. Of 32 questions it trained on 24: 6 were too hard and 2 too easy when it began. "
        "The mean answer score on all was then 40%."
    )


def test_a_run_without_stages_is_one_stage() -> None:
    assert payments(config_of(), steps_of(train=2))[0].stages[0].notes == ("Steps 1 to 2.",)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("always", "always"),
        ("off", "never: measured only"),
        ("per_sample", "only when this answer is right"),
        ("ema", "only when this step is as good as the moving average"),
        ("conditional", "only when this answer is right in the agreed form and the step lost less than 0.05 on the"),
    ],
)
def test_a_gate_is_said_in_words(gate: str, words: str) -> None:
    assert when_paid(RewardConfig(name="format", gate=(gate,)), GateConfig()).startswith(words)
    assert "beats the moving average by 0.1" in when_paid(
        RewardConfig(name="format", gate=("ema",)), GateConfig(margin=0.1)
    )
