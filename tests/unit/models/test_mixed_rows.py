"""Spec rows 4, 6 and 10: rows of every form in one batch, as a model sees them, and a chat template of one's own."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.engines.native import NativeSampler
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.qwen2_5_vl import grid_size
from radrl.models.images import ImageSize
from radrl.models.load import load_adapter
from radrl.roles import Sampling
from radrl.types import Sample


def png(width: int, height: int, seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """Two films of different shape (one a file, one base64), one film, and no film at all."""
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "wide.png").write_bytes(png(160, 80, seed=1))
    uri = f"data:image/png;base64,{base64.b64encode(png(60, 90, seed=2)).decode()}"
    rows = [
        {"prompt": "<image>then<image>now", "answer": "left pleural effusion", "images": ["wide.png", uri]},
        {"prompt": "Is there a left pleural effusion?", "answer": "no", "images": [uri]},
        {"prompt": "Where does fluid collect?", "answer": "the left base"},
    ]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return load_samples([str(path)], DataConfig())


@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
def test_row_6_text_only_and_images_of_every_form_answer_in_one_batch_as_they_do_alone(
    open_family: Callable[..., ModelAdapter], samples: list[Sample], family: str
) -> None:
    adapter = open_family(family)
    prompts = adapter.render_batch(samples)
    assert [prompt.num_image_tokens > 0 for prompt in prompts] == [True, True, False]
    greedy = Sampling(n=1, temperature=0.0, max_tokens=5, seed=0)
    together = NativeSampler(adapter, max_sequences=3).generate(prompts, greedy)
    for prompt, answers in zip(prompts, together, strict=True):
        (alone,) = NativeSampler(adapter, max_sequences=1).generate([prompt], greedy)
        assert answers[0].token_ids == alone[0].token_ids
        torch.testing.assert_close(torch.tensor(answers[0].logprobs), torch.tensor(alone[0].logprobs))


@pytest.mark.parametrize(("least", "most"), [(1, 40_000), (200_000, 400_000)])
@pytest.mark.parametrize("film", [(2000, 1000), (1000, 2000), (300, 250), (511, 640)])
def test_row_4_pixel_bounds_keep_the_aspect_up_to_the_model_s_grid(
    film: tuple[int, int], least: int, most: int
) -> None:
    """Either side is off by less than a cell from that of the film scaled to as many pixels."""
    width, height = film
    seen = grid_size(ImageSize(width=width, height=height), cell=28, least=least, most=most)
    assert least <= seen.width * seen.height <= most
    scale = (seen.width * seen.height / (width * height)) ** 0.5
    assert abs(seen.width - width * scale) < 28
    assert abs(seen.height - height * scale) < 28


def test_row_10_a_chat_template_of_one_s_own_stands_over_the_model_s(
    folder_of: Callable[[str], Path], samples: list[Sample]
) -> None:
    template = (
        "{% for message in messages %}[{{ message.role }}] {% for part in message.content %}"
        "{{ '<|vision_start|><|image_pad|><|vision_end|>' if part.type == 'image' else part.text }}"
        "{% endfor %}{% endfor %}[reply]"
    )
    adapter = load_adapter(folder_of("qwen2_5_vl"), device="cpu", chat_template=template)
    texts = [adapter.render(sample).text for sample in samples]
    film = "<|vision_start|><|image_pad|><|vision_end|>"
    assert texts == [
        f"[user] {film}then{film}now[reply]",
        f"[user] {film}Is there a left pleural effusion?[reply]",
        "[user] Where does fluid collect?[reply]",
    ]


def test_a_chat_template_that_is_no_jinja_is_refused_naming_its_key(folder_of: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"data\.override_chat_template"):
        load_adapter(folder_of("qwen2_5_vl"), device="cpu", chat_template="{% for message in %}")
