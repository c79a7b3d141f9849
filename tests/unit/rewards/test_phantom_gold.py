import pytest

from radrl.config.schema import DataConfig, GateConfig, RewardConfig
from radrl.data.load import load_samples
from radrl.phantom.export import export
from radrl.phantom.world import DEFAULT_KINDS, MORE_KINDS, PhantomWorld
from radrl.rewards.api import entry, reward_names
from radrl.rewards.gold import gold_completion
from radrl.rewards.rubric import Rubric

OURS = [name for name in reward_names() if not entry(name).is_legacy]


def scored(samples):
    """Parts of the reward of each sample's own reference, every registered reward of ours taking part."""
    terms = [RewardConfig(name=name, outcome=name == "answer_exact") for name in OURS]
    rubric = Rubric(terms, GateConfig(), max_tokens=64)
    groups = rubric.settle(rubric.score([[gold_completion(sample)] for sample in samples]), update=False)
    return [group.rollouts[0].reward.parts for group in groups]


def faults(parts):
    """What is not full marks of the rewards that did not abstain."""
    values = {name: {part[name] for part in parts} - {None} for name in OURS}
    unlike = {name: [v for v in given if v != pytest.approx(entry(name).highest)] for name, given in values.items()}
    return {name: given for name, given in unlike.items() if given}


@pytest.mark.parametrize(
    ("layout", "style", "trace"),
    [("cx_mind", "full", "interleaved"), ("cx_mind", "short", "interleaved"), ("chex_phi4mm", "full", "plain")],
)
def test_every_reward_gives_its_own_gold_trace_full_marks_or_abstains(tmp_path, layout, style, trace):
    kinds = {**DEFAULT_KINDS, "choice": 0.25}
    world = PhantomWorld(seed=5, size_px=32, style=style, trace=trace, kinds=kinds)
    files = export(world, tmp_path, splits={"train": 60}, layout=layout)
    parts = scored(load_samples([str(files["train"])], DataConfig(layout=layout)))

    assert faults(parts) == {}
    assert all(part["answer_exact"] is not None for part in parts)


@pytest.mark.parametrize(
    ("layout", "style", "trace"),
    [
        ("cx_mind", "full", "interleaved"),
        pytest.param("cx_mind", "short", "interleaved", marks=pytest.mark.slow),
        pytest.param("chex_phi4mm", "full", "plain", marks=pytest.mark.slow),
    ],
)
def test_so_do_kinds_that_are_asked_only_where_they_are_named(tmp_path, layout, style, trace):
    kinds = dict.fromkeys(MORE_KINDS, 1.0)
    world = PhantomWorld(seed=5, size_px=48, difficulty=0.0, style=style, trace=trace, kinds=kinds)
    files = export(world, tmp_path, splits={"train": 96}, layout=layout)
    samples = load_samples([str(files["train"])], DataConfig(layout=layout))
    parts = scored(samples)

    assert {sample.kind for sample in samples} == set(MORE_KINDS)
    assert faults(parts) == {}
    assert all(part["answer_exact"] is not None for part in parts)
    assert any(part["difference_f1"] is not None for part in parts)
    assert any(part["box_iou"] is not None for part in parts)
