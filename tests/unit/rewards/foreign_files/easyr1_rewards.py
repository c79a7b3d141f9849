"""Reward functions as EasyR1 calls them."""

import math


def compute_score(reward_inputs, length_weight=0.1, marks=None):
    """`overall` is 1 for a completion that holds the reference's last word, less for long ones."""
    scores = []
    for one in reward_inputs:
        accuracy = float(one["ground_truth"].split()[-1] in one["response"])
        short = 1.0 / (1 + one["response_length"])
        scores.append({"overall": (1 - length_weight) * accuracy + length_weight * short, "accuracy": accuracy})
    return scores


def one_by_one(reward_input, bonus=0.0):
    return {"overall": float("yes" in reward_input["response"]) + bonus, "length": reward_input["response_length"]}


def size_of_list(reward_inputs):
    return [{"overall": float(len(reward_inputs))} for _ in reward_inputs]


def bad_for_some(reward_inputs):
    """What it gives is in the completion."""
    replies = {
        "good": {"overall": 0.5},
        "no overall": {"accuracy": 1.0},
        "nan": {"overall": math.nan},
        "infinite extra": {"overall": 1.0, "accuracy": math.inf},
        "text": {"overall": "high"},
        "number": 1.0,
    }
    return [replies[one["response"]] for one in reward_inputs]


def raises_for_some(reward_inputs):
    return [{"overall": 1 / len(one["response"])} for one in reward_inputs]


def too_short(reward_inputs):
    return [{"overall": 1.0}]


def counts_tokens(reward_inputs, tokenizer):
    return [{"overall": float(len(tokenizer.encode(one["response"])))} for one in reward_inputs]
