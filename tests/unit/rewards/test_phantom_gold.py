import pytest

from radrl.config.schema import DataConfig, GateConfig, RewardConfig
from radrl.data.load import load_samples
from radrl.phantom.export import export
from radrl.phantom.world import DEFAULT_KINDS, PhantomWorld
from radrl.rewards.api import reward_names
from radrl.rewards.rubric import Rubric
from radrl.types import Completion, Prompt


def scored(sample, text):
    """Parts of the reward of one completion, every registered reward taking part."""
    rubric = Rubric(
        [RewardConfig(name=name, outcome=name == "answer_exact") for name in reward_names()],
        GateConfig(),
        max_tokens=64,
    )
    completion = Completion(
        prompt=Prompt(sample=sample, text="", token_ids=(1,), num_image_tokens=0),
        index=0,
        text=text,
        token_ids=(1,),
        token_texts=(text,),
        logprobs=(0.0,),
        stop="eos",
        policy_version=0,
        temperature=1.0,
    )
    return rubric.score([[completion]])[0].rollouts[0].reward.parts


@pytest.mark.parametrize(
    ("layout", "style", "trace"),
    [("cx_mind", "full", "interleaved"), ("cx_mind", "short", "interleaved"), ("chex_phi4mm", "full", "plain")],
)
def test_every_reward_gives_its_own_gold_trace_full_marks_or_abstains(tmp_path, layout, style, trace):
    kinds = {**DEFAULT_KINDS, "choice": 0.25}
    world = PhantomWorld(seed=5, size_px=32, style=style, trace=trace, kinds=kinds)
    files = export(world, tmp_path, splits={"train": 60}, layout=layout)
    samples = load_samples([str(files["train"])], DataConfig(layout=layout))

    values = {name: [scored(sample, sample.reference)[name] for sample in samples] for name in reward_names()}

    assert {name: set(given) - {None} for name, given in values.items() if set(given) - {None, 1.0}} == {}
    assert all(value is not None for value in values["answer_exact"])
