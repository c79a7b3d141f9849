"""A GRPO step of the demo's model on a laptop: radrl, radrl without sharing, and TRL, alternating.

python benchmarks/cpu_step.py [--rounds 4]
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import processor_time
import record
from rich.progress import Progress
from step_arms import middle_step, run_radrl, run_trl, whole
from step_files import Question, placeholder_ids
from step_settings import StepSettings

from radrl.config.demo import DemoConfig
from radrl.config.load import load_config
from radrl.data.load import load_samples
from radrl.demo import build_model, draw_data
from radrl.types import IMAGE_MARK

NAME = "cpu_step"
COMPLETION_TOKENS = 80
"""About what the warmed-up model of the demo writes."""
STEPS_A_ROUND = 3
"""The first warms up."""
LIMIT_S = 300
ARMS = {"radrl": "radrl", "unshared": "radrl, every completion with its own prompt", "trl": "TRL"}
PAGE = """# A step of the demo on a laptop

One GRPO step of the demo's untrained model: {step}.

Both sample with transformers: radrl with its native sampler, TRL 1.16 with `generate`. TRL runs without checkpointing,
{micro_batch} completions a pass (128 and 8 were slower). The unshared arm is radrl with a row budget that holds one
completion, so that each brings its own prompt to the update; its sampler still reads a prompt once a group. Arms take
turns, each in a process of its own, {rounds} times; a turn is one step that warms up and {counted} that count. Medians,
in seconds of one core (processor time).

    {set_up}
    /tmp/venv-trl/bin/python benchmarks/cpu_step.py

{facts}

{table}

The aim was three times TRL's speed. Step by round: radrl {ours} s, TRL {theirs} s. With prompts this short there is
little to share: a group has {shared_tokens} tokens with its prompt once and {unshared_tokens} with it {group} times.

What the numbers do not show: a GPU, where a step spends its time elsewhere (see `grpo_step.md`); completions of unequal
length, where radrl stops computing what has ended; long prompts, which gain more from sharing; a second thread. At this
size much of a step is the overhead of small operations. Other programs ran on the same machine (load by round: {load}).
Processor time leaves out the waiting for them and not what they take of caches and memory.
"""
SET_UP = "python -m venv /tmp/venv-trl && /tmp/venv-trl/bin/pip install -e . trl==1.16.0 accelerate datasets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="times that every arm runs")
    parser.add_argument("--micro-batch", type=int, default=32, help="TRL's completions a pass")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="folder of the results")
    parser.add_argument("--commit", help="what the tree is a copy of, where it is no repository")
    parser.add_argument("--page-only", action="store_true", help="write the page of results that are there")
    options = parser.parse_args()
    if options.page_only:
        results = record.load(NAME, folder=options.results)
        record.save(NAME, results, page(results), folder=options.results)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ[processor_time.ASKED] = "1"
    with tempfile.TemporaryDirectory() as folder:
        demo, settings = step_of_demo(Path(folder), micro_batch=options.micro_batch)
        rounds, load = run_rounds(demo, settings, num_rounds=options.rounds)
    results = {
        **record.facts(commit=options.commit),
        "step": {
            name: getattr(settings, name) for name in ("num_prompts", "group_size", "completion_tokens", "micro_batch")
        },
        "rounds": rounds,
        "load": load,
        "median": {arm: medians(steps) for arm, steps in rounds.items()},
    }
    record.save(NAME, results, page(results), folder=options.results)
    print(page(results))


def step_of_demo(folder: Path, *, micro_batch: int) -> tuple[DemoConfig, StepSettings]:
    """The demo's model, untrained, and questions of its pool, drawn as it draws them."""
    shipped = f"config={files('radrl').joinpath('demo.yaml')}"
    demo = load_config(DemoConfig, [shipped, "data.warm_up=400", "data.pool=200", "data.test=8", "data.ood=8"]).config
    data = draw_data(demo, folder / "data")
    model = build_model(demo, data, folder / "model")
    samples = load_samples([str(data.pool)], demo.rl.data)
    num_prompts = demo.rl.data.rollout_batch_size
    questions = tuple(
        Question(text=sample.question.replace(IMAGE_MARK, "").strip(), image=sample.images[0].path)
        for sample in samples
    )
    return demo, StepSettings(
        model=str(model),
        questions=questions,
        rows=str(data.pool),
        num_prompts=num_prompts,
        group_size=demo.rl.worker.rollout.n,
        completion_tokens=COMPLETION_TOKENS,
        steps=STEPS_A_ROUND,
        folder=str(folder),
        image_px=demo.model.image_px,
        learning_rate=demo.rl.worker.actor.optim.lr,
        micro_batch=micro_batch,
        checkpointing=False,
        use_vllm=False,
        banned_ids=placeholder_ids(model),
    )


def run_rounds(
    demo: DemoConfig, settings: StepSettings, *, num_rounds: int
) -> tuple[dict[str, list[dict[str, float]]], list[float]]:
    """The middle step of each arm in each round, and how busy the machine was.

    Arms take turns, so that other work on the machine meets all alike.
    """
    actor, longest_prompt = demo.rl.worker.actor, demo.rl.data.max_prompt_length
    ours = {
        "data.max_prompt_length": longest_prompt,
        "worker.actor.row_tokens": actor.row_tokens,
        "worker.actor.micro_batch_tokens": actor.micro_batch_tokens,
    }
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    load: list[float] = []
    with Progress() as progress:
        task = progress.add_task("steps", total=num_rounds * len(ARMS) * STEPS_A_ROUND)
        for number in range(num_rounds):
            load.append(os.getloadavg()[0])
            for arm in ARMS:
                own = replace(settings, folder=f"{settings.folder}/{arm}-{number}")
                progress.update(task, description=f"round {number + 1}, {ARMS[arm]}")
                if arm == "trl":
                    steps = run_trl(own, limit_s=LIMIT_S, on_step=lambda: progress.advance(task))
                else:
                    # Room for one completion: a group is split, and each part has its own copy of the prompt.
                    alone = {"worker.actor.row_tokens": longest_prompt + settings.completion_tokens}
                    steps = run_radrl(
                        own,
                        limit_s=LIMIT_S,
                        overrides={**ours, **(alone if arm == "unshared" else {})},
                        on_step=lambda: progress.advance(task),
                    )
                found[arm].append(counted(steps, arm=arm))
    return found, load


def counted(steps: list[dict[str, float]], *, arm: str) -> dict[str, float]:
    """The middle step of a turn; the benchmark ends when an arm did not get so far."""
    if len(whole(steps)) < STEPS_A_ROUND:
        raise SystemExit(f"the arm {ARMS[arm]} failed; what it said is above.")
    return middle_step(steps)


def medians(steps: list[dict[str, float]]) -> dict[str, float]:
    """Median over the rounds."""
    return {name: median(step[name] for step in steps) for name in steps[0]}


def page(results: Mapping[str, Any]) -> str:
    """The page of the results."""
    step, found = results["step"], results["median"]
    trl, prompt = found["trl"], round(found["radrl"]["prompt_tokens"])
    rows = [
        [ARMS[arm], *(f"{times[name]:.2f}" for name in ("step", "generation", "update_in_all")),
         *(f"{trl[name] / times[name]:.1f}" for name in ("step", "generation", "update_in_all"))]
        for arm, times in found.items()
    ]  # fmt: skip
    header = ["", "step, s", "generation, s", "update, s", "step, TRL = 1", "generation", "update"]
    seconds = [f"{one['step']:.2f}" for one in results["rounds"]["radrl"]]
    theirs = [f"{one['step']:.2f}" for one in results["rounds"]["trl"]]
    step_text = (
        f"{step['num_prompts']} prompts of about {prompt} tokens, one image each, {step['group_size']} completions of "
        f"exactly {step['completion_tokens']} tokens, one optimizer step, no KL term, float32, "
        "one thread, as the demo runs"
    )
    return PAGE.format(
        step=step_text,
        micro_batch=step["micro_batch"],
        rounds=len(seconds),
        counted=STEPS_A_ROUND - 1,
        set_up=SET_UP,
        facts=record.facts_line(results),
        group=step["group_size"],
        shared_tokens=prompt + step["group_size"] * step["completion_tokens"],
        unshared_tokens=step["group_size"] * (prompt + step["completion_tokens"]),
        load=", ".join(f"{one:.1f}" for one in results["load"]),
        table=record.table(header, rows),
        ours=", ".join(seconds),
        theirs=", ".join(theirs),
    )


if __name__ == "__main__":
    main()
