"""The page of `grpo_step.py`: what was compared, the figures, and what they do not show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import record
from phase_log import UPDATE
from step_arms import middle_step, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A step that is compared.

    Example: `Workload(title="LoRA", image_px=896, completion_tokens=256, lora_rank=16)`
    """

    title: str
    image_px: int
    """Side of the square images; a token is 28 x 28 pixels."""
    completion_tokens: int
    lora_rank: int
    num_prompts: int = 16
    group_size: int = 8
    micro_batch: int = 8


WORKLOADS = {
    "lora": Workload(title="LoRA, 896 px, 256 tokens", image_px=896, completion_tokens=256, lora_rank=16),
    "full": Workload(title="all weights, 896 px, 256 tokens", image_px=896, completion_tokens=256, lora_rank=0),
    "448": Workload(title="LoRA, 448 px, 512 tokens", image_px=448, completion_tokens=512, lora_rank=16),
    "tiny": Workload(
        title="a tiny model",
        image_px=128,
        completion_tokens=12,
        lora_rank=4,
        num_prompts=4,
        group_size=4,
        micro_batch=4,
    ),
}
ARMS = {"radrl": "radrl", "trl": "TRL"}
HEADER = (
    "", "step", "sampling and sync", "old log-probs", "reference", "image encoder", "own pass, optimizer",
    "update in all", "peak, GiB",
)  # fmt: skip
INTRODUCTION = """# A GRPO step on one GPU

    python benchmarks/grpo_step.py --config-folder DIR --workload lora

Qwen2.5-VL-3B shapes with random weights, drawn by the benchmark; the same folder and questions for both arms, and new
images every step. radrl samples with vLLM in its process and updates over shared prompts. TRL is `GRPOTrainer` 1.16
with colocated vLLM, kept awake: bfloat16 weights, SDPA, gradient checkpointing, 8 completions a pass, its default loss
with its importance-sampling correction, which costs it a pass for the old log-probabilities (radrl corrects by the
log-probabilities of its own update and needs none). Only the size of TRL's cache was set from outside, to be radrl's.
"Update in all" are the passes for old and reference log-probabilities, forward and backward passes and the optimizer,
images included.

TRL had no FlashAttention: none could be installed here. Without it transformers attends in the image encoder window by
window, one call of SDPA after the other, and TRL encodes an image once a completion and pass. The row of an ideal
unshared recipe says what no attention kernel can change: what its arithmetic takes at half of the measured ceiling when
each completion brings its own prompt and image.

"""
CLOSING = """
Memory and time are traded in radrl: here it keeps activations, TRL computes them again. The same passes by themselves,
without a sampler in the process, peaked at 35.9 GiB and took 1.8 s as here, and 11.4 GiB and 2.4 s with
`--radrl worker.actor.activations=recompute`; the comparison itself was not run that way.

The folder's tokenizer had 151,665 tokens, as many as the real model's. With fewer, radrl bans the rows of the head that
belong to no token, in every request.

radrl's timed steps carry no probe of the sampler, which by default follows every tenth sync; its first step compiles
the decoder's layers. Both arms ran once.

What the numbers do not show: learning, because weights and rewards are random; completions of unequal length, which TRL
pads and radrl packs; TRL with FlashAttention, or with compiled layers; text prompts and small groups, where there is
less to share; several GPUs.
"""


def page(results: Mapping[str, Any]) -> str:
    """The page of everything that was measured."""
    sections = [section(WORKLOADS[name], entry) for name, entry in results.get("workloads", {}).items()]
    return INTRODUCTION + "\n".join(sections) + CLOSING


def section(workload: Workload, entry: Mapping[str, Any]) -> str:
    """What the page says of one workload."""
    what = (
        f"{workload.num_prompts} prompts, {workload.group_size} answers of exactly {workload.completion_tokens} "
        f"tokens, one {workload.image_px} x {workload.image_px} noise image each, one optimizer step, KL weight "
        f"{entry['step']['beta']}. Seconds."
    )
    machines = [
        f"{title}{_settings(entry[arm])}: {record.facts_line(entry[arm])}"
        for arm, title in ARMS.items()
        if arm in entry
    ]
    lines = [*shares(entry), *ratios(entry)] or ["Not enough was measured to compare."]
    parts = (f"## {workload.title}", what, record.table(HEADER, rows(entry)), "\n".join(lines), "\n\n".join(machines))
    return "\n\n".join(parts) + "\n"


def rows(entry: Mapping[str, Any]) -> list[list[str]]:
    """The first step and the middle one of each arm, and what arithmetic alone would take."""
    found: list[list[str]] = []
    for arm, title in ARMS.items():
        steps = entry[arm]["steps"] if arm in entry else []
        if steps:
            found.append(_row(f"{title}, first step" + ("" if "step" in steps[0] else ", cut off"), steps[0]))
        num_timed = len(whole(steps)) - 1
        if num_timed > 0:
            found.append(_row(f"{title}, after it" + f", median of {num_timed}" * (num_timed > 1), middle_step(steps)))
    ideal = {"shared": "shared_at_half", "unshared": "unshared_at_half"}
    for title, name in ideal.items():
        found.append([f"{title}, ideal, at 50 % of the ceiling", *[""] * 6, f"{entry['floor'][name]:.2f}", ""])
    return found


def shares(entry: Mapping[str, Any]) -> list[str]:
    """What is to be said of each arm by itself."""
    floor, ours, theirs, found = entry["floor"], timed(entry, "radrl"), timed(entry, "trl"), []
    if ours:
        update = ours["update_in_all"]
        ideal = floor["unshared_at_half"] / update
        found += [
            (
                f"* radrl's update takes {update / floor['shared']:.2f} times its floor of {floor['shared']:.2f} s "
                f"(all arithmetic at the measured {floor['flops_per_s'] / 1e12:.3g} TFLOP/s; the aim is 2.5 at most), "
                f"and the ideal unshared recipe {ideal:.1f} times as long as radrl (the aim is 4)."
            ),
            f"* Prompts of {ours['prompt_tokens']:.0f} tokens, completions of {ours['completion_tokens']:.0f}.",
        ]
    if theirs and "vision" in theirs:
        found.append(f"* {theirs['vision']:.1f} s of TRL's update are forward passes of its image encoder.")
    if theirs and "sampler_prompt_tokens" in theirs:
        found.append(
            f"* TRL trains on prompts of {theirs['prompt_tokens']:.0f} tokens, and vLLM answered prompts of "
            f"{theirs['sampler_prompt_tokens']:.0f}. Where the second is longer TRL handed over image tokens that vLLM "
            "expanded once more: it samples from other prompts than it learns from."
        )
    return found


def ratios(entry: Mapping[str, Any]) -> list[str]:
    """The arms side by side, where both were measured."""
    ours, theirs = timed(entry, "radrl"), timed(entry, "trl")
    if not ours or not theirs:
        return []
    step, update = (theirs[name] / ours[name] for name in ("step", "update_in_all"))
    found = [
        (
            f"* The step is {step:.1f} times as fast as TRL's (the aim is 15), the update with everything in it "
            f"{update:.1f} times (the aim is 25), sampling with its sync "
            f"{_sampling(theirs) / _sampling(ours):.1f} times."
        )
    ]
    if entry["step"]["use_vllm"]:
        found.append(
            f"* Peak memory allocated in the update: radrl {ours['peak_update_gib']:.1f} GiB, TRL "
            f"{theirs['peak_update_gib']:.1f} GiB, with the sampler's weights and its cache of "
            f"{entry['step']['kv_cache_gib']:g} GiB in both (the aim is not to be above TRL's)."
        )
    return found


def _settings(measured: Mapping[str, Any]) -> str:
    """Settings that were given beside the workload's."""
    given = ", ".join(f"{key}={value}" for key, value in measured.get("overrides", {}).items())
    return f" with `--radrl {given}`" if given else ""


def timed(entry: Mapping[str, Any], arm: str) -> dict[str, float] | None:
    """The middle step after the one that warms up; None where there is none."""
    steps = entry.get(arm, {}).get("steps", [])
    return middle_step(steps) if len(whole(steps)) > 1 else None


def _row(title: str, times: Mapping[str, float]) -> list[str]:
    seconds = (
        times.get("step"),
        _sampling(times),
        times.get("old_logprobs", 0.0),
        times.get("reference", 0.0),
        times.get("vision"),
        times.get("update", 0.0) + times.get("optimizer", 0.0),
        sum(times.get(phase, 0.0) for phase in UPDATE),
    )
    return [title, *("" if one is None else f"{one:.2f}" for one in seconds), f"{times['peak_update_gib']:.1f}"]


def _sampling(times: Mapping[str, float]) -> float:
    return times.get("generation", 0.0) + times.get("sync", 0.0)
