"""Small models from nothing, saved as ordinary folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForImageTextToText, AutoProcessor

from radrl.errors import ConfigError
from radrl.models import command
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter, save_adapter
from radrl.models.tiny import TRACE_TOKENS, build_tiny
from radrl.types import Sample


def test_each_trace_token_is_one_token_and_survives_decoding(adapter: ModelAdapter) -> None:
    for token in TRACE_TOKENS:
        token_ids = adapter.tokenizer.encode(f"a{token}b", add_special_tokens=False)
        assert len(token_ids) == 3
        assert adapter.tokenizer.decode(token_ids, skip_special_tokens=True) == f"a{token}b"


def test_the_folder_opens_with_the_auto_classes(tiny_folder: Path) -> None:
    processor = AutoProcessor.from_pretrained(tiny_folder)
    model = AutoModelForImageTextToText.from_pretrained(tiny_folder)
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert model.config.text_config.vocab_size == len(processor.tokenizer)


def test_the_same_arguments_give_the_same_model(tmp_path: Path) -> None:
    folders = [build_tiny(tmp_path / name, corpus=["left effusion"] * 3, vocab_size=300) for name in ("a", "b")]
    for file in ("model.safetensors", "tokenizer.json", "processor_config.json"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()


def test_matrices_are_spread_as_the_width_demands(adapter: ModelAdapter) -> None:
    layer = adapter.model.model.language_model.layers[0]
    assert layer.mlp.up_proj.weight.std().item() == pytest.approx(128**-0.5, rel=0.02)
    assert adapter.model.model.visual.patch_embed.proj.weight.std().item() == pytest.approx(128**-0.5 / 4, rel=0.02)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 100}, "hidden_size is 100, which is not a multiple of 64. Use 64"),
        ({"image_px": 56}, "image_px is 56, which is not a multiple of 32. Use 32"),
        ({"family": "gemma3"}, "no tiny model of family 'gemma3'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path: Path, sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_tiny(tmp_path / "model", corpus=["text"], **sizes)


def test_a_saved_model_is_the_model_it_was(adapter: ModelAdapter, tmp_path: Path, ask: Callable[..., Sample]) -> None:
    save_adapter(adapter, tmp_path / "saved")
    again = load_adapter(tmp_path / "saved", device="cpu")
    for name, weight in adapter.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight)
    sample = ask("<image>What is there?", num_images=1)
    assert again.render(sample).token_ids == adapter.render(sample).token_ids
    assert (again.eos_ids, again.banned_ids) == (adapter.eos_ids, adapter.banned_ids)


def test_a_saved_processor_keeps_its_video_block(adapter: ModelAdapter, tmp_path: Path) -> None:
    save_adapter(adapter, tmp_path / "saved")
    blocks = json.loads((tmp_path / "saved" / "processor_config.json").read_text())
    assert blocks["video_processor"]["video_processor_type"] == "Qwen2VLVideoProcessor"
    assert blocks["video_processor"]["patch_size"] == 16


def test_a_chat_template_of_the_user_is_used_and_saved(
    tiny_folder: Path, tmp_path: Path, ask: Callable[..., Sample]
) -> None:
    adapter = load_adapter(tiny_folder, device="cpu", chat_template="Q: {{ messages[0]['content'][0]['text'] }} A:")
    save_adapter(adapter, tmp_path / "saved")
    for opened in (adapter, load_adapter(tmp_path / "saved", device="cpu")):
        assert opened.render(ask("What?")).text == "Q: What? A:"


def test_a_folder_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot open a model at"):
        load_adapter(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ConfigError, match=r"is a 'llama' model\. The families are qwen2_5_vl"):
        load_adapter(tmp_path)
    with pytest.raises(ConfigError, match="no model is given"):
        load_adapter("")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_texts_of_tokens_join_to_the_decoded_text(adapter: ModelAdapter, data: st.DataObject) -> None:
    token_ids = data.draw(st.lists(st.integers(0, len(adapter.tokenizer) - 1), max_size=20))
    token_ids = [token for token in token_ids if token not in adapter.banned_ids]
    texts = adapter.token_texts.split(token_ids)
    assert len(texts) == len(token_ids)
    assert "".join(texts) == adapter.tokenizer.decode(token_ids, skip_special_tokens=True)


def test_a_character_split_over_tokens_sits_on_the_last(adapter: ModelAdapter) -> None:
    token_ids = adapter.tokenizer.encode("a€b", add_special_tokens=False)
    assert len(token_ids) == 5
    assert adapter.token_texts.split([*token_ids, adapter.eos_ids[0]]) == ("a", "", "", "€", "b", "")
    assert adapter.token_texts.split([*token_ids[:2], adapter.eos_ids[0]]) == ("a", "\ufffd", "")


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
