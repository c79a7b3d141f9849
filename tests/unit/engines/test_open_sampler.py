"""The sampler that a configuration asks for."""

from pathlib import Path

import pytest
from torch import distributed

from radrl.config.schema import Config
from radrl.engines.sampler import engine_options, lengths_of, open_sampler, processor_arguments
from radrl.engines.sync import SyncChoice
from radrl.engines.vllm_options import Lengths
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import AnswerKind, Sample

MERGED = SyncChoice(kind="merged", reason="everything learns")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=["Is there fluid?"], vocab_size=320)


@pytest.fixture
def policy(folder: Path) -> ModelAdapter:
    return load_adapter(folder, device="cpu")


def test_without_being_asked_for_anything_the_model_samples_itself_row_61(policy: ModelAdapter) -> None:
    sampler = open_sampler(policy, Config())
    sampler.publish(2)
    sample = Sample(
        id="s1",
        patient_id="p1",
        kind="open",
        question="Is there fluid?",
        answer=frozenset(),
        answer_kind=AnswerKind.SET,
        reference="yes",
    )
    (group,) = sampler.generate(
        [policy.render(sample)], Sampling(n=2, temperature=1.0, max_tokens=5, seed=0, is_for_training=True)
    )
    assert [completion.policy_version for completion in group] == [2, 2]
    assert sampler.take({})["mismatch/probe_mean_abs"] < 1e-5


def test_lengths_are_the_longest_of_any_stage() -> None:
    stages = [{"name": "a", "steps": 1, "max_response_length": 900}, {"name": "b", "steps": 1}]
    config = Config.model_validate(
        {
            "data": {"max_prompt_length": 700, "max_response_length": 300, "rollout_batch_size": 4},
            "worker": {"rollout": {"n": 6}},
            "curriculum": {"stages": stages},
        }
    )
    assert lengths_of(config) == Lengths(prompt=700, response=900, sequences=24, group=6)


def test_each_of_several_engines_is_as_large_as_its_share_of_the_prompts() -> None:
    """Spec row 60: two GPUs hold one copy of the weights, so that four have two engines, for five prompts each."""
    config = Config.model_validate(
        {
            "data": {"max_prompt_length": 700, "max_response_length": 300, "rollout_batch_size": 10},
            "worker": {"rollout": {"n": 6, "tensor_parallel_size": 2}},
            "trainer": {"n_gpus_per_node": 4},
        }
    )
    assert lengths_of(config).sequences == 30


def test_the_engine_leaves_images_that_the_trainer_resized_as_they_are(policy: ModelAdapter) -> None:
    # The tiny model's processor wants exactly 64 x 64 pixels' worth; 100 x 80 becomes 64 x 32, which it would enlarge.
    assert processor_arguments(policy) == {"size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}}


def test_the_cache_is_sized_by_the_run_or_by_hand(policy: ModelAdapter, folder: Path) -> None:
    config = Config.model_validate(
        {
            "data": {"max_prompt_length": 100, "max_response_length": 20, "rollout_batch_size": 2},
            "worker": {"rollout": {"n": 2}},
        }
    )
    options = engine_options(policy, config, MERGED, adapter_rank=0)
    # 2 prompts of 112 and 4 answers of 32 tokens, 5 % more; 2 layers x 2 x 2 heads x 32 numbers of 4 bytes each.
    assert options.kv_cache_bytes == int((2 * 112 + 4 * 32) * 1.05) * 1024
    assert (options.model, options.dtype, options.on_gpu, options.sleep) == (str(folder), "float32", False, 0)
    by_hand = {"data": config.data.model_dump(), "worker": {"rollout": {"n": 2, "kv_cache_gib": 0.5}}}
    assert engine_options(policy, Config.model_validate(by_hand), MERGED, adapter_rank=0).kv_cache_bytes == 1 << 29


def test_a_group_that_an_earlier_engine_made_for_itself_is_none_to_join(policy: ModelAdapter, tmp_path: Path) -> None:
    """vLLM leaves a group of one behind in its process; the next engine there has no other rank to look for."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        rollout = {"name": "vllm", "tensor_parallel_size": 2}
        config = Config.model_validate({"worker": {"rollout": rollout}})
        options = engine_options(policy, config, MERGED, adapter_rank=0)
    finally:
        distributed.destroy_process_group()
    assert (options.is_in_group, options.tensor_parallel_size) == (False, 1)
