from dataclasses import replace

import pytest
from engine_builders import tiny_config

from radrl.config.schema import Config
from radrl.engines.start_up import Facts, start_up_rows
from radrl.errors import ConfigError
from radrl.plan import make_plan, plan_tables

FACTS = Facts(
    device="NVIDIA H200",
    num_ranks=1,
    visible_gpus=("NVIDIA H200",),
    dtype="bfloat16",
    attention="varlen",
    params=1000,
    trained_params=100,
    adapter_params=100,
    versions={"torch": "2.13.0"},
)


def a_config(**keys):
    base = {
        "data": {"rollout_batch_size": 32, "max_prompt_length": 1000, "max_response_length": 250},
        "algorithm": {"kl_coef": 0.04},
        "worker": {"actor": {"global_batch_size": 16, "micro_batch_tokens": 12_000, "model": {"lora": {"rank": 16}}}},
    }
    return Config.model_validate(base | keys)


def test_row_68_the_start_up_table_says_what_a_run_is_about_to_do():
    """Spec row 68: devices, ranks, visible GPUs, types, batches in prompts and completions, and their accumulation."""
    rows = start_up_rows(a_config(), FACTS)
    assert rows["device"] == "NVIDIA H200, bfloat16"
    assert rows["visible GPUs"] == "NVIDIA H200"
    assert rows["ranks"] == "1 (1 x 1 in the configuration)"
    assert rows["attention"] == "varlen"
    assert rows["trains"] == "LoRA: 100 of 1,000 parameters (10.00%)"
    assert rows["reference"] == "the adapter switched off, KL weight 0.04"
    assert rows["sampler"] == "native, temperature 1"
    assert rows["step"] == "32 prompts x 8 = 256 completions, 2 optimizer steps"
    assert rows["optimizer step"] == "16 prompts x 8 = 128 completions"
    # 16 groups of 1000 + 8 x 250 = 3000 tokens are four passes of 12,000.
    assert rows["gradient summed over"].startswith("at most about 4 passes of 12,000 tokens")
    assert rows["versions"] == "torch 2.13.0"


def test_row_68_the_table_tells_a_full_run_and_its_reference_apart_from_a_lora():
    """Spec row 68: the same table for full fine-tuning, with and without a KL term."""
    full = replace(FACTS, adapter_params=0, visible_gpus=())
    rows = start_up_rows(a_config(worker={}), full)
    assert rows["trains"] == "the model's own weights: 100 of 1,000 parameters (10.00%)"
    assert rows["visible GPUs"] == "none"
    assert rows["reference"] == "starting values of what learns, KL weight 0.04"
    assert start_up_rows(Config(), full)["reference"] == "none: algorithm.kl_coef is 0"


def planned(tmp_path, *, worker=None, algorithm=None, **trainer):
    tiny_config("qwen2_5_vl").save_pretrained(tmp_path)
    given = {"worker": worker, "algorithm": algorithm}
    config = a_config(trainer=trainer, **{name: keys for name, keys in given.items() if keys is not None})
    model = config.worker.actor.model.model_copy(update={"model_path": str(tmp_path)})
    actor = config.worker.actor.model_copy(update={"model": model})
    return make_plan(config.model_copy(update={"worker": config.worker.model_copy(update={"actor": actor})}))


def test_a_plan_reckons_placement_memory_and_floor_for_a_gpu_that_is_not_there(tmp_path):
    plan = planned(tmp_path, hardware="H200")
    assert plan.hardware is not None
    assert plan.hardware.bf16_flops_per_s == 989e12
    assert set(plan.floors) == {"gen", "ref", "update_actor"}
    assert plan.unshared is not None
    update = plan.floors["ref"].seconds + plan.floors["update_actor"].seconds
    assert plan.unshared.seconds > 3 * update
    assert plan.fits(recomputes=False) is True

    tables = plan_tables(plan)
    assert list(tables)[:2] == ["placement", "memory of each device"]
    assert "fits" in tables["memory of each device"]["at most"]
    (title,) = list(tables)[2:]
    assert "H200" in title
    assert set(tables[title]) == {"gen", "ref", "update_actor", "step", "update, prompts not shared"}


def test_a_plan_of_ppo_has_the_critics_phases_by_what_of_it_learns(tmp_path):
    critic = {"model": {"lora": {"rank": 4}}}
    algorithm = {"adv_estimator": "gae", "kl_coef": 0.04}
    full = planned(tmp_path, hardware="H200", worker={}, algorithm=algorithm)
    lora = planned(tmp_path, hardware="H200", worker={"critic": critic}, algorithm=algorithm)
    assert list(full.floors) == ["gen", "ref", "update_actor", "values", "update_critic"]
    assert full.floors["values"].flops < full.floors["ref"].flops, "it makes no logits"
    assert lora.floors["update_critic"].flops < full.floors["update_critic"].flops
    assert lora.floors["update_actor"] == full.floors["update_actor"]


def test_a_plan_without_a_known_gpu_has_its_memory_and_says_how_to_get_a_floor(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    plan = planned(tmp_path)
    assert plan.floors == {}
    assert plan.fits(recomputes=False) is None
    assert "set trainer.hardware to one of" in plan_tables(plan)["floor of a step"]["unknown"]
    assert plan.memory.weights > 0


def test_a_plan_for_a_gpu_that_is_not_in_the_table_names_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match=r"trainer.hardware = Z9 is not in the table of GPUs. Name one of .*H200"):
        planned(tmp_path, hardware="Z9")


def test_row_49_a_plan_places_the_roles_of_two_nodes_and_divides_memory_and_floor(tmp_path):
    """Spec row 49: pools and colocation, said before anything runs."""
    one = planned(tmp_path, hardware="H200", worker={})
    plan = planned(tmp_path, hardware="H200", nnodes=2, n_gpus_per_node=8, worker={})
    rows = plan_tables(plan)["placement"]
    assert rows["devices"] == "2 x 8 = 16"
    assert rows["node 0"] == "ranks 0 to 7, one a GPU"
    assert rows["node 1"] == "ranks 8 to 15, one a GPU"
    assert rows["policy"] == "in shards over 16 GPUs, a layer gathered at a time"
    assert rows["sampler"] == "native, on the same GPUs, in turn, the policy's weights"
    # Float32 moments of a sixteenth of the weights, beside float32 moments and copies of all of them.
    assert plan.memory.optimizer == pytest.approx(one.memory.optimizer / 16 * 8 / 12, rel=0.01)
    # 32 prompts are two for each of the 16 ranks.
    assert plan.floors["ref"].flops == pytest.approx(one.floors["ref"].flops / 16, rel=1e-6)


def test_a_plan_says_where_samplers_apart_and_copies_of_shards_are(tmp_path):
    actor = {"fsdp": {"fsdp_size": 4, "mode": "zero2"}, "ulysses_size": 2}
    worker = {"actor": actor, "rollout": {"placement": "apart", "num_gpus": 3}}
    rows = plan_tables(planned(tmp_path, hardware="H100", n_gpus_per_node=8, worker=worker))["placement"]
    assert rows["policy"] == (
        "in shards over 4 GPUs, weights stay gathered until the backward pass; 2 such copies; "
        "2 GPUs share the rows of a pass"
    )
    assert "on 3 GPUs of its own" in rows["sampler"]


def test_a_plan_for_adapters_on_several_gpus_keeps_the_policy_whole(tmp_path):
    plan = planned(tmp_path, hardware="H200", n_gpus_per_node=4)
    rows = plan_tables(plan)["placement"]
    assert rows["policy"] == "whole on every GPU; gradients are summed over 4 once a step"
    assert plan.memory.weights == planned(tmp_path, hardware="H200").memory.weights
