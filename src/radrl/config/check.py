"""Rules that no single field can state, checked before anything is loaded. Each message says the way out."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from radrl.config.check_algorithm import algorithm_problems
from radrl.config.check_critic import critic_problems
from radrl.config.schema import AdvanceConfig, Config, RewardConfig, StageConfig
from radrl.config.sources import source_name
from radrl.config.tree import leaves
from radrl.errors import ConfigError

VLLM_TEMPERATURES = (0.01, 2.0)
"""Lower temperatures than these are raised by vLLM, all but 0, and higher ones refused."""


def check(
    config: Config,
    *,
    paths: bool,
    supervised: bool = False,
    origins: Mapping[str, str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Raise one ConfigError that lists everything which would stop the run or spoil it.

    `paths` asks whether files and folders are there. `supervised` leaves out the rules of sampling and rewards.
    `origins` are those of `Loaded` and say where a wrong value came from.
    """
    say = _Quote(config, origins or {})
    problems = [*_machine(config, say), *_tokens(config, say), *_cadence(config, say), *_weights(config, say)]
    problems += _mixture(config, say)
    if not supervised:
        problems += [*_batches(config, say), *_sampling(config, say, environment), *algorithm_problems(config, say)]
        problems += critic_problems(config, say)
        problems += [*_outcomes(config), *_stages(config, say), *_debug(config, say)]
    if paths:
        problems += [*_files(config, say, supervised=supervised), *_validation_files(config, say)]
    if problems:
        raise ConfigError("\n".join(problems))


def check_image_tokens(config: Config, *, pixels_per_token: int) -> None:
    """Refuse image limits under which one image alone overflows the prompt; only the loaded model knows its token size.

    `pixels_per_token` is (patch x merge)^2, 784 for Qwen2.5-VL.
    """
    data = config.data
    num_tokens = data.max_pixels // pixels_per_token
    if num_tokens > data.max_prompt_length:
        raise ConfigError(
            f"an image of data.max_pixels = {data.max_pixels} fills {num_tokens} tokens, over data.max_prompt_length = "
            f"{data.max_prompt_length}. Set data.max_pixels to at most {data.max_prompt_length * pixels_per_token}, "
            "less room for the question, or raise data.max_prompt_length."
        )


def check_sequence_length(config: Config, *, longest: int | None) -> None:
    """Refuse sequences longer than a model takes without a change of its positions; None where it has no such limit."""
    data = config.data
    responses = [data.max_response_length, *(stage.max_response_length or 0 for stage in config.curriculum.stages)]
    wanted = data.max_prompt_length + max(responses)
    if longest is not None and wanted > longest:
        raise ConfigError(
            f"data.max_prompt_length = {data.max_prompt_length} and completions of up to {max(responses)} tokens make "
            f"sequences of {wanted}, and this model changes the meaning of positions after {longest}, which a sequence "
            f"must not cross while it is written. Set data.max_prompt_length to at most {longest - max(responses)}."
        )


class _Quote:
    """Quotes a setting: key, value and origin."""

    def __init__(self, config: Config, origins: Mapping[str, str]) -> None:
        self._values = leaves(config)
        self._origins = origins

    def __call__(self, key: str) -> str:
        origin = self._origins.get(key)
        return f"{key} = {self._values[key]}" + (f" (from {origin})" if origin else "")


def _machine(config: Config, say: _Quote) -> Iterator[str]:
    trainer, actor = config.trainer, config.worker.actor
    num_ranks = trainer.nnodes * trainer.n_gpus_per_node
    if num_ranks % actor.ulysses_size:
        yield (
            f"{say('worker.actor.ulysses_size')} ranks share rows, and the {num_ranks} of {say('trainer.nnodes')} and "
            f"{say('trainer.n_gpus_per_node')} cannot be put in groups of so many. Set it to a divisor of {num_ranks}."
        )
    if actor.ulysses_size > trainer.n_gpus_per_node:
        yield (
            f"{say('worker.actor.ulysses_size')} is over {say('trainer.n_gpus_per_node')}, but ranks that share rows "
            "must be on one machine. Lower the first."
        )
    rollout = config.worker.rollout
    key = "trainer.n_gpus_per_node" if rollout.placement == "colocated" else "worker.rollout.num_gpus"
    gpus = trainer.n_gpus_per_node if rollout.placement == "colocated" else rollout.num_gpus
    if gpus % rollout.tensor_parallel_size:
        yield (
            f"{say('worker.rollout.tensor_parallel_size')} does not divide {say(key)}. Set it to a divisor, so that "
            "every copy of the weights is whole and on one machine."
        )
    if rollout.tensor_parallel_size > 1 and rollout.name != "vllm":
        yield (
            f"{say('worker.rollout.tensor_parallel_size')} divides vLLM's weights, but {say('worker.rollout.name')}. "
            "Set the first to 1, or the second to vllm."
        )
    if rollout.placement == "apart" and not trainer.needs_cluster:
        yield (
            f"{say('worker.rollout.placement')}, but the run is one process. Set trainer.ray_address=local to place "
            "the sampler on a cluster of this machine, or worker.rollout.placement=colocated."
        )
    if trainer.profile_steps and trainer.needs_cluster:
        yield (
            f"{say('trainer.profile_steps')} profiles the run's own process, which computes nothing when workers do. "
            "Leave it out, or set trainer.nnodes=1, trainer.n_gpus_per_node=1 and no trainer.ray_address."
        )


def _tokens(config: Config, say: _Quote) -> Iterator[str]:
    actor = config.worker.actor
    if actor.row_tokens > actor.micro_batch_tokens:
        yield (
            f"{say('worker.actor.row_tokens')} is over {say('worker.actor.micro_batch_tokens')}, "
            "which is to hold whole rows. Lower the first or raise the second."
        )
    limits = [config.data.max_response_length, *(stage.max_response_length or 0 for stage in config.curriculum.stages)]
    longest = config.data.max_prompt_length + max(limits)
    if longest > actor.row_tokens:
        yield (
            f"the longest prompt and completion together, {longest} tokens, do not fit "
            f"{say('worker.actor.row_tokens')}. Set it to {longest} or more, or lower "
            "data.max_prompt_length or data.max_response_length."
        )


def _debug(config: Config, say: _Quote) -> Iterator[str]:
    trainer = config.trainer
    if trainer.debug == "replay" and trainer.replay_file is None:
        yield (
            f"{say('trainer.debug')}, but trainer.replay_file is not given. Name the completions.jsonl of an earlier "
            "run."
        )
    if trainer.debug != "replay" and trainer.replay_file is not None:
        yield f"{say('trainer.replay_file')} is read by trainer.debug=replay alone. Set that too, or leave it out."
    if trainer.debug == "replay" and config.algorithm.adv_estimator == "remax":
        yield (
            f"{say('algorithm.adv_estimator')} samples a greedy answer a prompt, which {say('trainer.debug')} has not "
            "recorded. Choose another estimator or run without replay."
        )


def _cadence(config: Config, say: _Quote) -> Iterator[str]:
    trainer, data = config.trainer, config.data
    for key, value, none in (
        ("trainer.save_freq", trainer.save_freq, "-1 to save at the end only"),
        ("trainer.save_limit", trainer.save_limit, "-1 to keep all checkpoints"),
        ("trainer.val_freq", trainer.val_freq, "-1 to validate at the end only"),
        ("trainer.max_try_make_batch", trainer.max_try_make_batch, "-1 for no limit"),
        ("data.val_max_samples", data.val_max_samples, "-1 to take all"),
    ):
        if value == 0 or value < -1:
            yield f"{say(key)} means nothing. Give a number from 1, or {none}."
    for key, wants in (
        ("trainer.val_freq", trainer.val_freq > 0),
        ("trainer.val_before_train", trainer.val_before_train),
        ("trainer.val_only", trainer.val_only),
    ):
        if wants and not _is_validated(config):
            yield f"{say(key)}, but data.val_files is empty. Name files there."
    for key, wants in (("trainer.log_text", trainer.log_text), ("trainer.log_images", trainer.log_images)):
        if wants and not trainer.val_generations_to_log:
            yield f"{say(key)}, but {say('trainer.val_generations_to_log')}. Say how many completions to show there."


def _weights(config: Config, say: _Quote) -> Iterator[str]:
    lora = config.worker.actor.model.lora
    if lora.dropout:
        yield (
            f"{say('worker.actor.model.lora.dropout')}, but with dropout the trainer's probabilities are not those of "
            "the sampler, and the ratio is not 1 where it should be. Set it to 0."
        )
    if lora.path is not None and lora.rank:
        yield (
            f"{say('worker.actor.model.lora.path')} brings an adapter with its own rank, and "
            f"{say('worker.actor.model.lora.rank')} asks for a new one. Leave one of them out."
        )


def _batches(config: Config, say: _Quote) -> Iterator[str]:
    rollout, update = config.data.rollout_batch_size, config.worker.actor.global_batch_size
    if rollout % update:
        yield (
            f"{say('data.rollout_batch_size')} is not a multiple of {say('worker.actor.global_batch_size')}. "
            f"Set the second to a divisor of the first, such as {rollout}."
        )


def _sampling(config: Config, say: _Quote, environment: Mapping[str, str]) -> Iterator[str]:
    rollout, algorithm = config.worker.rollout, config.algorithm
    if rollout.top_p != 1:
        yield (
            f"{say('worker.rollout.top_p')} would truncate the distribution that rollouts are drawn from "
            "and bias the ratio. Set worker.rollout.top_p=1."
        )
    if rollout.top_k != -1:
        yield (
            f"{say('worker.rollout.top_k')} would truncate the distribution that rollouts are drawn from "
            "and bias the ratio. Set worker.rollout.top_k=-1."
        )
    if rollout.name == "vllm":
        yield from _vllm(config, say, environment)
    if algorithm.filter_low >= algorithm.filter_high:
        yield (
            f"{say('algorithm.filter_low')} is not below {say('algorithm.filter_high')}, "
            "so no group could be kept. Lower the first."
        )


def _vllm(config: Config, say: _Quote, environment: Mapping[str, str]) -> Iterator[str]:
    rollout = config.worker.rollout
    for key, value in (
        ("worker.rollout.temperature", rollout.temperature),
        ("worker.rollout.val_override_config.temperature", rollout.val_override_config.temperature),
    ):
        least, most = VLLM_TEMPERATURES
        if value and not least <= value <= most:
            yield (
                f"{say(key)}, but vLLM samples at temperatures from {least} to {most} only, or greedily at 0. Change "
                "it, or set worker.rollout.name=native."
            )
    if "expandable_segments:True" in environment.get("PYTORCH_CUDA_ALLOC_CONF", "") and rollout.sleep != "none":
        yield (
            f"PYTORCH_CUDA_ALLOC_CONF (from the environment) has expandable_segments, which vLLM's sleep "
            f"({say('worker.rollout.sleep')}) does not work with. Unset the variable, or set worker.rollout.sleep=none."
        )


def _outcomes(config: Config) -> Iterator[str]:
    named = {"rewards": config.rewards}
    for index, stage in enumerate(config.curriculum.stages):
        if stage.rewards:
            named[f"curriculum.stages.{index}.rewards"] = stage.rewards
    for key, rewards in named.items():
        outcomes = [reward.name for reward in rewards if reward.outcome]
        if len(outcomes) != 1:
            yield (
                f"{key} declares {len(outcomes)} outcomes ({_names(rewards)}), but filters, gates and validation look "
                "at exactly one. Set `outcome: true` on the entry that scores the final answer, and on no other."
            )


def _stages(config: Config, say: _Quote) -> Iterator[str]:
    names = [stage.name for stage in config.curriculum.stages]
    for index, stage in enumerate(config.curriculum.stages):
        key = f"curriculum.stages.{index}"
        if (stage.epochs is None) == (stage.steps is None):
            given = "neither epochs nor steps" if stage.epochs is None else "both epochs and steps"
            yield f"{key} ({stage.name}) has {given}. Give exactly one of them."
        if stage.name in names[:index]:
            yield f"{say(f'{key}.name')} is the name of an earlier stage too. Give each stage its own."
        if "/" in stage.name or not stage.name:
            yield f"{say(f'{key}.name')} cannot be the name of a file. Give it a name without a slash."
        yield from _stage_data(stage, key, config, say)
        if stage.advance is not None:
            yield from _advance(stage, stage.advance, f"{key}.advance", config, say)


def _mixture(config: Config, say: _Quote) -> Iterator[str]:
    data = config.data
    if data.train_weights and len(data.train_weights) != len(data.train_files):
        yield (
            f"{say('data.train_weights')} has {len(data.train_weights)} shares for {len(data.train_files)} sources. "
            "Give one for each of data.train_files, in their order."
        )
    if data.train_weights and config.curriculum.stages:
        yield (
            f"{say('data.train_weights')} is for a run without stages. Give shares as "
            "curriculum.stages.N.data.weights instead."
        )


def _stage_data(stage: StageConfig, key: str, config: Config, say: _Quote) -> Iterator[str]:
    data = stage.data
    num_files = len(data.train_files or config.data.train_files)
    if data.weights and len(data.weights) != num_files:
        yield (
            f"{say(f'{key}.data.weights')} has {len(data.weights)} shares for {num_files} files. "
            "Give one for each of the stage's train_files, in their order."
        )
    if data.twins and config.data.rollout_batch_size % 2:
        yield (
            f"{key}.data.twins draws prompts in pairs, but {say('data.rollout_batch_size')} is odd. Make it even, "
            "or set the first to false."
        )
    if data.twins and config.algorithm.online_filtering:
        yield (
            f"{key}.data.twins keeps twins together, but {say('algorithm.online_filtering')} would drop one without "
            "the other. Set one of them to false."
        )
    band = data.pass_rate
    if band is not None and band.low > band.high:
        yield (
            f"{say(f'{key}.data.pass_rate.low')} is over {say(f'{key}.data.pass_rate.high')}, "
            "so no prompt could be within the band. Lower the first."
        )


def _advance(stage: StageConfig, rule: AdvanceConfig, key: str, config: Config, say: _Quote) -> Iterator[str]:
    if (rule.outcome_at_least is None) == (rule.plateau is None):
        given = "neither outcome_at_least nor plateau" if rule.plateau is None else "both outcome_at_least and plateau"
        yield f"{key} ({stage.name}) has {given}. Give exactly one of them."
    if not (stage.data.val_files or config.data.val_files):
        yield (
            f"{key} ({stage.name}) looks at validations, but the stage has no validation files. Name them under "
            f"{key.removesuffix('.advance')}.data.val_files or data.val_files."
        )
    if config.trainer.val_freq <= 0:
        yield (
            f"{key} ({stage.name}) looks at validations, but {say('trainer.val_freq')}, so there are none within the "
            "stage. Set it to a number of steps."
        )


def _is_validated(config: Config) -> bool:
    """Whether every stage has validation files, its own or the run's."""
    stages = config.curriculum.stages
    return bool(config.data.val_files) or (bool(stages) and all(stage.data.val_files for stage in stages))


def _files(config: Config, say: _Quote, *, supervised: bool) -> Iterator[str]:
    data, model = config.data, config.worker.actor.model
    stages = () if supervised else config.curriculum.stages
    if not data.train_files and not (stages and all(stage.data.train_files for stage in stages)):
        yield "data.train_files is empty. Name the files to train on, such as data.train_files=train.jsonl."
    yield from _missing_source("data.train_files", data.train_files, say)
    for index, stage in enumerate(stages):
        key = f"curriculum.stages.{index}.data"
        yield from _missing_source(f"{key}.train_files", stage.data.train_files, say)
        yield from _missing_source(f"{key}.val_files", stage.data.val_files, say)
        yield from _missing(f"{key}.format_prompt", _one(stage.data.format_prompt), say)
    if not model.model_path:
        yield (
            "worker.actor.model.model_path is empty. Name a Hugging Face folder; "
            "`radrl tiny --out DIR` builds a small one."
        )
    yield from _missing_model("worker.actor.model.model_path", model.model_path, say)
    critic = config.worker.critic.model
    if critic is not None and config.algorithm.adv_estimator == "gae" and not supervised:
        yield from _missing_model("worker.critic.model.model_path", critic.model_path, say)
    yield from _missing("worker.actor.model.tokenizer_path", _one(model.tokenizer_path), say)
    yield from _missing("data.image_dir", _one(data.image_dir), say)
    yield from _missing("data.format_prompt", _one(data.format_prompt), say)
    yield from _missing("trainer.load_checkpoint_path", _one(config.trainer.load_checkpoint_path), say)


def _validation_files(config: Config, say: _Quote) -> Iterator[str]:
    yield from _missing_source("data.val_files", config.data.val_files, say)


def _missing(key: str, files: tuple[str, ...], say: _Quote) -> Iterator[str]:
    for file in files:
        if not Path(file).exists():
            yield f"{say(key)}: {file} does not exist. Correct the path; relative ones start from {Path.cwd()}."


def _missing_source(key: str, sources: tuple[str, ...], say: _Quote) -> Iterator[str]:
    """Like `_missing`, of sources of rows: they may be on the hub, and name a split."""
    names = [source_name(source) for source in sources]
    yield from _missing(key, tuple(name.path for name in names if not name.may_be_on_hub), say)


def _missing_model(key: str, path: str, say: _Quote) -> Iterator[str]:
    if path and not Path(path).exists() and not _may_be_hub_name(path):
        yield f"{say(key)} does not exist. Name an existing folder."


def _one(path: str | None) -> tuple[str, ...]:
    return () if path is None else (path,)


def _may_be_hub_name(name: str) -> bool:
    """`owner/model` may be on the hub; anything that looks more like a path may not."""
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).parent.exists()


def _names(rewards: tuple[RewardConfig, ...]) -> str:
    return ", ".join(reward.name for reward in rewards) or "no rewards"
