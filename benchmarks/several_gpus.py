"""Several GPUs of one host: how a full fine-tuning step scales, 7B shapes and the sync of their weights, mixed ranks.

python benchmarks/several_gpus.py --config-folder DIR --parts scaling [--gpus 1 2]
python benchmarks/several_gpus.py --config-folder DIR --parts seven [--gpus 2]
python benchmarks/several_gpus.py --config-folder DIR --parts mixed [--gpus 2]

DIR holds config, tokenizer and processor of Qwen2.5-VL-3B; weights are drawn here, those of the 7B too. Results of
parts that were run before are kept. `--tiny` tries everything on a laptop's processor.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import record
from rich.progress import Progress
from several_gpus_page import page
from step_arms import read_overrides, run_radrl
from step_files import (
    ANSWER,
    QUESTION,
    Question,
    draw_questions,
    draw_weights_apart,
    random_model,
    tiny_model,
    write_rows,
)
from step_settings import StepSettings

NAME = "several_gpus"
SEVEN_BILLION = {
    "text_config": {
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "intermediate_size": 18_944,
        "layer_types": ["full_attention"] * 28,
        "tie_word_embeddings": False,
    },
    "vision_config": {"out_hidden_size": 3584},
    "tie_word_embeddings": False,
}
"""What Qwen2.5-VL-7B's config says otherwise than the 3B's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a step is made of, on all GPUs together.

    Example: `Sizes(num_prompts=32, group_size=8, image_px=896, completion_tokens=256)`
    """

    num_prompts: int
    group_size: int
    image_px: int
    completion_tokens: int


LARGE = Sizes(num_prompts=32, group_size=8, image_px=896, completion_tokens=256)
MIXED = Sizes(num_prompts=8, group_size=4, image_px=896, completion_tokens=64)
TINY = Sizes(num_prompts=4, group_size=4, image_px=128, completion_tokens=12)
TIMED_STEPS = {"scaling": 3, "seven": 3, "mixed": 20}


def main() -> None:
    options = _options()
    results = record.load(NAME, folder=options.results)
    if not options.page_only:
        for part in options.parts:
            for num_gpus in options.gpus:
                results = measured(part, num_gpus, options)
    text = page(results)
    record.save(NAME, results, text, folder=options.results)
    print(text)


def measured(part: str, num_gpus: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run a part on so many GPUs and write what it measured beside what was there, at once."""
    settings = prepare(part, num_gpus, options)
    with Progress() as progress:
        task = progress.add_task(f"{part} on {num_gpus}, steps", total=settings.steps)
        overrides = settings_of(part, num_gpus, options)
        steps = run_radrl(
            settings, limit_s=options.limit_s, overrides=overrides, on_step=lambda: progress.advance(task)
        )
    results = record.load(NAME, folder=options.results)
    entry = results.setdefault(part, {})
    known = {**record.facts(commit=options.commit), "is_tiny": options.tiny}
    entry[str(num_gpus)] = {**known, "overrides": overrides, "steps": steps}
    record.save(NAME, results, page(results), folder=options.results)
    return results


def prepare(part: str, num_gpus: int, options: argparse.Namespace) -> StepSettings:
    """Write model and questions of a part, and say what its steps are."""
    sizes = TINY if options.tiny else MIXED if part == "mixed" else LARGE
    scratch = options.scratch / ("7b" if part == "seven" else "3b")
    scratch.mkdir(parents=True, exist_ok=True)
    model = _model(part, sizes, scratch, options)
    steps = 1 + TIMED_STEPS[part]
    questions = draw_questions(scratch / "films", num=sizes.num_prompts * (steps + 1), side_px=sizes.image_px)
    rows = scratch / f"rows-{part}.jsonl"
    if part == "mixed":
        write_mixed_rows(rows, questions, a_step=sizes.num_prompts)
    else:
        write_rows(rows, questions)
    folder = scratch / f"{part}-{num_gpus}"
    shutil.rmtree(folder, ignore_errors=True)
    return StepSettings(
        model=str(model),
        questions=tuple(questions),
        rows=str(rows),
        num_prompts=sizes.num_prompts,
        group_size=sizes.group_size,
        completion_tokens=sizes.completion_tokens,
        steps=steps,
        folder=str(folder),
        image_px=sizes.image_px,
        use_vllm=not options.tiny,
        kv_cache_gib=options.kv_cache_gib,
    )


def settings_of(part: str, num_gpus: int, options: argparse.Namespace) -> dict[str, Any]:
    """All weights learn, sharded over the GPUs; in the mixed part the image encoder too, whatever a rank's prompts."""
    settings: dict[str, Any] = {
        "trainer.n_gpus_per_node": num_gpus,
        "worker.actor.model.freeze_vision_tower": part != "mixed",
        "worker.actor.micro_batch_tokens": 4096 if options.tiny else 9600,
        "worker.actor.row_tokens": 4096,
    }
    if options.tiny:
        settings["trainer.device"] = "cpu"
    return settings | read_overrides(options.radrl)


def write_mixed_rows(file: Path, questions: Sequence[Question], *, a_step: int) -> None:
    """Rows in steps of which every other has one image in all, so that all ranks but one have none."""
    rows: list[Mapping[str, Any]] = []
    for number, question in enumerate(questions):
        step, place = divmod(number, a_step)
        has_image = place == 0 or (step % 2 == 0 and place % 2 == 0)
        prompt = f"<image>{QUESTION}" if has_image else QUESTION
        images = [question.image] if has_image else []
        rows.append({"id": str(number), "prompt": prompt, "answer": ANSWER, "images": images})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def seven_billion(shapes: Path, folder: Path) -> Path:
    """The 3B's folder with the sizes of the 7B."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in shapes.iterdir():
        shutil.copyfile(file, folder / file.name)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for key, value in SEVEN_BILLION.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return folder


def _model(part: str, sizes: Sizes, scratch: Path, options: argparse.Namespace) -> Path:
    if options.tiny:
        return tiny_model(scratch / "tiny", side_px=sizes.image_px)
    shapes = options.config_folder
    if shapes and part == "seven":
        shapes = seven_billion(shapes, scratch / "shapes")
    draw_weights_apart(shapes, scratch)
    return random_model(shapes, scratch, side_px=sizes.image_px)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-folder", type=Path, help="config, tokenizer and processor of the 3B")
    parser.add_argument("--parts", nargs="+", choices=TIMED_STEPS, default=list(TIMED_STEPS))
    parser.add_argument("--gpus", nargs="+", type=int, default=[1, 2], help="how many GPUs, one run each")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on processors, without vLLM")
    parser.add_argument("--limit-s", type=float, default=540.0, help="seconds that a run may take, its start included")
    parser.add_argument("--kv-cache-gib", type=float, default=16.0, help="vLLM's cache on each GPU")
    parser.add_argument("--radrl", nargs="*", default=[], metavar="KEY=VALUE", help="further settings")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm/radrl-several"), help="weights, images, runs")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="folder of the results")
    parser.add_argument("--commit", help="what the tree is a copy of, where it is no repository")
    parser.add_argument("--page-only", action="store_true", help="write the page of results that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
