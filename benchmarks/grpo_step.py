"""A GRPO step on one GPU: radrl against TRL's `GRPOTrainer` with colocated vLLM, on the same model and questions.

python benchmarks/grpo_step.py --config-folder DIR [--workload lora|full|448] [--arms radrl trl]

DIR holds config, tokenizer and processor of the model; its weights are drawn here. Results of arms and workloads that
were run before are kept, so that each may have a command of its own. `--tiny` tries the same on a laptop.
"""

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import record
import torch
from grpo_step_page import WORKLOADS, Workload, page
from rich.progress import Progress
from step_arms import read_overrides, run_radrl, run_trl
from step_files import draw_questions, draw_weights_apart, placeholder_ids, random_model, tiny_model, write_rows
from step_settings import StepSettings
from transformers import AutoConfig

from radrl.engines.ceilings import ceilings_of
from radrl.engines.floor import floor_of, longest_step, step_work, unshared_update
from radrl.engines.shapes import shape_of
from radrl.engines.work import Recipe, lora_params

NAME = "grpo_step"
KV_CACHE_GIB = 16.0
TEXT_TOKENS = 22
"""Of a prompt beside its image, about."""
TIMED_STEPS = {"radrl": 3, "trl": 1}
"""Steps after the one that warms up; TRL's take minutes."""
_BEGAN = time.monotonic()


def main() -> None:
    options = _options()
    if options.page_only:
        results = record.load(NAME, folder=options.results)
    else:
        settings = prepare(WORKLOADS[options.workload], options)
        results = {}
        for arm in options.arms:
            times = run_arm(arm, settings, options)
            results = added(arm, times, settings, options)
    text = page(results)
    record.save(NAME, results, text, folder=options.results)
    print(text)


def added(
    arm: str, times: list[dict[str, float]], settings: StepSettings, options: argparse.Namespace
) -> dict[str, Any]:
    """Write what an arm measured beside what was there before it, at once, so that nothing is lost of what follows."""
    results = record.load(NAME, folder=options.results)
    entry = results.setdefault("workloads", {}).setdefault(options.workload, {})
    entry["step"] = {"beta": settings.beta, "kv_cache_gib": settings.kv_cache_gib, "use_vllm": settings.use_vllm}
    entry["floor"] = floor_of_update(settings)
    entry[arm] = {**record.facts(commit=options.commit), "steps": times}
    if arm == "radrl":
        entry[arm]["overrides"] = read_overrides(options.radrl)
    record.save(NAME, results, page(results), folder=options.results)
    return results


def prepare(workload: Workload, options: argparse.Namespace) -> StepSettings:
    """Write model and questions, and say what a step of them is."""
    scratch = options.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    if options.workload == "tiny":
        model = tiny_model(scratch / "tiny", side_px=workload.image_px)
    else:
        draw_weights_apart(options.config_folder, scratch)
        model = random_model(options.config_folder, scratch, side_px=workload.image_px)
    num_questions = workload.num_prompts * (2 + max(TIMED_STEPS.values()))
    questions = draw_questions(scratch / "films", num=num_questions, side_px=workload.image_px)
    return StepSettings(
        model=str(model),
        questions=tuple(questions),
        rows=str(write_rows(scratch / f"rows-{workload.image_px}.jsonl", questions)),
        num_prompts=workload.num_prompts,
        group_size=workload.group_size,
        completion_tokens=workload.completion_tokens,
        steps=1,
        folder=str(scratch),
        image_px=workload.image_px,
        lora_rank=workload.lora_rank,
        beta=0.04,
        micro_batch=options.micro_batch or workload.micro_batch,
        use_vllm=options.workload != "tiny",
        kv_cache_gib=options.kv_cache_gib,
        banned_ids=placeholder_ids(model),
    )


def run_arm(arm: str, settings: StepSettings, options: argparse.Namespace) -> list[dict[str, float]]:
    """Times of an arm's steps; when its time is over, of those that it came to."""
    num_steps = 1 + TIMED_STEPS[arm]
    folder = Path(settings.folder) / f"{arm}-{options.workload}"
    shutil.rmtree(folder, ignore_errors=True)
    own = replace(settings, steps=num_steps, folder=str(folder))
    left_s = min(options.limit_s, options.deadline_s - (time.monotonic() - _BEGAN))
    with Progress() as progress:
        task = progress.add_task(f"{arm}, steps", total=num_steps)

        def on_step() -> None:
            progress.advance(task)

        if arm == "trl":
            return run_trl(own, limit_s=left_s, on_step=on_step)
        return run_radrl(own, limit_s=left_s, overrides=read_overrides(options.radrl), on_step=on_step)


def floor_of_update(settings: StepSettings) -> dict[str, float]:
    """Seconds of the update on this device: its floor, and an ideal recipe that shares nothing, at 50 % of the ceiling.

    The latter passes every completion with its own prompt and image for old and reference log-probabilities and for the
    update, which computes activations again. Both sides count the same arithmetic over the same measured ceiling.
    """
    shape = shape_of(AutoConfig.from_pretrained(settings.model))
    on_gpu = torch.cuda.is_available()
    ceilings = ceilings_of(torch.device("cuda" if on_gpu else "cpu"), torch.bfloat16 if on_gpu else torch.float32)
    adapter = lora_params(shape.decoder, rank=settings.lora_rank) if settings.lora_rank else 0
    recipe = Recipe.of(
        adapter_params=adapter, trains_vision=not adapter, weight_bytes=2 if on_gpu else 4, strategy="adamw"
    )
    image_tokens = settings.image_px**2 // shape.vision.pixels_per_token if shape.vision else 0
    groups = longest_step(
        num_groups=settings.num_prompts,
        group_size=settings.group_size,
        prompt_tokens=image_tokens + TEXT_TOKENS,
        image_tokens=image_tokens,
        completion_tokens=settings.completion_tokens,
    )
    work = step_work(shape, groups, recipe, has_reference=True, own_sampler=True)
    shared = floor_of((*work["ref"], *work["update_actor"]), ceilings)
    alone = floor_of(unshared_update(shape, groups, replace(recipe, recomputes=True)), ceilings)
    return {
        "flops_per_s": ceilings.flops_per_s,
        "shared": shared.seconds,
        "shared_at_half": shared.seconds_at_half,
        "unshared_at_half": alone.seconds_at_half,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-folder", type=Path, help="config, tokenizer and processor of the model")
    parser.add_argument("--workload", choices=WORKLOADS, default="lora")
    parser.add_argument(
        "--tiny", dest="workload", action="store_const", const="tiny", help="a tiny model, without vLLM"
    )
    parser.add_argument("--arms", nargs="+", choices=TIMED_STEPS, default=list(TIMED_STEPS), help="which arms run")
    parser.add_argument("--limit-s", type=float, default=540.0, help="seconds that an arm may take, its start included")
    parser.add_argument("--deadline-s", type=float, default=3600.0, help="seconds that everything may take")
    parser.add_argument("--micro-batch", type=int, help="TRL's completions a pass; 8 when not given")
    parser.add_argument("--kv-cache-gib", type=float, default=KV_CACHE_GIB, help="vLLM's cache, in both arms")
    parser.add_argument("--radrl", nargs="*", default=[], metavar="KEY=VALUE", help="further settings of radrl")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm/radrl-step"), help="weights, images, runs")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="folder of the results")
    parser.add_argument("--commit", help="what the tree is a copy of, where it is no repository")
    parser.add_argument("--page-only", action="store_true", help="write the page of results that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
