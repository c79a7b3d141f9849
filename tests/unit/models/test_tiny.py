"""Small models from nothing, saved as ordinary folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plain_calls import FAMILIES, samples_for
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

from radrl.errors import ConfigError
from radrl.models import command
from radrl.models.adapter import ModelAdapter, tokenizer_of
from radrl.models.load import load_adapter, save_adapter
from radrl.models.tiny import TRACE_TOKENS, build_tiny
from radrl.types import Sample


def test_each_trace_token_is_one_token_and_survives_decoding(adapter: ModelAdapter) -> None:
    for token in TRACE_TOKENS:
        token_ids = adapter.tokenizer.encode(f"a{token}b", add_special_tokens=False)
        assert len(token_ids) == 3
        assert adapter.tokenizer.decode(token_ids, skip_special_tokens=True) == f"a{token}b"


@pytest.mark.parametrize(
    ("family", "auto_class", "model_class", "processor_class"),
    [
        ("qwen2_5_vl", AutoModelForImageTextToText, "Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLProcessor"),
        ("qwen3_vl", AutoModelForImageTextToText, "Qwen3VLForConditionalGeneration", "Qwen3VLProcessor"),
        ("gemma3", AutoModelForImageTextToText, "Gemma3ForConditionalGeneration", "Gemma3Processor"),
        ("causal_lm", AutoModelForCausalLM, "Qwen2ForCausalLM", "Qwen2Tokenizer"),
    ],
)
def test_the_folder_opens_with_the_auto_classes(
    folder_of: Callable[[str], Path], family: str, auto_class: Any, model_class: str, processor_class: str
) -> None:
    processor = AutoProcessor.from_pretrained(folder_of(family))
    model = auto_class.from_pretrained(folder_of(family))
    assert type(processor).__name__ == processor_class
    assert type(model).__name__ == model_class
    assert model.config.get_text_config().vocab_size == len(tokenizer_of(processor))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_arguments_give_the_same_model(tmp_path: Path, family: str) -> None:
    folders = [
        build_tiny(tmp_path / name, corpus=["left effusion"] * 3, family=family, vocab_size=400) for name in ("a", "b")
    ]
    names = sorted(file.name for file in folders[0].iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_matrices_are_spread_as_the_width_demands(adapter: ModelAdapter) -> None:
    layer = adapter.model.model.language_model.layers[0]
    assert layer.mlp.up_proj.weight.std().item() == pytest.approx(128**-0.5, rel=0.02)
    assert adapter.model.model.visual.patch_embed.proj.weight.std().item() == pytest.approx(128**-0.5 / 4, rel=0.02)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 100}, "hidden_size is 100, which is not a multiple of 64. Use 64"),
        ({"image_px": 56}, "image_px is 56, which is not a multiple of 32. Use 32"),
        ({"family": "llava"}, "no tiny model of family 'llava'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path: Path, sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_tiny(tmp_path / "model", corpus=["text"], **sizes)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_is_the_model_it_was(
    open_family: Callable[..., ModelAdapter], tmp_path: Path, ask: Callable[..., Sample], family: str
) -> None:
    adapter = open_family(family)
    save_adapter(adapter, tmp_path / "saved")
    again = load_adapter(tmp_path / "saved", device="cpu")
    for name, weight in adapter.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight)
    for sample in samples_for(adapter, ask):
        assert again.render(sample).token_ids == adapter.render(sample).token_ids
    assert (again.eos_ids, again.banned_ids) == (adapter.eos_ids, adapter.banned_ids)


@pytest.mark.parametrize(
    ("family", "video_processor"), [("qwen2_5_vl", "Qwen2VLVideoProcessor"), ("qwen3_vl", "Qwen3VLVideoProcessor")]
)
def test_a_saved_processor_keeps_its_video_block(
    open_family: Callable[..., ModelAdapter], tmp_path: Path, family: str, video_processor: str
) -> None:
    save_adapter(open_family(family), tmp_path / "saved")
    blocks = json.loads((tmp_path / "saved" / "processor_config.json").read_text())
    assert blocks["video_processor"]["video_processor_type"] == video_processor
    assert blocks["video_processor"]["patch_size"] == 16


def test_a_chat_template_of_the_user_is_used_and_saved(
    tiny_folder: Path, tmp_path: Path, ask: Callable[..., Sample]
) -> None:
    adapter = load_adapter(tiny_folder, device="cpu", chat_template="Q: {{ messages[0]['content'][0]['text'] }} A:")
    save_adapter(adapter, tmp_path / "saved")
    for opened in (adapter, load_adapter(tmp_path / "saved", device="cpu")):
        assert opened.render(ask("What?")).text == "Q: What? A:"


def test_the_command_learns_words_from_files(tmp_path: Path) -> None:
    rows, lines = tmp_path / "rows.jsonl", tmp_path / "lines.txt"
    rows.write_text(json.dumps({"prompt": "pneumothorax", "answer": "cardiomegaly ✅", "images": []}) + "\n")
    lines.write_text("atelectasis\n")
    folder = command.tiny(tmp_path / "model", corpus=[rows, lines])
    tokenizer = load_adapter(folder, device="cpu").tokenizer
    for word in ("pneumothorax", "cardiomegaly", "atelectasis"):
        assert len(tokenizer.encode(word)) == 1
    with pytest.raises(ConfigError, match="is not empty"):
        command.tiny(tmp_path / "model", corpus=[rows])


def test_the_command_knows_the_words_of_the_phantom_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "NUM_PHANTOM_QUESTIONS", 20)
    folder = command.tiny(tmp_path / "model")
    tokenizer = load_adapter(folder, device="cpu").tokenizer
    assert len(tokenizer.encode("right pleural effusion, left pneumothorax")) <= 8
