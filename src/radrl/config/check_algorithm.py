"""Rules among the knobs of the algorithm, and between them and the rollouts'. Each message says the way out."""

from collections.abc import Callable, Iterator

from radrl.config.schema import Config

Say = Callable[[str], str]
"""Quotes a setting by its key: value and origin."""


def algorithm_problems(config: Config, say: Say) -> Iterator[str]:
    """Everything that would make the objective another one than asked for."""
    yield from _estimator(config, say)
    yield from _kl(config, say)
    yield from _ratio(config, say)
    yield from _averaging(config, say)


def _estimator(config: Config, say: Say) -> Iterator[str]:
    rollout, algorithm = config.worker.rollout, config.algorithm
    if rollout.n < 2 and algorithm.adv_estimator in ("grpo", "rloo"):
        yield (
            f"{say('worker.rollout.n')}, but {say('algorithm.adv_estimator')} compares "
            "the completions of a group. Set worker.rollout.n to 2 or more; 8 is usual."
        )
    elif rollout.n < 2 and algorithm.online_filtering:
        yield (
            f"{say('worker.rollout.n')}, but {say('algorithm.online_filtering')} looks at the spread within a group. "
            "Set worker.rollout.n to 2 or more, or the filter to false."
        )


def _kl(config: Config, say: Say) -> Iterator[str]:
    algorithm = config.algorithm
    if algorithm.kl_penalty == "full" and algorithm.kl_coef > 0:
        yield (
            f"{say('algorithm.kl_penalty')} compares whole distributions, but only the log-probabilities of the "
            "sampled tokens are held. Set it to low_var_kl, the unbiased estimate of the same, or to kl, abs or mse."
        )
    if algorithm.kl_type == "adaptive" and algorithm.kl_coef == 0:
        yield (
            f"{say('algorithm.kl_type')} multiplies the coefficient, but {say('algorithm.kl_coef')} stays 0 whatever "
            "it is multiplied by. Give algorithm.kl_coef a start, such as 0.01, or set algorithm.kl_type=fixed."
        )


def _ratio(config: Config, say: Say) -> Iterator[str]:
    algorithm = config.algorithm
    is_weighted_twice = algorithm.correction in ("truncate", "mask") and algorithm.policy_loss != "policy_gradient"
    one_step_off = config.trainer.one_step_off
    ratio = algorithm.ratio_for(num_updates=num_updates(config), one_step_off=one_step_off)
    if ratio == "bypass" and is_weighted_twice:
        yield (
            f"{say('algorithm.correction')} would weight the trainer's disagreement with the sampler twice: with "
            f"{num_updates(config)} updates a rollout batch and {say('algorithm.ratio_mode')} the ratio holds it "
            "already. Set algorithm.correction=reject, or algorithm.ratio_mode=decoupled."
        )
    is_uncorrected = ratio == "decoupled" or algorithm.policy_loss == "policy_gradient"
    if one_step_off and algorithm.correction == "none" and is_uncorrected:
        yield (
            f"{say('trainer.one_step_off')} learns from what weights one step older wrote, and with "
            f"{say('algorithm.correction')} nothing accounts for the difference. Set algorithm.correction=truncate, or "
            "algorithm.ratio_mode=bypass with a loss that has a ratio."
        )


def _averaging(config: Config, say: Say) -> Iterator[str]:
    actor = config.worker.actor
    limits = [stage.max_response_length or config.data.max_response_length for stage in config.curriculum.stages]
    longest = max(limits, default=config.data.max_response_length)
    if actor.loss_avg_mode == "fixed" and actor.loss_length < longest:
        yield (
            f"{say('worker.actor.loss_length')} divides the sum over a completion, which may have {longest} tokens. "
            f"Set it to {longest} or more, so that the loss stays within a mean."
        )


def num_updates(config: Config) -> int:
    """Optimizer steps a rollout batch."""
    actor = config.worker.actor
    return actor.ppo_epochs * max(config.data.rollout_batch_size // actor.global_batch_size, 1)
