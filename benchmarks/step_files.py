"""What both arms of a comparison read: questions about noise images, and models with random weights."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

from radrl.models.tiny import build_tiny

QUESTION = "Is there a pleural effusion?"
ANSWER = "<think>No fluid is seen.</think><answer>no</answer>"
SPREAD = 0.02
"""Standard deviation of random weights."""
WEIGHTS = "weights"
WRITTEN = "complete"
"""File that says that a folder was written to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One prompt as both arms get it.

    Example: `Question(text="Is there a pleural effusion?", image="/dev/shm/radrl-step/films/0.png")`
    """

    text: str
    image: str


def draw_questions(folder: Path, *, num: int, side_px: int) -> list[Question]:
    """Write so many noise images, each of its own, so that nothing that was computed for one serves another."""
    folder.mkdir(parents=True, exist_ok=True)
    questions: list[Question] = []
    for number in range(num):
        file = folder / f"{side_px}-{number}.png"
        if not file.exists():
            noise = np.random.default_rng(number).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
            Image.fromarray(noise).save(file, compress_level=1)
        questions.append(Question(text=QUESTION, image=str(file)))
    return questions


def write_rows(file: Path, questions: Sequence[Question]) -> Path:
    """The questions as a training file."""
    rows = [
        {"id": str(number), "prompt": f"<image>{question.text}", "answer": ANSWER, "images": [question.image]}
        for number, question in enumerate(questions)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def placeholder_ids(model: Path) -> tuple[int, ...]:
    """Tokens that stand for images and videos."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return tuple(config[name] for name in ("image_token_id", "video_token_id") if config.get(name) is not None)


def tiny_model(folder: Path, *, side_px: int, least_px: int | None = None) -> Path:
    """A model that a laptop runs, to try a benchmark with; see `random_model` for the sides."""
    if not (folder / WRITTEN).exists():
        build_tiny(folder, corpus=[QUESTION, ANSWER], image_px=side_px, vocab_size=400)
        _bound_pixels(folder, least_px=least_px or side_px, most_px=side_px)
        (folder / WRITTEN).touch()
    return folder


def random_model(shapes: Path, folder: Path, *, side_px: int, least_px: int | None = None) -> Path:
    """A model of the shapes in a folder of config, tokenizer and processor, with the weights that `draw_weights` wrote.

    Its processor brings square images to `side_px`, or leaves those between the two sides as they are.
    """
    weights = folder / WEIGHTS
    least_px = least_px or side_px
    model = folder / f"model-{least_px}-{side_px}"
    model.mkdir(exist_ok=True)
    for file in shapes.iterdir():
        shutil.copyfile(file, model / file.name)
    _bound_pixels(model, least_px=least_px, most_px=side_px)
    for file in weights.iterdir():
        if file.name != WRITTEN and not (model / file.name).exists():
            (model / file.name).symlink_to(file)
    return model


def draw_weights(shapes: Path, weights: Path) -> None:
    """Draw the weights of a config folder and write them, unless that was done."""
    if (weights / WRITTEN).exists():
        return
    config = AutoConfig.from_pretrained(shapes)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, SPREAD)
    model.save_pretrained(weights)
    (weights / "config.json").unlink()
    (weights / "generation_config.json").unlink(missing_ok=True)
    (weights / WRITTEN).touch()


def draw_weights_apart(shapes: Path | None, scratch: Path) -> None:
    """`draw_weights` in a process of its own, which leaves nothing on the GPU."""
    if shapes is None:
        raise SystemExit("--config-folder is missing: a folder with config, tokenizer and processor of the model.")
    subprocess.run([sys.executable, __file__, str(shapes), str(scratch)], check=True)


def _bound_pixels(model: Path, *, least_px: int, most_px: int) -> None:
    """Let the image processor of a folder keep square images between these sides."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = model / name
        if not file.exists():
            continue
        settings = json.loads(file.read_text(encoding="utf-8"))
        images = settings.get("image_processor", settings)
        images["size"] = {"shortest_edge": least_px**2, "longest_edge": most_px**2}
        file.write_text(json.dumps(settings, indent=1), encoding="utf-8")


if __name__ == "__main__":
    draw_weights(Path(sys.argv[1]), Path(sys.argv[2]) / WEIGHTS)
