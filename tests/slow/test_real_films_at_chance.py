"""A model that has seen drawn films alone knows nothing of real ones, and an evaluation of it has to say so."""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console
from small_world import WARM_UP, World

from radrl.config.evaluation import EvaluateConfig
from radrl.evaluate import evaluate, result_table
from radrl.evaluation.verdict import AT_CHANCE
from radrl.films.export import export_films
from radrl.films.metadata import read_films
from radrl.models.tiny import build_tiny
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld
from radrl.train import sft_from

pytestmark = pytest.mark.slow

STEPS = 60
"""Enough for answers in the right form, which is what makes the result one of reading and not of writing."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A tiny model that was taught the phantom's questions."""
    folder = tmp_path_factory.mktemp("phantom")
    kinds = {"presence": 0.4, "closed": 0.2, "open": 0.2, "view": 0.2}
    drawn = PhantomWorld(seed=3, size_px=32, difficulty=0.0, max_findings=1, kinds=kinds, style="short")
    train = export(drawn, folder / "data", splits={"train": 120})["train"]
    rows = [json.loads(line) for line in train.read_text(encoding="utf-8").splitlines()]
    texts = [text for row in rows for text in (row["prompt"], row["answer"])]
    untrained = build_tiny(folder / "tiny", corpus=texts, hidden_size=64, num_layers=1, image_px=32, vocab_size=500)
    world = World(folder=folder / "data", untrained=untrained, warm=untrained, warm_up=folder)
    working = Path.cwd()
    os.chdir(folder)
    try:
        lengths = {"data__max_prompt_length": 128, "data__max_response_length": 256, "worker__actor__row_tokens": 512}
        sft_from(world.supervised(trainer__max_steps=STEPS, **lengths))
    finally:
        os.chdir(working)
    return folder / WARM_UP / f"checkpoints/global_step_{STEPS}/actor/huggingface"


def test_a_phantom_trained_model_is_at_chance_on_real_films_and_verdict_table_and_page_say_so(
    real_cxr, model, tmp_path
):
    files = export_films(read_films(real_cxr), tmp_path / "rows", shares={"train": 1, "test": 2})
    summary = evaluate(
        EvaluateConfig(
            model=str(model),
            data=(str(files["test"]),),
            train_data=(str(files["train"]),),
            out=str(tmp_path / "evaluation"),
            max_response_length=160,
            device="cpu",
            rows={"max_pixels": 1024},
        ),
        progress=False,
    )
    rows = summary.blind.made
    assert set(rows) == {"majority", "question_only", "shuffled_image"}
    best = max(rows.values(), key=lambda row: row.accuracy.value or 0.0)
    assert best.minus.low is not None and best.minus.low <= 0
    assert summary.verdict[1].startswith(AT_CHANCE)
    out = io.StringIO()
    Console(file=out, width=200).print(result_table(summary))
    assert AT_CHANCE in " ".join(out.getvalue().split())
    page = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert page.count(f'<p class="warning">{AT_CHANCE}') == 1
