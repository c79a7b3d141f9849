"""A small run folder as training and evaluation would leave it, made up from a seed."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

HOSTILE = (
    "<think><script>window.hacked=1</script></think><answer></script><script>window.hacked=2</script></answer>",
    "<think><img src=x onerror='window.hacked=3'></think><answer><!-- <script> yes</answer>",
    "\u2028<svg onload=window.hacked=4>\ud800 & &lt;b&gt;",
)
"""Completions that would do something if any of them reached the page as markup."""

FINDINGS = ("left pleural effusion", "right pneumothorax", "cardiomegaly")
CONFIG = """
rewards:
  - {name: format, weight: 0.1}
  - {name: answer_f1, outcome: true}
  - {name: step_correctness, weight: 0.5, gate: [ema, per_sample]}
  - {name: graph_f1, weight: 0.2, kwargs: {mode: triplets}}
curriculum:
  stages:
    - name: closed
      steps: 40
      data: {pass_rate: {n: 4}}
      advance: {outcome_at_least: 0.8, validations: 2}
    - {name: open, steps: 6}
trainer:
  seed: 1
  project_name: <b>phantom</b>
"""

LATE = "TimeoutError: no score within 30 s; its worker was stopped"
"""Why `graph_f1` gave the last rollout of every question no score."""

KINDS = {"presence": "closed", "closed": "closed", "open": "open"}


def write_run(folder: Path, *, num_steps: int = 6, group_size: int = 4, hostile: Sequence[str] = ()) -> Path:
    """Write every file of a run; hostile completions open the first step."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    images = [write_image(folder / "images" / f"film{number}.png", seed=number) for number in range(3)]
    records = [
        record
        for step in range(1, num_steps + 1)
        for record in step_records(step, stage_of(step, num_steps), images=images, group_size=group_size, draw=draw)
    ]
    for number, text in enumerate(hostile):
        records[number] |= {
            "completion": text,
            "raw_completion_tokens": list(text),
            "per_token_logps": [-0.1] * len(text),
        }
    write_jsonl(folder / "completions.jsonl", records)
    write_jsonl(folder / "metrics.jsonl", [step_metrics(step, num_steps, draw) for step in range(1, num_steps + 1)])
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "command.txt").write_text("radrl train config=examples/phantom_grpo.yaml\n", encoding="utf-8")
    write_json(folder / "environment.json", {"python": "3.12", "packages": {"torch": "2.13"}, "gpus": []})
    write_evaluation(folder / "evaluation" / "sft", accuracy=0.30, seed=1)
    write_evaluation(folder / "evaluation" / "rl", accuracy=0.55, seed=2)
    write_evaluation(folder / "evaluation" / "sft_ood", accuracy=0.22, seed=3)
    write_evaluation(folder / "evaluation" / "rl_ood", accuracy=0.35, seed=4)
    return folder


def stage_of(step: int, num_steps: int) -> str:
    return "closed" if step <= num_steps // 2 else "open"


def step_records(
    step: int, stage: str, *, images: Sequence[Path], group_size: int, draw: random.Random
) -> list[dict[str, object]]:
    kinds = [kind for kind, home in KINDS.items() if home == stage]
    records: list[dict[str, object]] = []
    for question in range(4):
        kind = draw.choice(kinds)
        truth = {finding: draw.random() < 0.4 for finding in FINDINGS}
        records += [
            rollout_record(
                step=step,
                stage=stage,
                question_id=f"s{step}q{question}",
                index=index,
                kind=kind,
                image=images[question % len(images)],
                truth=truth,
                said={f: (holds if draw.random() < 0.6 + 0.005 * step else not holds) for f, holds in truth.items()},
                draw=draw,
            )
            for index in range(group_size)
        ]
    return records


def rollout_record(
    *,
    step: int,
    stage: str,
    question_id: str,
    index: int,
    kind: str,
    image: Path,
    truth: Mapping[str, bool],
    said: Mapping[str, bool],
    draw: random.Random,
) -> dict[str, object]:
    completion = trace_of(said, kind=kind)
    tokens = [word + " " for word in completion.split(" ")]
    tokens[-1] = tokens[-1].removesuffix(" ")
    right = sum(truth[finding] == said[finding] for finding in truth) / len(truth)
    outcome = 1.0 if final_of(truth, kind=kind) == final_of(said, kind=kind) else 0.0
    asked = "List every finding." if kind == "open" else "Is there a left pleural effusion?"
    return {
        "step": step,
        "stage": stage,
        "id": question_id,
        "index": index,
        "kind": kind,
        "patient_id": f"p{question_id}",
        "prompt": f"<image>{asked}",
        "images": [str(image)],
        "answer": trace_of(truth, kind=kind),
        "completion": completion,
        "completion_ids": list(range(len(tokens) + 1)),
        "raw_completion_tokens": [*tokens, ""],
        "per_token_logps": [-draw.expovariate(3.0) for _ in range(len(tokens) + 1)],
        "stop": "eos",
        "policy_version": step - 1,
        "temperature": 1.0,
        "rewards": {
            "format": 1.0,
            "answer_f1": outcome,
            "step_correctness": right,
            "graph_f1": None if index == 3 else right,
        },
        "failures": {"graph_f1": LATE} if index == 3 else {},
        "outcome": outcome,
        "advantage": outcome - 0.5,
    }


def trace_of(judged: Mapping[str, bool], *, kind: str) -> str:
    steps = "".join(
        f"<think>{'There is' if holds else 'No'} {finding}.</think><answer>{finding} {'✅' if holds else '❌'}</answer>"
        for finding, holds in judged.items()
    )
    return f"{steps}<think>Taken together.</think><answer>{final_of(judged, kind=kind)}</answer>"


def final_of(judged: Mapping[str, bool], *, kind: str) -> str:
    if kind != "open":
        return "yes" if judged["left pleural effusion"] else "no"
    return ", ".join(finding for finding, holds in judged.items() if holds) or "no finding"


def step_metrics(step: int, num_steps: int, draw: random.Random) -> dict[str, object]:
    metrics: dict[str, object] = {
        "step": step,
        "stage": stage_of(step, num_steps),
        "outcome/mean": 0.3 + 0.4 * step / num_steps,
        "reward/total/mean": 0.5 + 0.4 * step / num_steps + draw.gauss(0, 0.05),
        "response_length/mean": 40 + draw.gauss(0, 2),
        "sample/kept_frac": 0.6 + draw.random() * 0.3,
        "actor/kl_loss": 0.002 * step,
        "actor/grad_norm": 0.8 + draw.random(),
        "actor/pg_loss": draw.gauss(0, 0.02),
        "reward/format/mean": 1.0,
        "reward/step_correctness/mean": 0.6 + 0.2 * step / num_steps,
        "reward/step_correctness/gate_mean": 0.5 if step % 2 else 0.0,
        "reward/step_correctness/abstained_frac": 0.0,
        "reward/graph_f1/abstained_frac": 0.0,
        "reward/graph_f1/failed_frac": 0.25,
        "reward/graph_f1/timeout_frac": 0.25 if step % 2 else 0.0,
        "reward/graph_f1/gate_mean": 1.0,
        "gate/open": float(step % 2),
        "gate/average": 0.3 + 0.3 * step / num_steps,
        "timing_s/step": 2.0,
        "timing_s/gen": 0.9,
        "timing_s/update_actor": 1.0,
    }
    if step == 1:
        metrics |= {"pass_rate/mean": 0.4, "pass_rate/num_kept": 24, "pass_rate/num_too_hard": 6}
        metrics |= {"pass_rate/num_too_easy": 2}
    return metrics | ({"val/reward_score": 0.3 + 0.3 * step / num_steps} if step % 3 == 0 else {})


def write_evaluation(folder: Path, *, accuracy: float, seed: int, num: int = 40) -> Path:
    draw = random.Random(seed)
    kinds = list(KINDS)
    block = {
        "counts": {"questions": num, "completions": num, "patients": num, "parse_failures": 2},
        "metrics": {"accuracy": estimate(accuracy), "graph_f1": estimate(accuracy + 0.1), "sample_f1": estimate(None)},
        "labels": {},
    }
    blind = {
        "accuracy": estimate(0.27),
        "minus": {"value": accuracy - 0.27, "low": accuracy - 0.33, "high": accuracy - 0.21},
        "per_kind": {kind: estimate(0.2 + 0.1 * at) for at, kind in enumerate(kinds)},
        "num_questions": num,
    }
    bins = [
        {"low": at / 5, "high": (at + 1) / 5, "num": 8, "confidence": at / 5 + 0.1, "accuracy": at / 6}
        for at in range(5)
    ]
    summary = {
        "model": "m",
        "data": ["test.jsonl"],
        "conventions": {"accuracy": "The final answer is exactly the reference's."},
        "intervals": {"unit": "patients", "resamples": 1000, "level": 0.95, "seed": 1},
        "overall": block,
        "per_kind": dict.fromkeys(kinds, block),
        "per_file": {},
        "calibration": {"num_completions": num, "brier": 0.2, "ece": 0.1, "auroc": None, "bins": bins},
        "blind": {"majority": blind, "question_only": blind, "shuffled_image": None, "notes": []},
    }
    write_json(folder / "summary.json", summary)
    samples = [
        {
            "id": f"t{number}",
            "index": 0,
            "kind": kinds[number % 3],
            "question": "<image>Is there a left pleural effusion?",
            "answer": ["yes"],
            "prediction": ["yes"] if right else None,
            "correct": right,
        }
        for number, right in enumerate(draw.random() < accuracy for _ in range(num))
    ]
    write_jsonl(folder / "samples.jsonl", samples)
    return folder


def estimate(value: float | None) -> dict[str, float | None]:
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def write_image(path: Path, *, seed: int, size: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    Image.fromarray(grey).save(path)
    return path


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_jsonl(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
