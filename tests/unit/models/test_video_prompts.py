"""Row 94: what a model makes of a video's frames is what the Hugging Face model makes of them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plain_calls import plain_logprobs

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.models.adapter import ModelAdapter
from radrl.models.forward import score_completions
from radrl.models.packing import plan
from radrl.types import Sample


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A question about a film and four frames of half a second, of which one a second is taken."""
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)) for _ in range(5)]
    frames[0].save(tmp_path / "film.png")
    frames[1].save(tmp_path / "clip.png", save_all=True, append_images=frames[2:], duration=500)
    row = {
        "prompt": "Before <image>, now <video>: what is new?",
        "answer": "<answer>effusion</answer>",
        "images": ["film.png"],
        "videos": ["clip.png"],
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (read,) = load_samples([str(tmp_path / "rows.jsonl")], DataConfig(video_fps=1.0))
    return read


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "gemma3"])
def test_row_94_packed_scores_of_a_video_prompt_are_those_of_a_plain_call(
    open_family: Callable[..., ModelAdapter], sample: Sample, family: str
) -> None:
    assert sample.question == "Before <image>, now <image><image>: what is new?"
    adapter = open_family(family)
    completions = ((60, 61, 62), (70,))
    (micro_batch,) = plan([adapter.render(sample)], [completions], row_tokens=512, micro_batch_tokens=512)
    scores = score_completions(adapter, micro_batch, temperature=1.0).logprobs
    expected = torch.cat([plain_logprobs(adapter, sample, each, temperature=1.0) for each in completions])
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)


def test_a_model_that_reads_text_only_refuses_a_video(open_family: Callable[..., ModelAdapter], sample: Sample) -> None:
    with pytest.raises(ValueError, match=r"rows.jsonl:1\): the row has 3 images, and the model reads text only"):
        open_family("causal_lm").render(sample)
