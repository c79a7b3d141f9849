"""The page of `several_gpus.py`: what was run, the figures, and what they do not show."""

from collections.abc import Mapping
from typing import Any

import record
from step_arms import middle_step, whole

AIMS = {"efficiency": 0.85, "sync_s": 3.0}
"""Scaling from one GPU to two, at least; seconds that the weights of the 7B may take to the sampler."""
INTRODUCTION = """# Several GPUs

    python benchmarks/several_gpus.py --config-folder DIR --parts scaling --gpus 1 2
    python benchmarks/several_gpus.py --config-folder DIR --parts seven --gpus 2
    python benchmarks/several_gpus.py --config-folder DIR --parts mixed --gpus 2

Qwen2.5-VL shapes with random weights. All weights learn (AdamW in float32) unless a run's settings say otherwise; 32
prompts a step with one 896 x 896 image each, 8 answers of exactly 256 tokens (the mixed part: 8 prompts, 4 answers of
64), one optimizer step, no KL term; vLLM samples in every rank's process and gets the merged weights tensor by tensor.
The work of a step is the same on one GPU and on several. One GPU is an ordinary run in one process; several are workers
over Ray, weights in shards by FSDP2. NVLink multicast is off. Medians of the steps after the first, which compiles.
"""
TINY = " of a tiny model with radrl's own sampler"
HEADER = ("GPUs", "step, s", "sampling", "sync", "update", "floor of the update", "peak in the update, GiB")


def page(results: Mapping[str, Any]) -> str:
    """What is there, and what is missing."""
    parts = [INTRODUCTION]
    for name, title, text in (
        ("scaling", "3B, all weights: from one GPU to several", _scaling),
        ("seven", "7B", _seven),
        ("mixed", "Ranks with images beside ranks without", _mixed),
    ):
        found = results.get(name)
        body = text(found) if found else "Not run. The command is at the top; it is ready."
        parts.append(f"## {title}\n\n{body}\n")
    return "\n".join(parts)


def _table(found: Mapping[str, Any]) -> list[str]:
    """The figures of a part's runs, and what each was run with."""
    lines = [record.table(HEADER, [_row(num, run) for num, run in found.items()])]
    for num, run in found.items():
        settings = ", ".join(f"`{key}={value}`" for key, value in run["overrides"].items())
        lines.append(f"{num}: {settings}. {record.facts_line(run)}")
    return lines


def _scaling(found: Mapping[str, Any]) -> str:
    lines = _table(found)
    if "1" in found and whole(found["1"]["steps"])[1:]:
        base = middle_step(found["1"]["steps"])["step"]
        for num, run in found.items():
            if num != "1" and whole(run["steps"])[1:]:
                efficiency = base / (int(num) * middle_step(run["steps"])["step"])
                lines.append(f"Efficiency from 1 to {num}: {efficiency:.2f} (the aim is {AIMS['efficiency']}).")
    return "\n\n".join(lines)


def _seven(found: Mapping[str, Any]) -> str:
    lines = _table(found)
    for num, run in found.items():
        if whole(run["steps"])[1:]:
            seconds = middle_step(run["steps"])["sync"]
            lines.append(f"On {num}, weights reach vLLM in {seconds:.2f} s (the aim is under {AIMS['sync_s']:g}).")
    return "\n\n".join(lines)


def _mixed(found: Mapping[str, Any]) -> str:
    lines = [
        f"On {num}: {len(whole(run['steps']))} steps ended{TINY if run.get('is_tiny') else ''}, with the image encoder "
        "learning; half of a step's prompts have an image, or just one of them, in turns."
        for num, run in found.items()
    ]
    return "\n\n".join([*lines, *_table(found)])


def _row(num: str, run: Mapping[str, Any]) -> tuple[str, ...]:
    if not whole(run["steps"])[1:]:
        return (num, "did not end", *[""] * (len(HEADER) - 2))
    step = middle_step(run["steps"])
    names = ("step", "generation", "sync", "update", "floor", "peak_update_gib")
    return (num, *(f"{step[name]:.2f}" for name in names))
