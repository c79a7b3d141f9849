"""An evaluation asks vLLM what it asks the model itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from vllm_builders import TARGETS, disturb

from radrl.asking.local import open_native, open_vllm
from radrl.config.evaluation import EvaluateConfig
from radrl.evaluation.responses import Response
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import attach_lora
from radrl.types import Prompt

pytestmark = pytest.mark.vllm


@pytest.fixture(params=["whole model", "adapter"])
def model(request: pytest.FixtureRequest, tiny_folder: Path, tmp_path: Path) -> Path:
    if request.param == "whole model":
        return tiny_folder
    adapter = load_adapter(tiny_folder, device="cpu")
    adapter.model.requires_grad_(False)
    attach_lora(adapter.model, targets=TARGETS, rank=8, alpha=16.0)
    disturb(adapter, deviation=0.1)
    save_adapter(adapter, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_both_back_ends_write_the_same_greedily_row_84(
    model: Path, policy: ModelAdapter, render: Callable[[ModelAdapter], list[Prompt]], tmp_path: Path
) -> None:
    samples = [prompt.sample for prompt in render(policy)]
    config = EvaluateConfig(
        model=str(model), data=("rows.jsonl",), out=str(tmp_path), device="cpu", batch_size=4, max_response_length=20
    )
    asked: list[list[Response]] = [
        list(opened.respond(samples, range(len(samples)))) for opened in (open_native(config), open_vllm(config))
    ]
    for native, served in zip(*asked, strict=True):
        assert served.token_ids == native.token_ids
        assert served.text == native.text
        assert served.token_logprobs == pytest.approx(native.token_logprobs, abs=1e-4)
