"""ms-swift's GRPO arguments, as CheX-Phi4MM's scripts give them, and what they are called here."""

from functools import partial

from radrl.config.foreign_rewards import PLUGINS, swift_entries
from radrl.config.seeds import (
    SeedKey,
    chosen,
    known_loggers,
    refused_unless,
    renamed,
    without_effect,
)
from radrl.config.swift_values import (
    ARGUMENTS,
    LORA,
    REWARD_FUNCS,
    both_clips,
    dynamic_sample,
    frozen,
    frozen_but,
    loss_type,
    max_steps,
    of_lora,
    reward_argument,
    reward_funcs,
    reward_weights,
    train_type,
    trained,
    trained_alone,
    tries,
)

_PROMPTS = "give data.rollout_batch_size and worker.actor.global_batch_size, in prompts"
_ENGINE = "vLLM is in the workers' own processes and gets what follows from the run's lengths and batch sizes"
_MEMORY = "worker.actor.micro_batch_tokens bounds the memory of a pass"
_BY_NAME = "worker.actor.model.frozen holds weights by expressions of their names; give them there instead"
MS_SWIFT: tuple[SeedKey, ...] = (
    # model and data
    SeedKey(key="model", example="out/sft", becomes=renamed("worker.actor.model.model_path"), note="starting weights"),
    SeedKey(key="dataset", example="train.json", becomes=renamed("data.train_files"), note="set data.layout too"),
    SeedKey(key="val_dataset", example="val.json", becomes=renamed("data.val_files"), note="set data.layout too"),
    SeedKey(key="max_length", example=8192, becomes=renamed("data.max_prompt_length"), note="tokens, images included"),
    SeedKey(
        key="truncation_strategy",
        example="left",
        becomes=without_effect,
        note="prompts are never cut; data.filter_overlong_prompts drops them",
    ),
    SeedKey(
        key="torch_dtype",
        example="bfloat16",
        becomes=chosen("trainer.dtype", {"bfloat16": "bfloat16", "float32": "float32"}),
        note="type of the policy's weights",
    ),
    SeedKey(
        key="train_type",
        example="lora",
        becomes=train_type,
        fallbacks=frozenset({f"{LORA}.rank", f"{LORA}.alpha"}),
        note="lora is a new adapter, of rank 8 and alpha 32 where nothing else is given; dummy and full attach none",
    ),
    SeedKey(
        key="lora_rank",
        example=16,
        becomes=renamed(f"{LORA}.rank"),
        beside=partial(of_lora, key="rank"),
        note="with train_type=lora",
    ),
    SeedKey(
        key="lora_alpha",
        example=32,
        becomes=renamed(f"{LORA}.alpha"),
        beside=partial(of_lora, key="alpha"),
        note="with train_type=lora",
    ),
    SeedKey(
        key="lora_dropout",
        example=0.05,
        becomes=without_effect,
        note="the adapter is without dropout, or the trainer's probabilities would not be the sampler's",
    ),
    SeedKey(
        key="target_modules",
        example="all-linear",
        becomes=refused_unless(
            "all-linear", ["all-linear"], way_out=f"{LORA}.targets is an expression of whole layer names; give it"
        ),
        note="the linear layers of the language model are adapted",
    ),
    SeedKey(
        key="adapters",
        example="out/sft/adapter",
        becomes=renamed(f"{LORA}.path"),
        note="an adapter to go on with",
    ),
    SeedKey(
        key="freeze_parameters",
        example=["model.visual"],
        becomes=frozen,
        beside=frozen_but,
        note="names that begin so, other than those of trainable_parameters",
    ),
    SeedKey(
        key="trainable_parameters",
        example=["lm_head"],
        becomes=trained,
        beside=trained_alone,
        note="names that begin so; beside freeze_parameters they are left out of what that holds",
    ),
    SeedKey(
        key="freeze_vit",
        example=True,
        becomes=renamed("worker.actor.model.freeze_vision_tower"),
        note="the image encoder",
    ),
    SeedKey(
        key="freeze_llm",
        example=True,
        becomes=refused_unless(False, way_out=_BY_NAME),
        note="what is trained would differ",
    ),
    SeedKey(
        key="freeze_aligner",
        example=True,
        becomes=refused_unless(False, way_out=_BY_NAME),
        note="what is trained would differ",
    ),
    SeedKey(
        key="rlhf_type",
        example="grpo",
        becomes=refused_unless("grpo", way_out="only grpo and its relatives are trained here; see algorithm.preset"),
        note="`radrl train` is GRPO",
    ),
    SeedKey(
        key="model_type", example="phi4_multimodal", becomes=without_effect, note="the model's config.json says it"
    ),
    SeedKey(
        key="template", example="phi4_multimodal", becomes=without_effect, note="the model's own chat template is used"
    ),
    # algorithm
    SeedKey(key="num_generations", example=8, becomes=renamed("worker.rollout.n"), note="completions a prompt"),
    SeedKey(key="max_completion_length", example=256, becomes=renamed("data.max_response_length"), note="tokens"),
    SeedKey(key="beta", example=0.04, becomes=renamed("algorithm.kl_coef"), note="weight of the KL term"),
    SeedKey(
        key="epsilon",
        example=0.2,
        becomes=both_clips,
        fallbacks=frozenset({"worker.actor.clip_ratio_high"}),
        note="both clips, unless the upper one has its own value",
    ),
    SeedKey(key="epsilon_high", example=0.28, becomes=renamed("worker.actor.clip_ratio_high"), note="the upper clip"),
    SeedKey(
        key="num_iterations", example=1, becomes=renamed("worker.actor.ppo_epochs"), note="passes over a rollout batch"
    ),
    SeedKey(
        key="scale_rewards",
        example=True,
        becomes=renamed("algorithm.scale_advantages"),
        note="whether the group's deviation divides",
    ),
    SeedKey(
        key="dynamic_sample",
        example=True,
        becomes=dynamic_sample,
        note="the threshold of 0.06 is CheX-Phi4MM's, and applies to the declared outcome; there are no bounds on its "
        "mean, and a batch that stays short falls back to its first groups",
    ),
    SeedKey(
        key="max_resample_times",
        example=4,
        becomes=tries,
        note="the first sampling counts as a try",
    ),
    SeedKey(
        key="overlong_filter",
        example=True,
        becomes=renamed("algorithm.mask_truncated"),
        note="completions cut at their limit are left out of the loss",
    ),
    SeedKey(key="loss_type", example="dr_grpo", becomes=loss_type, note="which mean the loss is"),
    SeedKey(
        key="importance_sampling_level",
        example="sequence",
        becomes=chosen("algorithm.policy_loss", {"token": "clip", "sequence": "gspo", "sequence_token": "gspo_token"}),
        note="whose ratio is clipped",
    ),
    SeedKey(
        key="advantage_estimator",
        example="rloo",
        becomes=chosen(
            "algorithm.adv_estimator",
            {"grpo": "grpo", "rloo": "rloo", "reinforce_plus_plus": "reinforce_plus_plus"},
        ),
        note="same meaning",
    ),
    SeedKey(
        key="kl_in_reward",
        example=True,
        becomes=lambda value: {} if value is None else {"algorithm.use_kl_loss": not value},
        note="the KL term is in the reward or in the loss",
    ),
    SeedKey(key="temperature", example=0.9, becomes=renamed("worker.rollout.temperature"), note="of training rollouts"),
    SeedKey(key="top_p", example=1.0, becomes=renamed("worker.rollout.top_p"), note="must be 1 in training"),
    SeedKey(key="top_k", example=-1, becomes=renamed("worker.rollout.top_k"), note="must be -1 in training"),
    SeedKey(
        key="repetition_penalty",
        example=1.0,
        becomes=refused_unless(1, 1.0, way_out="a penalty would bias the ratio; set it to 1"),
        note="a penalty would bias the ratio",
    ),
    SeedKey(
        key="reward_funcs",
        example=["external_r1v_acc", "external_kg_jac"],
        becomes=reward_funcs,
        beside=partial(swift_entries, known=REWARD_FUNCS),
        fallbacks=frozenset({"rewards"}),
        note="the corrected rules of the same intent; other names are looked up in the file of external_plugins",
    ),
    SeedKey(key="reward_weights", example=[1.0, 1.0], becomes=reward_weights, note="one for each entry of `rewards`"),
    *(
        SeedKey(
            key=key,
            example=example,
            becomes=without_effect,
            beside=partial(reward_argument, function=function, argument=argument),
            note=f"it is the argument {argument} of {function}, where reward_funcs names that",
        )
        for key, (function, argument, example) in ARGUMENTS.items()
    ),
    SeedKey(
        key=PLUGINS,
        example="plugin.py",
        becomes=without_effect,
        note="it is only run for the names in reward_funcs that have no counterpart",
    ),
    # optimizer and length of training
    SeedKey(key="learning_rate", example=4e-6, becomes=renamed("worker.actor.optim.lr"), note="peak"),
    SeedKey(
        key="warmup_ratio",
        example=0.1,
        becomes=renamed("worker.actor.optim.lr_warmup_ratio"),
        note="share of all steps",
    ),
    SeedKey(
        key="warmup_steps", example=10, becomes=renamed("worker.actor.optim.lr_warmup_steps"), note="optimizer steps"
    ),
    SeedKey(
        key="lr_scheduler_type",
        example="cosine",
        becomes=chosen(
            "worker.actor.optim.lr_schedule",
            {"cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant"},
        ),
        note="shape after the warm-up",
    ),
    SeedKey(
        key="weight_decay", example=0.1, becomes=renamed("worker.actor.optim.weight_decay"), note="on matrices only"
    ),
    SeedKey(key="adam_beta1", example=0.9, becomes=renamed("worker.actor.optim.betas.0"), note="first moment"),
    SeedKey(key="adam_beta2", example=0.95, becomes=renamed("worker.actor.optim.betas.1"), note="second moment"),
    SeedKey(key="max_grad_norm", example=1.0, becomes=renamed("worker.actor.max_grad_norm"), note="same meaning"),
    SeedKey(key="num_train_epochs", example=1, becomes=renamed("trainer.total_epochs"), note="of a run without stages"),
    SeedKey(key="max_steps", example=-1, becomes=max_steps, note="-1 means no limit there"),
    SeedKey(key="per_device_train_batch_size", example=8, becomes=without_effect, note=_PROMPTS),
    SeedKey(key="gradient_accumulation_steps", example=1, becomes=without_effect, note=_PROMPTS),
    SeedKey(key="per_device_eval_batch_size", example=8, becomes=without_effect, note="give data.val_batch_size"),
    SeedKey(key="seed", example=42, becomes=renamed("trainer.seed"), note="one seed serves the whole run"),
    # what is written
    SeedKey(
        key="output_dir", example="out/grpo", becomes=renamed("trainer.save_checkpoint_path"), note="the run folder"
    ),
    SeedKey(
        key="resume_from_checkpoint",
        example="out/grpo/checkpoints/global_step_10",
        becomes=renamed("trainer.load_checkpoint_path"),
        note="the same command in the same folder resumes without it",
    ),
    SeedKey(key="save_steps", example=1000, becomes=renamed("trainer.save_freq"), note="training steps"),
    SeedKey(key="save_total_limit", example=2, becomes=renamed("trainer.save_limit"), note="checkpoints kept"),
    SeedKey(
        key="save_only_model",
        example=True,
        becomes=renamed("trainer.save_model_only"),
        note="checkpoints of the model alone, which no run can resume from",
    ),
    SeedKey(key="eval_steps", example=100, becomes=renamed("trainer.val_freq"), note="training steps"),
    SeedKey(key="logging_steps", example=1, becomes=without_effect, note="every step is logged"),
    SeedKey(
        key="log_completions", example=True, becomes=without_effect, note="completions.jsonl holds every completion"
    ),
    SeedKey(key="report_to", example=["tensorboard"], becomes=known_loggers, note="metrics.jsonl is always there"),
    # engine
    SeedKey(
        key="use_vllm",
        example=True,
        becomes=chosen("worker.rollout.name", {True: "vllm", False: "native"}),
        note="which sampler draws the completions",
    ),
    SeedKey(key="use_lmdeploy", example=False, becomes=without_effect, note=_ENGINE),
    SeedKey(
        key="vllm_enforce_eager",
        example=False,
        becomes=renamed("worker.rollout.enforce_eager"),
        note="whether vLLM captures no graphs",
    ),
    SeedKey(key="vllm_*", example=None, becomes=without_effect, note=_ENGINE),
    SeedKey(key="num_infer_workers", example=1, becomes=without_effect, note=_ENGINE),
    SeedKey(
        key="tensor_parallel_size",
        example=2,
        becomes=renamed("worker.rollout.tensor_parallel_size"),
        note="GPUs that hold one copy of vLLM's weights together",
    ),
    SeedKey(key="async_generate", example=False, becomes=without_effect, note=_ENGINE),
    SeedKey(
        key="sleep_level",
        example=1,
        becomes=chosen("worker.rollout.sleep", {0: "none", 1: 1, 2: 2}),
        note="what vLLM gives back during the update",
    ),
    SeedKey(key="move_model_batches", example=None, becomes=without_effect, note=_ENGINE),
    SeedKey(key="ds3_gather_for_generation", example=True, becomes=without_effect, note=_ENGINE),
    SeedKey(key="offload_*", example=False, becomes=without_effect, note=_MEMORY),
    SeedKey(key="gc_collect_after_offload", example=False, becomes=without_effect, note=_MEMORY),
    SeedKey(key="mini_batch_size", example=None, becomes=without_effect, note=_MEMORY),
    SeedKey(
        key="gradient_checkpointing",
        example=True,
        becomes=chosen("worker.actor.activations", {True: "auto", False: "keep"}),
        note="activations are computed again only where they would not fit",
    ),
    SeedKey(key="gradient_checkpointing_kwargs", example={}, becomes=without_effect, note=_MEMORY),
    SeedKey(key="attn_impl", example="flash_attn", becomes=without_effect, note="attention is PyTorch's own"),
    SeedKey(
        key="deepspeed",
        example="zero2",
        becomes=without_effect,
        note="worker.actor.fsdp.mode says how weights are held (full, zero2, replicate)",
    ),
    SeedKey(key="dataloader_num_workers", example=4, becomes=without_effect, note="one process reads the data"),
    SeedKey(
        key="multi_turn_func",
        example="calculator",
        becomes=refused_unless(way_out="a completion is one turn; leave the argument out"),
        note="a completion is one turn",
    ),
)
