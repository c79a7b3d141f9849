"""Algorithms of the field by name: the knobs that make each of them, where nobody set them otherwise.

A preset is its paper's objective. Learning rate, batch and length are the run's own. Where a paper leaves a number
open, it is ours and the table says so.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from radrl.config.learning import Algorithm
from radrl.config.seeds import Given

KEY = "algorithm.preset"

_PPO_CLIP: Mapping[str, object] = {
    "algorithm.policy_loss": "clip",
    "worker.actor.clip_ratio_low": 0.2,
    "worker.actor.clip_ratio_high": 0.2,
}
_NO_KL: Mapping[str, object] = {"algorithm.kl_coef": 0.0}


def _kl_in_reward(coef: float) -> Mapping[str, object]:
    return {"algorithm.kl_coef": coef, "algorithm.use_kl_loss": False, "algorithm.kl_penalty": "kl"}


PRESETS: Mapping[Algorithm, Mapping[str, object]] = {
    # PPO (arXiv 1707.06347) as InstructGPT uses it (arXiv 2203.02155: KL in the reward, 0.02); lambda is PPO's 0.95.
    "ppo": {
        **_PPO_CLIP,
        **_kl_in_reward(0.02),
        "algorithm.adv_estimator": "gae",
        "algorithm.gamma": 1.0,
        "algorithm.lam": 0.95,
        "worker.actor.loss_avg_mode": "token",
    },
    # DeepSeekMath (arXiv 2402.03300, eq. 3 and 4): mean over sequences of their means, k3 in the loss, 0.04. The clip,
    # which the paper does not give, is PPO's.
    "grpo": {
        **_PPO_CLIP,
        "algorithm.adv_estimator": "grpo",
        "algorithm.scale_advantages": True,
        "algorithm.kl_coef": 0.04,
        "algorithm.use_kl_loss": True,
        "algorithm.kl_penalty": "low_var_kl",
        "worker.actor.loss_avg_mode": "seq",
    },
    # Dr. GRPO (arXiv 2503.20783, section 3.2): neither the group's deviation nor the sequence's length divides.
    "dr_grpo": {
        **_PPO_CLIP,
        **_NO_KL,
        "algorithm.adv_estimator": "grpo",
        "algorithm.scale_advantages": False,
        "worker.actor.loss_avg_mode": "fixed",
    },
    # DAPO (arXiv 2503.14476, eq. 8 to 12): clip higher, token mean, groups all right or all wrong replaced, no KL. Its
    # length penalty (eq. 13) is the reward `soft_overlong`.
    "dapo": {
        **_PPO_CLIP,
        **_NO_KL,
        "worker.actor.clip_ratio_high": 0.28,
        "algorithm.adv_estimator": "grpo",
        "algorithm.scale_advantages": True,
        "algorithm.online_filtering": True,
        "algorithm.filter_low": 0.0,
        "algorithm.filter_high": 1.0,
        "worker.actor.loss_avg_mode": "token",
    },
    # RLOO (arXiv 2402.14740, eq. 7): REINFORCE on whole sequences, KL in the reward. The coefficient is ours.
    "rloo": {
        **_kl_in_reward(0.05),
        "algorithm.adv_estimator": "rloo",
        "algorithm.policy_loss": "policy_gradient",
        "worker.actor.loss_avg_mode": "fixed",
    },
    # REINFORCE++ (arXiv 2501.03262): return-to-go with the KL in each token's reward, normalised over the batch, PPO's
    # clip. The coefficient is ours.
    "reinforce_plus_plus": {
        **_PPO_CLIP,
        **_kl_in_reward(0.01),
        "algorithm.adv_estimator": "reinforce_plus_plus",
        "algorithm.gamma": 1.0,
        "worker.actor.loss_avg_mode": "token",
    },
    # ReMax (arXiv 2310.10505, algorithm 1): REINFORCE with the greedy answer's reward as baseline. The coefficient is
    # ours.
    "remax": {
        **_kl_in_reward(0.05),
        "algorithm.adv_estimator": "remax",
        "algorithm.policy_loss": "policy_gradient",
        "worker.actor.loss_avg_mode": "fixed",
    },
    # GSPO (arXiv 2507.18071, eq. 5 to 7, clips of section 5.1).
    "gspo": {
        **_NO_KL,
        "algorithm.adv_estimator": "grpo",
        "algorithm.scale_advantages": True,
        "algorithm.policy_loss": "gspo",
        "worker.actor.clip_ratio_low": 3e-4,
        "worker.actor.clip_ratio_high": 4e-4,
        "worker.actor.loss_avg_mode": "seq",
    },
    # CISPO (MiniMax-M1, arXiv 2506.13585, eq. 4 and 5): no lower bound on the weight; the paper tunes the upper one
    # without naming it, and 5 is ours.
    "cispo": {
        **_NO_KL,
        "algorithm.adv_estimator": "grpo",
        "algorithm.scale_advantages": True,
        "algorithm.policy_loss": "cispo",
        "worker.actor.clip_ratio_low": 1.0,
        "worker.actor.clip_ratio_high": 4.0,
        "worker.actor.loss_avg_mode": "token",
    },
}
"""Name -> our dotted keys and their values."""


def preset_settings(given: Sequence[Given]) -> list[Given]:
    """Settings of the presets that a user named, to stand before all that he gave, so that any of it stands over them.

    A configuration within another one, such as the demo's `rl`, has a preset of its own. A name that is none is left
    to the schema, which refuses it.
    """
    named = {item.key: item for item in given if item.key == KEY or item.key.endswith(f".{KEY}")}
    return [
        Given(
            key=key.removesuffix(KEY) + knob, value=value, origin=f"{item.origin}, as {KEY}={item.value}", position=-1
        )
        for key, item in named.items()
        if item.value in PRESETS
        for knob, value in PRESETS[cast("Algorithm", item.value)].items()
    ]
