"""Row 62: a tiny policy learns from rollouts that are one step old."""

import json

import pytest
from builders import a_sample, policy_actor

from radrl.config.schema import Config, GateConfig, RewardConfig
from radrl.curriculum import Budget, Curriculum, Stage
from radrl.data.stream import PromptStream
from radrl.engines.actor import PolicyActor
from radrl.engines.native import NativeSampler
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.rewards import api
from radrl.rewards.api import Attempt, reward
from radrl.rewards.rubric import Rubric
from radrl.roles import Roles
from radrl.run import Run
from radrl.trainer import train

LIMIT, NUM_STEPS = 16, 16


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


@pytest.fixture
def rubric(monkeypatch):
    """Pays a completion for its length."""
    monkeypatch.setattr(api, "_REGISTRY", dict(api._REGISTRY))

    @reward("length")
    def length(attempt: Attempt) -> float:
        return attempt.num_tokens / LIMIT

    return Rubric([RewardConfig(name="length", outcome=True)], GateConfig(), max_tokens=LIMIT)


def a_config(**algorithm) -> Config:
    return Config.model_validate(
        {
            "data": {"rollout_batch_size": 4, "max_response_length": LIMIT},
            "algorithm": algorithm,
            "worker": {
                "actor": {"global_batch_size": 4, "optim": {"lr": 5e-3, "weight_decay": 0.0}},
                "rollout": {"n": 8},
            },
            "trainer": {"one_step_off": True, "device": "cpu"},
        }
    )


@pytest.mark.parametrize("algorithm", [{}, {"ratio_mode": "decoupled", "correction": "truncate"}])
def test_row_62_completions_grow_when_length_is_rewarded_one_step_late(tiny, rubric, tmp_path, algorithm):
    config = a_config(**algorithm)
    adapter = load_adapter(tiny, device="cpu")
    # A tenth of all tokens end a completion, so that untrained ones are some ten tokens long.
    adapter.eos_ids = (*adapter.eos_ids, *range(10, 10 + len(adapter.tokenizer) // 10))
    learner = policy_actor(adapter, config.worker.actor, config.algorithm, total_updates=NUM_STEPS).learner
    actor = PolicyActor(learner, config.worker.actor, config.algorithm, one_step_off=True)
    stage = Stage(
        name="only",
        prompts=PromptStream([adapter.render(a_sample(number)) for number in range(4)], seed=1, shuffle=True),
        rubric=rubric,
        max_response_length=LIMIT,
        budget=Budget(steps=NUM_STEPS),
    )
    roles = Roles(
        actor=actor,
        sampler=NativeSampler(adapter, max_sequences=32),
        rescores=config.algorithm.ratio_mode == "decoupled",
    )
    curriculum = Curriculum(stages=[stage])

    train(config, roles, curriculum, Run(tmp_path, parts={"curriculum": curriculum}))

    steps = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    lengths = [step["response_length/mean"] for step in steps]
    assert [step["sample/staleness"] for step in steps] == [0.0] + [1.0] * (NUM_STEPS - 1)
    assert sum(lengths[:2]) / 2 < 0.75 * LIMIT
    assert sum(lengths[-2:]) / 2 > 1.25 * sum(lengths[:2]) / 2
    # The trainer's probabilities have moved on since the completions were written.
    assert steps[5]["mismatch/abs"] > 1e-4
