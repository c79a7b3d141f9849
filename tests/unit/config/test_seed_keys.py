"""Each name of CX-Mind and ms-swift that we replace or ignore: one case a row of the tables."""

import re
from typing import Any

import pytest

from radrl.config.cx_mind import CX_MIND
from radrl.config.load import load_config
from radrl.config.ms_swift import MS_SWIFT
from radrl.config.schema import Config
from radrl.config.seeds import SeedKey
from radrl.config.tree import annotation_at, keys, leaves
from radrl.errors import ConfigError

TABLE = (*CX_MIND, *MS_SWIFT)

NOTHING: dict[str, object] = {}
REFUSED = "refused"

CX_MIND_EXPECTED: dict[str, tuple[str, dict[str, object]]] = {
    "data.seed": ("data.seed=5", {"trainer.seed": 5}),
    "worker.actor.model.enable_gradient_checkpointing": (
        "worker.actor.model.enable_gradient_checkpointing=false",
        {"worker.actor.activations": "keep"},
    ),
    "algorithm.disable_kl": ("algorithm.disable_kl=true", {"algorithm.kl_coef": 0.0}),
    "worker.actor.fsdp.torch_dtype": ("worker.actor.fsdp.torch_dtype=bf16", {"trainer.dtype": "bfloat16"}),
    "worker.actor.optim.warmup_style": (
        "worker.actor.optim.warmup_style=cosine",
        {"worker.actor.optim.lr_schedule": "cosine"},
    ),
    "worker.actor.offload.offload_optimizer": (
        "worker.actor.offload.offload_optimizer=true",
        {"worker.actor.optim.offload": True},
    ),
    "worker.actor.fsdp.enable_full_shard": (
        "worker.actor.fsdp.enable_full_shard=false",
        {"worker.actor.fsdp.mode": "zero2"},
    ),
    "worker.actor.fsdp.enable_cpu_offload": (
        "worker.actor.fsdp.enable_cpu_offload=true",
        {"worker.actor.fsdp.offload_params": True},
    ),
    "worker.actor.fsdp.mp_reduce_dtype": (
        "worker.actor.fsdp.mp_reduce_dtype=bf16",
        {"worker.actor.fsdp.reduce_dtype": "bfloat16"},
    ),
    "worker.actor.offload.offload_params": (
        "worker.actor.offload.offload_params=true",
        {"worker.actor.fsdp.offload_params": True},
    ),
    "worker.actor.ulysses_sequence_parallel_size": (
        "worker.actor.ulysses_sequence_parallel_size=2",
        {"worker.actor.ulysses_size": 2},
    ),
    "worker.hybrid_engine": ("worker.hybrid_engine=false", {"worker.rollout.placement": "apart"}),
    "worker.critic.offload.offload_optimizer": (
        "worker.critic.offload.offload_optimizer=true",
        {"worker.critic.optim.offload": True},
    ),
    "worker.critic.fsdp.enable_full_shard": (
        "worker.critic.fsdp.enable_full_shard=false",
        {"worker.critic.fsdp.mode": "zero2"},
    ),
    "worker.critic.fsdp.mp_reduce_dtype": (
        "worker.critic.fsdp.mp_reduce_dtype=bf16",
        {"worker.critic.fsdp.reduce_dtype": "bfloat16"},
    ),
    "worker.critic.optim.warmup_style": (
        "worker.critic.optim.warmup_style=cosine",
        {"worker.critic.optim.lr_schedule": "cosine"},
    ),
    "worker.ref.offload": ("worker.ref.offload={offload_params: true}", {"worker.ref.offload": True}),
    "worker.ref.offload.offload_params": ("worker.ref.offload.offload_params=true", {"worker.ref.offload": True}),
    "worker.rollout.name": ("worker.rollout.name=sglang", {"worker.rollout.name": "native"}),
    "use_vllm": ("use_vllm=true", {"worker.rollout.name": "vllm"}),
    "vllm_enforce_eager": ("vllm_enforce_eager=true", {"worker.rollout.enforce_eager": True}),
    "tensor_parallel_size": ("tensor_parallel_size=2", {"worker.rollout.tensor_parallel_size": 2}),
    "sleep_level": ("sleep_level=2", {"worker.rollout.sleep": 2}),
    "worker.reward.reward_function": (
        "worker.reward.reward_function=r/openQA+think+ans.py:compute_score",
        {
            "rewards.0.name": "format",
            "rewards.0.weight": 0.1,
            "rewards.1.name": "answer_f1",
            "rewards.1.weight": 0.9,
            "rewards.1.outcome": True,
            "rewards.2.name": "think_similarity",
            "rewards.2.gate": ("ema", "per_sample", "format"),
            "rewards.2.kwargs": {"alpha": 0.3},
            "rewards.3.name": "step_correctness",
            "rewards.3.weight": 0.2,
            "rewards.3.gate": ("ema", "per_sample", "format"),
            "rewards.3.kwargs": {"scheme": "all_or_none"},
        },
    ),
    "worker.reward.reward_function_kwargs.ema_alpha": (
        "worker.reward.reward_function_kwargs.ema_alpha=0.3",
        {"worker.reward.gate.alpha": 0.3},
    ),
    "worker.reward.reward_function_kwargs.ema_margin": (
        "worker.reward.reward_function_kwargs.ema_margin=0.05",
        {"worker.reward.gate.margin": 0.05},
    ),
}
"""Rows of CX-Mind's table that have an effect; the others have none."""

MS_SWIFT_EXPECTED: dict[str, tuple[str, dict[str, object] | str]] = {
    "save_only_model": ("save_only_model=true", {"trainer.save_model_only": True}),
    "model": ("model=out/sft", {"worker.actor.model.model_path": "out/sft"}),
    "dataset": ("dataset=a.json", {"data.train_files": ("a.json",)}),
    "val_dataset": ("val_dataset=v.json", {"data.val_files": ("v.json",)}),
    "gradient_checkpointing": ("gradient_checkpointing=false", {"worker.actor.activations": "keep"}),
    "max_length": ("max_length=100", {"data.max_prompt_length": 100}),
    "torch_dtype": ("torch_dtype=bfloat16", {"trainer.dtype": "bfloat16"}),
    "train_type": ("train_type=lora", {"worker.actor.model.lora.rank": 8}),
    "lora_rank": ("lora_rank=16", {"worker.actor.model.lora.rank": 16}),
    "lora_alpha": ("lora_alpha=64", {"worker.actor.model.lora.alpha": 64.0}),
    "adapters": ("adapters=out/sft", {"worker.actor.model.lora.path": "out/sft"}),
    "freeze_parameters": ("freeze_parameters=model.visual", {"worker.actor.model.frozen": (r"^model\.visual",)}),
    "trainable_parameters": ("trainable_parameters=lm_head", {"worker.actor.model.trainable": ("^lm_head",)}),
    "freeze_vit": ("freeze_vit=true", {"worker.actor.model.freeze_vision_tower": True}),
    "freeze_llm": ("freeze_llm=true", REFUSED),
    "freeze_aligner": ("freeze_aligner=true", REFUSED),
    "num_generations": ("num_generations=16", {"worker.rollout.n": 16}),
    "max_completion_length": ("max_completion_length=256", {"data.max_response_length": 256}),
    "beta": ("beta=0.04", {"algorithm.kl_coef": 0.04}),
    "epsilon": ("epsilon=0.1", {"worker.actor.clip_ratio_low": 0.1, "worker.actor.clip_ratio_high": 0.1}),
    "epsilon_high": ("epsilon_high=0.3", {"worker.actor.clip_ratio_high": 0.3}),
    "num_iterations": ("num_iterations=2", {"worker.actor.ppo_epochs": 2}),
    "scale_rewards": ("scale_rewards=false", {"algorithm.scale_advantages": False}),
    "dynamic_sample": (
        "dynamic_sample=true",
        {
            "algorithm.online_filtering": True,
            "algorithm.filter_min_std": 0.06,
            "algorithm.filter_low": 0.0,
            "algorithm.filter_high": 1.0,
            "algorithm.filter_when_short": "original",
        },
    ),
    "max_resample_times": ("max_resample_times=3", {"trainer.max_try_make_batch": 4}),
    "overlong_filter": ("overlong_filter=true", {"algorithm.mask_truncated": True}),
    "loss_type": ("loss_type=dr_grpo", {"worker.actor.loss_avg_mode": "fixed"}),
    "importance_sampling_level": ("importance_sampling_level=sequence", {"algorithm.policy_loss": "gspo"}),
    "advantage_estimator": ("advantage_estimator=rloo", {"algorithm.adv_estimator": "rloo"}),
    "kl_in_reward": ("kl_in_reward=true", {"algorithm.use_kl_loss": False}),
    "temperature": ("temperature=0.9", {"worker.rollout.temperature": 0.9}),
    "top_p": ("top_p=0.9", {"worker.rollout.top_p": 0.9}),
    "top_k": ("top_k=50", {"worker.rollout.top_k": 50}),
    "reward_funcs": (
        "reward_funcs=external_r1v_acc external_kg_jac",
        {"rewards.0.name": "answer_f1", "rewards.0.outcome": True, "rewards.1.name": "graph_jaccard"},
    ),
    "reward_weights": ("reward_weights=1 2", {"rewards.0.weight": 1.0, "rewards.1.weight": 2.0}),
    "learning_rate": ("learning_rate=4e-6", {"worker.actor.optim.lr": 4e-6}),
    "warmup_ratio": ("warmup_ratio=0.1", {"worker.actor.optim.lr_warmup_ratio": 0.1}),
    "warmup_steps": ("warmup_steps=7", {"worker.actor.optim.lr_warmup_steps": 7}),
    "lr_scheduler_type": ("lr_scheduler_type=linear", {"worker.actor.optim.lr_schedule": "linear"}),
    "weight_decay": ("weight_decay=0.1", {"worker.actor.optim.weight_decay": 0.1}),
    "adam_beta1": ("adam_beta1=0.8", {"worker.actor.optim.betas": (0.8, 0.999)}),
    "adam_beta2": ("adam_beta2=0.95", {"worker.actor.optim.betas": (0.9, 0.95)}),
    "max_grad_norm": ("max_grad_norm=0.5", {"worker.actor.max_grad_norm": 0.5}),
    "num_train_epochs": ("num_train_epochs=2", {"trainer.total_epochs": 2.0}),
    "max_steps": ("max_steps=30", {"trainer.max_steps": 30}),
    "seed": ("seed=42", {"trainer.seed": 42}),
    "output_dir": ("output_dir=out", {"trainer.save_checkpoint_path": "out"}),
    "resume_from_checkpoint": ("resume_from_checkpoint=c", {"trainer.load_checkpoint_path": "c"}),
    "save_steps": ("save_steps=1000", {"trainer.save_freq": 1000}),
    "save_total_limit": ("save_total_limit=2", {"trainer.save_limit": 2}),
    "eval_steps": ("eval_steps=9", {"trainer.val_freq": 9}),
    "report_to": ("report_to=tensorboard", {"trainer.logger": ("tensorboard",)}),
    "multi_turn_func": ("multi_turn_func=calculator", REFUSED),
}
"""Rows of ms-swift's table that have an effect or are refused."""

EXPECTED = {**CX_MIND_EXPECTED, **MS_SWIFT_EXPECTED}


def changes(args: list[str]) -> dict[str, Any]:
    before, after = leaves(Config()), leaves(load_config(Config, args).config)
    return {key: value for key, value in after.items() if before.get(key) != value}


def example_argument(row: SeedKey) -> str:
    key = row.key.replace(".*", ".x").replace("*", "")
    value = "null" if row.example is None else str(row.example).replace("'", "").replace("True", "true")
    return f"{key}={value.replace('False', 'false')}"


@pytest.mark.parametrize("row", [row for row in TABLE if row.key in EXPECTED], ids=lambda row: row.key)
def test_a_replaced_name_sets_our_key_with_one_warning(row):
    arg, expected = EXPECTED[row.key]
    if expected == REFUSED:
        with pytest.raises(ConfigError, match="cannot be honoured") as caught:
            load_config(Config, [arg])
        assert f"{row.key} is " in str(caught.value)
        assert "(from command line)" in str(caught.value)
        return
    loaded = load_config(Config, [arg])
    values = leaves(loaded.config)
    assert {key: values[key] for key in expected} == expected
    untouched = {key for key in changes([arg]) if not key.startswith("rewards")}
    assert untouched <= set(expected)
    assert len(loaded.warnings) == 1
    assert loaded.warnings[0].startswith(f"{row.key} (from command line) is read as ")


@pytest.mark.parametrize("row", [row for row in TABLE if row.key not in EXPECTED], ids=lambda row: row.key)
def test_a_name_without_effect_changes_nothing_and_warns_once(row):
    loaded = load_config(Config, [example_argument(row)])
    assert loaded.config == Config()
    assert len(loaded.warnings) == 1
    assert "has no effect here: " in loaded.warnings[0]


def test_every_expected_row_is_in_a_table():
    assert set(EXPECTED) <= {row.key for row in TABLE}


def test_no_row_hides_a_key_of_our_own():
    ours = set(keys(Config))
    assert [row.key for row in TABLE if row.applies is None and row.key in ours] == []


def test_every_key_that_a_row_sets_exists():
    for row in TABLE:
        if row.reading != "refused":
            assert all(annotation_at(Config, key) is not None for key in row.becomes(row.example))


def test_of_epsilon_and_epsilon_high_the_order_does_not_matter():
    expected = {"worker.actor.clip_ratio_low": 0.1, "worker.actor.clip_ratio_high": 0.3}
    assert changes(["epsilon=0.1", "epsilon_high=0.3"]) == expected
    assert changes(["epsilon_high=0.3", "epsilon=0.1"]) == expected


def test_a_later_argument_stands_over_an_earlier_one_by_either_name():
    assert changes(["beta=0.04", "algorithm.kl_coef=0.5"]) == {"algorithm.kl_coef": 0.5}
    assert changes(["algorithm.kl_coef=0.5", "beta=0.04"]) == {"algorithm.kl_coef": 0.04}
    assert changes(["algorithm.kl_coef=0.5", "algorithm.disable_kl=true"]) == {}


def test_kl_that_is_not_disabled_keeps_its_coefficient():
    assert changes(["algorithm.kl_coef=0.5", "algorithm.disable_kl=false"]) == {"algorithm.kl_coef": 0.5}


def test_row_37_cx_minds_kl_keys_keep_their_names_and_their_meaning():
    args = [
        "algorithm.kl_penalty=mse", "algorithm.kl_type=adaptive", "algorithm.use_kl_loss=false",
        "algorithm.kl_horizon=500", "algorithm.kl_target=0.2", "algorithm.gamma=0.9", "algorithm.lam=0.8",
    ]  # fmt: skip
    loaded = load_config(Config, args)
    assert changes(args) == {
        "algorithm.kl_penalty": "mse",
        "algorithm.kl_type": "adaptive",
        "algorithm.use_kl_loss": False,
        "algorithm.kl_horizon": 500.0,
        "algorithm.kl_target": 0.2,
        "algorithm.gamma": 0.9,
        "algorithm.lam": 0.8,
    }
    assert loaded.warnings == ()


@pytest.mark.parametrize("name", ["gae", "grpo", "rloo", "reinforce_plus_plus", "remax"])
def test_row_36_cx_minds_estimators_keep_their_names(name):
    assert load_config(Config, [f"algorithm.adv_estimator={name}"]).config.algorithm.adv_estimator == name


def test_a_loss_of_ms_swift_that_we_do_not_have_is_refused_with_those_that_we_have():
    with pytest.raises(ConfigError, match=r"loss_type is 'sapo'.*grpo, bnpo, dapo, dr_grpo, cispo"):
        load_config(Config, ["loss_type=sapo"])


@pytest.mark.parametrize("strategy", ["adamw", "adamw_bf16"])
def test_row_56_cx_minds_optimizers_keep_their_names(strategy):
    loaded = load_config(Config, [f"worker.actor.optim.strategy={strategy}"])
    assert (loaded.config.worker.actor.optim.strategy, loaded.warnings) == (strategy, ())


def test_row_65_ms_swifts_lora_arguments_count_with_its_lora_only():
    lora = ["lora_rank=16", "train_type=lora", "lora_alpha=64"]
    assert changes(lora) == {"worker.actor.model.lora.rank": 16, "worker.actor.model.lora.alpha": 64.0}
    assert changes(["lora_rank=16", "train_type=dummy", "lora_alpha=64"]) == {}


def test_row_66_what_ms_swift_lets_go_again_is_left_out_of_what_it_froze():
    args = ["freeze_parameters=[model.visual]", "trainable_parameters=[model.visual.merger]"]
    (pattern,) = load_config(Config, args).config.worker.actor.model.frozen
    assert re.search(pattern, "model.visual.blocks.0.attn.qkv.weight")
    assert not re.search(pattern, "model.visual.merger.mlp.0.weight")
    assert not re.search(pattern, "lm_head.weight")
    assert changes(args).keys() == {"worker.actor.model.frozen"}


def test_row_66_the_environment_of_the_phi_4_scripts_lets_the_vision_lora_alone_learn():
    asked = load_config(Config, [], environment={"FREEZE_NON_VISION_PARAMS": "1"})
    assert asked.config.worker.actor.model.trainable == (r"lora_A\.vision", r"lora_B\.vision")
    assert asked.origins["worker.actor.model.trainable"] == "environment, as FREEZE_NON_VISION_PARAMS"
    (warning,) = asked.warnings
    assert warning.startswith("FREEZE_NON_VISION_PARAMS (from environment) is read as worker.actor.model.trainable=")
    with_head = "worker.actor.model.trainable=[lora_A.vision,lora_B.vision,lm_head]"
    own = load_config(Config, [with_head], environment={"FREEZE_NON_VISION_PARAMS": "1"})
    assert own.config.worker.actor.model.trainable == ("lora_A.vision", "lora_B.vision", "lm_head")
    assert load_config(Config, [], environment={"FREEZE_NON_VISION_PARAMS": "0"}).config == Config()


def test_own_rewards_stand_over_a_seed_reward_function():
    args = ["worker.reward.reward_function=unknown.py:f", "rewards=[{name: answer_f1, outcome: true}]"]
    assert [reward.name for reward in load_config(Config, args).config.rewards] == ["answer_f1"]


def test_the_closed_reward_function_is_read_with_its_weights():
    args = ["worker.reward.reward_function=./examples/reward_function/closeQA+think+ans.py:compute_score"]
    rewards = load_config(Config, args).config.rewards
    assert [(reward.name, reward.weight, reward.gate, reward.outcome) for reward in rewards] == [
        ("format", 0.1, ("always",), False),
        ("answer_exact", 0.9, ("always",), True),
        ("think_similarity", 1.0, ("ema", "per_sample", "format"), False),
        ("step_correctness", 0.5, ("ema", "per_sample", "format"), False),
    ]


def test_row_14_another_reward_file_is_run_as_easyr1_runs_it():
    args = [
        "worker.reward.reward_type=sequential",
        "worker.reward.reward_function=rewards/r1v.py:compute_score",
        "worker.reward.reward_function_kwargs.format_weight=0.5",
        "algorithm.filter_key=accuracy",
    ]
    (reward,) = load_config(Config, args).config.rewards
    assert (reward.name, reward.label, reward.interface) == (
        "rewards/r1v.py:compute_score", "r1v", "easyr1_sequential",
    )  # fmt: skip
    assert (reward.outcome, reward.outcome_key, reward.kwargs) == (True, "accuracy", {"format_weight": 0.5})
    (batch,) = load_config(
        Config, ["worker.reward.reward_function=my.py:f", "worker.reward.reward_function_kwargs={alpha: 0.3}"]
    ).config.rewards
    assert (batch.interface, batch.kwargs, batch.outcome_key) == ("easyr1_batch", {"alpha": 0.3}, None)


def test_row_19_arguments_of_ms_swifts_length_rewards_go_to_the_terms_of_that_name():
    args = [
        "reward_funcs=external_r1v_acc cosine soft_overlong repetition",
        "soft_cache_length=32",
        "cosine_max_len=200",
        "cosine_max_len_value_correct=0.6",
        "repetition_max_penalty=-0.5",
    ]
    _, cosine, overlong, repetition = load_config(Config, args).config.rewards
    assert (cosine.name, cosine.kwargs) == ("cosine_length", {"max_tokens": 200, "right_at_limit": 0.6})
    assert (overlong.name, overlong.kwargs) == ("soft_overlong", {"cache_tokens": 32})
    assert (repetition.name, repetition.kwargs) == ("repetition", {"max_penalty": 0.5})


def test_row_14_a_plugin_file_of_ms_swift_gives_the_names_that_have_no_counterpart():
    args = ["external_plugins=plugin.py", "reward_funcs=external_mine external_kg_jac", "reward_weights=2 1"]
    mine, graph = load_config(Config, args).config.rewards
    assert (mine.name, mine.interface, mine.outcome, mine.weight) == ("plugin.py:external_mine", "trl", True, 2.0)
    assert (graph.name, graph.interface, graph.outcome) == ("graph_jaccard", "radrl", False)
    (own,) = load_config(Config, ["reward_funcs=mine.py:Mine"]).config.rewards
    assert (own.name, own.interface, own.key) == ("mine.py:Mine", "trl", "Mine")


def test_what_a_reward_file_takes_has_no_effect_beside_own_rewards_or_a_preset():
    own = ["rewards=[{name: answer_f1, outcome: true}]", "worker.reward.reward_function=my.py:f"]
    preset = ["worker.reward.reward_function=closeQA.py:compute_score"]
    for args in (own, preset):
        before = load_config(Config, args).config
        beside = ["worker.reward.reward_type=sequential", "worker.reward.reward_function_kwargs.x=1"]
        assert load_config(Config, [*args, *beside, "algorithm.filter_key=accuracy"]).config == before


def test_a_reward_that_cannot_be_found_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"my_function.*write path/to/file\.py:function"):
        load_config(Config, ["worker.reward.reward_function=my_function"])
    with pytest.raises(ConfigError, match=r"'mine' may stand in any of a\.py, b\.py; write FILE\.py:mine"):
        load_config(Config, ["external_plugins=[a.py,b.py]", "reward_funcs=mine"])
    with pytest.raises(ConfigError, match="'external_countdown' has no counterpart"):
        load_config(Config, ["reward_funcs=external_countdown"])


CX_MIND_FILE = """
data:
  train_files: train.jsonl
  val_files: val.jsonl
  prompt_key: problem
  answer_key: answer
  image_key: images
  video_fps: 2.0
  max_prompt_length: 4096
  max_response_length: 4096
  rollout_batch_size: 64
  val_batch_size: -1
  format_prompt: null
  shuffle: true
  seed: 1
  min_pixels: 262144
  max_pixels: 4194304
  filter_overlong_prompts: false
algorithm:
  adv_estimator: grpo
  disable_kl: false
  use_kl_loss: true
  kl_penalty: low_var_kl
  kl_coef: 1.0e-2
  filter_key: overall
worker:
  actor:
    global_batch_size: 16
    micro_batch_size_per_device_for_update: 10
    micro_batch_size_per_device_for_experience: 16
    max_grad_norm: 1.0
    padding_free: true
    ulysses_size: 1
    model:
      model_path: base/model
      enable_gradient_checkpointing: true
      trust_remote_code: false
      freeze_vision_tower: false
    optim: {lr: 1e-6, weight_decay: 1e-2, strategy: adamw, lr_warmup_ratio: 0.0, warmup_style: constant}
    fsdp: {enable_full_shard: true, enable_cpu_offload: false, enable_rank0_init: true}
    offload: {offload_params: true, offload_optimizer: true}
  rollout:
    name: vllm
    n: 10
    temperature: 1.0
    top_p: 0.99
    limit_images: 0
    gpu_memory_utilization: 0.6
    enforce_eager: false
    enable_chunked_prefill: false
    tensor_parallel_size: 2
    val_override_config: {temperature: 0.5, n: 1}
  ref:
    fsdp: {enable_full_shard: true, enable_cpu_offload: true}
    offload: {offload_params: false}
  reward:
    reward_type: batch
    reward_function: ./examples/reward_function/openQA.py:compute_score
trainer:
  total_epochs: 2
  project_name: cx
  experiment_name: open
  logger: [console, tensorboard]
  nnodes: 1
  n_gpus_per_node: 8
  max_try_make_batch: 20
  val_freq: 3
  val_before_train: true
  val_only: false
  val_generations_to_log: 1
  save_freq: 10
  save_limit: 5
  save_checkpoint_path: null
  load_checkpoint_path: null
"""


def test_a_cx_mind_file_loads_and_keeps_what_it_says(tmp_path):
    file = tmp_path / "cx_mind.yaml"
    file.write_text(CX_MIND_FILE, encoding="utf-8")
    loaded = load_config(Config, [f"config={file}"])
    config = loaded.config
    assert (config.trainer.n_gpus_per_node, config.worker.rollout.tensor_parallel_size) == (8, 2)
    assert (config.worker.actor.fsdp.mode, config.worker.actor.fsdp.offload_params) == ("full", True)
    assert (config.data.prompt_key, config.data.rollout_batch_size) == ("problem", 64)
    assert (config.algorithm.kl_coef, config.worker.rollout.n, config.worker.rollout.name) == (0.01, 10, "vllm")
    assert config.worker.rollout.val_override_config.temperature == 0.5
    assert [reward.name for reward in config.rewards if reward.outcome] == ["answer_f1"]
    assert loaded.origins["rewards.1.outcome"] == f"{file}, as worker.reward.reward_function"
    warned = [warning.partition(" (from ")[0] for warning in loaded.warnings]
    assert len(set(warned)) == len(warned)
    assert {"worker.actor.fsdp.enable_full_shard", "worker.actor.offload.offload_params"} <= set(warned)
    assert {"worker.ref.fsdp", "worker.ref.offload"} <= set(warned)
