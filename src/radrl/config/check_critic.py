"""Rules of the critic, which there is with `algorithm.adv_estimator: gae` alone. Each message says the way out."""

from collections.abc import Callable, Iterator

from radrl.config.schema import Config

Say = Callable[[str], str]
"""Quotes a setting by its key: value and origin."""


def critic_problems(config: Config, say: Say) -> Iterator[str]:
    """Everything that would stop a critic or spoil what it learns."""
    yield from _warm_up(config, say)
    if config.algorithm.adv_estimator == "gae":
        yield from _sizes(config, say)
        yield from _weights(config, say)


def _warm_up(config: Config, say: Say) -> Iterator[str]:
    trainer = config.trainer
    if not trainer.critic_warmup:
        return
    if config.algorithm.adv_estimator != "gae":
        yield (
            f"{say('trainer.critic_warmup')} lets the policy wait for a critic, but "
            f"{say('algorithm.adv_estimator')} has none. Set the first to 0, or the second to gae."
        )
    if trainer.debug == "replay":
        yield (
            f"{say('trainer.debug')} takes the rollouts of a step by the policy's version, which stays as it is for "
            f"{say('trainer.critic_warmup')} steps. Set the second to 0."
        )


def _sizes(config: Config, say: Say) -> Iterator[str]:
    critic, actor, data = config.worker.critic, config.worker.actor, config.data
    sizes = critic.sizes(actor)
    if critic.global_batch_size is not None and data.rollout_batch_size % critic.global_batch_size:
        yield (
            f"{say('data.rollout_batch_size')} is not a multiple of {say('worker.critic.global_batch_size')}. "
            f"Set the second to a divisor of the first, such as {data.rollout_batch_size}."
        )
    if critic.row_tokens is None and critic.micro_batch_tokens is None:
        return
    if sizes.row_tokens > sizes.micro_batch_tokens:
        yield (
            f"the critic's rows of {sizes.row_tokens} tokens do not fit its passes of {sizes.micro_batch_tokens}. "
            f"Lower worker.critic.row_tokens or raise worker.critic.micro_batch_tokens."
        )
    limits = [data.max_response_length, *(stage.max_response_length or 0 for stage in config.curriculum.stages)]
    longest = data.max_prompt_length + max(limits)
    if longest > sizes.row_tokens:
        yield (
            f"the longest prompt and completion together, {longest} tokens, do not fit "
            f"{say('worker.critic.row_tokens')}. Set it to {longest} or more, or leave it out to take the actor's."
        )


def _weights(config: Config, say: Say) -> Iterator[str]:
    model = config.worker.critic.model
    if config.worker.critic.fsdp.offload_params:
        yield (
            f"{say('worker.critic.fsdp.offload_params')}, but a critic's weights stay on the GPU. Set it to false; "
            "worker.critic.optim.offload lets its moments wait on the CPU."
        )
    if model is None:
        return
    if model.lora.dropout:
        yield (
            f"{say('worker.critic.model.lora.dropout')}, but models stay in evaluation mode, where nothing is dropped. "
            "Set it to 0."
        )
    if model.lora.path is not None and model.lora.rank:
        yield (
            f"{say('worker.critic.model.lora.path')} brings an adapter with its own rank, and "
            f"{say('worker.critic.model.lora.rank')} asks for a new one. Leave one of them out."
        )
