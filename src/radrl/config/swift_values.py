"""What the values of ms-swift's arguments become here."""

import re
from collections.abc import Mapping
from typing import Any

from radrl.config.seeds import (
    Given,
    Settings,
    listed,
)

LORA = "worker.actor.model.lora"

REWARD_FUNCS: Mapping[str, Mapping[str, object]] = {
    "external_r1v_acc": {"name": "answer_f1", "outcome": True},
    "external_kg_jac": {"name": "graph_jaccard"},
    "external_kg_acc": {"name": "graph_f1"},
    "external_math_acc": {"name": "math_accuracy", "outcome": True},
    "external_math_format": {"name": "format"},
    "accuracy": {"name": "math_accuracy", "outcome": True},
    "format": {"name": "format"},
    "cosine": {"name": "cosine_length"},
    "repetition": {"name": "repetition"},
    "soft_overlong": {"name": "soft_overlong"},
}
"""Theirs -> our corrected term. Any overlap with the gold set earned the whole point there; here it is the set's F1."""

ARGUMENTS: Mapping[str, tuple[str, str, object]] = {
    "soft_max_length": ("soft_overlong", "max_tokens", 256),
    "soft_cache_length": ("soft_overlong", "cache_tokens", 64),
    "cosine_min_len_value_correct": ("cosine", "right_at_once", 1.0),
    "cosine_max_len_value_correct": ("cosine", "right_at_limit", 0.5),
    "cosine_min_len_value_wrong": ("cosine", "wrong_at_once", -0.5),
    "cosine_max_len_value_wrong": ("cosine", "wrong_at_limit", 0.0),
    "cosine_max_len": ("cosine", "max_tokens", 256),
    "repetition_n_grams": ("repetition", "n_grams", 3),
    "repetition_max_penalty": ("repetition", "max_penalty", -1.0),
}
"""Their argument -> the reward it belongs to, its name there, an example."""


LOSS_TYPES: Mapping[str, Settings] = {
    "grpo": {"worker.actor.loss_avg_mode": "seq"},
    "bnpo": {"worker.actor.loss_avg_mode": "token"},
    "dapo": {"worker.actor.loss_avg_mode": "token"},
    "dr_grpo": {"worker.actor.loss_avg_mode": "fixed"},
    "cispo": {"algorithm.policy_loss": "cispo", "worker.actor.loss_avg_mode": "token"},
}
"""Their loss -> which mean it takes, and over what."""


def both_clips(value: Any) -> Settings:
    """`epsilon`: the ratio is held alike above and below."""
    return {"worker.actor.clip_ratio_low": value, "worker.actor.clip_ratio_high": value}


def dynamic_sample(value: Any) -> Settings:
    """Groups without a spread are sampled again, and the first ones taken when the tries are used up."""
    if not value:
        return {"algorithm.online_filtering": False}
    return {
        "algorithm.online_filtering": True,
        "algorithm.filter_min_std": 0.06,
        "algorithm.filter_low": 0.0,
        "algorithm.filter_high": 1.0,
        "algorithm.filter_when_short": "original",
    }


def loss_type(value: Any) -> Settings:
    """A loss is a mean of ours, and for CISPO a policy loss too."""
    if value is None:
        return {}
    if value not in LOSS_TYPES:
        raise ValueError(f"radrl knows only {', '.join(LOSS_TYPES)}; choose algorithm.policy_loss")
    return dict(LOSS_TYPES[value])


def reward_funcs(value: Any) -> Settings:
    """Functions by name are our terms."""
    return {"rewards": [dict(REWARD_FUNCS[str(name)]) for name in listed(value)]}


def reward_weights(value: Any) -> Settings:
    """Weights belong to the terms in their order."""
    return {f"rewards.{index}.weight": float(weight) for index, weight in enumerate(listed(value))}


def reward_argument(item: Given, others: Settings, *, function: str, argument: str) -> Settings:
    """An argument of one of their rewards goes to that term, where it is among those asked for."""
    names = [str(name) for name in listed(others.get("reward_funcs"))]
    if function not in names or item.value is None:
        return {}
    # Their penalty is the negative number that is added, ours the share that is taken away.
    value = abs(float(str(item.value))) if argument == "max_penalty" else item.value
    return {f"rewards.{names.index(function)}.kwargs.{argument}": value}


def train_type(value: Any) -> Settings:
    """`lora` is an adapter of their default size."""
    if value == "lora":
        return {f"{LORA}.rank": 8, f"{LORA}.alpha": 32}
    if value not in ("dummy", "full", None):
        raise ValueError("train_type is lora, full or dummy here")
    return {}


def of_lora(item: Given, others: Settings, *, key: str) -> Settings:
    """Settings of an adapter count where one is asked for, which is also their default."""
    is_lora = others.get("train_type", "lora") == "lora"
    return {f"{LORA}.{key}": item.value} if is_lora and item.value is not None else {}


def beginnings(value: Any) -> list[str]:
    """Beginnings of names, as expressions that match them literally."""
    return [re.escape(str(prefix)) for prefix in listed(value)]


def frozen(value: Any) -> Settings:
    """Parameters whose names begin so do not learn."""
    return {"worker.actor.model.frozen": [f"^{prefix}" for prefix in beginnings(value)]}


def frozen_but(item: Given, others: Settings) -> Settings:
    """Their trainable parameters are let go again after the freeze."""
    kept = "|".join(beginnings(others.get("trainable_parameters")))
    unless = f"(?!{kept})" if kept else ""
    return {"worker.actor.model.frozen": [f"^{unless}{prefix}" for prefix in beginnings(item.value)]}


def trained(value: Any) -> Settings:
    """Parameters whose names begin so learn, and no others."""
    return {"worker.actor.model.trainable": [f"^{prefix}" for prefix in beginnings(value)]}


def trained_alone(item: Given, others: Settings) -> Settings:
    """The same, where nothing is frozen beside it."""
    return {} if others.get("freeze_parameters") else trained(item.value)


def max_steps(value: Any) -> Settings:
    """-1 is no limit."""
    return {"trainer.max_steps": None if value == -1 else value}


def tries(value: Any) -> Settings:
    """Their count leaves out the first sampling."""
    return {"trainer.max_try_make_batch": value + 1}
