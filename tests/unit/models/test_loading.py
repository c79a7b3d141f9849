"""Which folders open as a policy, and what is refused at start-up."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from plain_calls import FAMILIES
from safetensors.torch import load_file, save_file

from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter


@pytest.fixture
def broken(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """Copy a model folder, with some weights left out, added or replaced."""

    def make(family: str, *, without: tuple[str, ...] = (), also: dict[str, torch.Tensor] | None = None) -> Path:
        folder = shutil.copytree(folder_of(family), tmp_path / "broken")
        weights = load_file(folder / "model.safetensors")
        kept = {name: weight for name, weight in weights.items() if not name.endswith(without)} if without else weights
        assert len(kept) < len(weights) or not without
        save_file(kept | (also or {}), folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


def test_a_folder_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot open a model at"):
        load_adapter(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ConfigError, match=r"cannot open a model at .*no file named"):
        load_adapter(tmp_path)
    for other in ("clip", "llava"):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": other}))
        with pytest.raises(ConfigError, match=rf"is a '{other}' model\. The families are qwen2_5_vl, qwen3_vl"):
            load_adapter(tmp_path)
    with pytest.raises(ConfigError, match="no model is given"):
        load_adapter("")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_that_lacks_a_weight_is_refused(broken: Callable[..., Path], family: str) -> None:
    folder = broken(family, without=("layers.0.mlp.up_proj.weight", "layers.1.mlp.up_proj.weight"))
    with pytest.raises(
        ConfigError, match=r"2 missing \(\S*layers\.0\.mlp\.up_proj\.weight, \S*layers\.1\.mlp\.up_proj"
    ):
        load_adapter(folder, device="cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_with_a_weight_of_another_model_is_refused(broken: Callable[..., Path], family: str) -> None:
    folder = broken(family, also={"alien.weight": torch.zeros(2)})
    with pytest.raises(ConfigError, match=r"1 unexpected \(alien\.weight\)"):
        load_adapter(folder, device="cpu")


def test_a_long_list_of_weights_is_counted_and_cut(broken: Callable[..., Path]) -> None:
    folder = broken("causal_lm", also={f"alien.{number}": torch.zeros(1) for number in range(7)})
    with pytest.raises(ConfigError, match=r"7 unexpected \(alien\.0, alien\.1, alien\.2, alien\.3, alien\.4, \.\.\.\)"):
        load_adapter(folder, device="cpu")


def test_a_tied_head_is_not_missing(folder_of: Callable[[str], Path]) -> None:
    weights = load_file(folder_of("qwen3_vl") / "model.safetensors")
    assert "lm_head.weight" not in weights
    model = load_adapter(folder_of("qwen3_vl"), device="cpu").model
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()


def test_answers_end_as_the_chat_template_ends_them(open_family: Callable[..., ModelAdapter]) -> None:
    """Gemma's tokenizer has another end of sequence, at which sampling stops too."""
    adapter = open_family("gemma3")
    assert adapter.tokenizer.eos_token == "<eos>"
    assert adapter.tokenizer.convert_ids_to_tokens(list(adapter.eos_ids)) == ["<end_of_turn>", "<eos>"]


def test_a_model_of_one_image_size_refuses_bounds_that_exclude_it(folder_of: Callable[[str], Path]) -> None:
    assert load_adapter(folder_of("gemma3"), device="cpu", max_pixels=64 * 64).family.pixels_per_token == 32 * 32
    with pytest.raises(ConfigError, match=r"sees every image at 64 x 64 pixels, which is over data.max_pixels = 4095"):
        load_adapter(folder_of("gemma3"), device="cpu", max_pixels=4095)
    with pytest.raises(ConfigError, match=r"which is under data.min_pixels = 5000"):
        load_adapter(folder_of("gemma3"), device="cpu", min_pixels=5000)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_targets_are_the_seven_projections_of_each_decoder_layer(
    open_family: Callable[..., ModelAdapter], family: str
) -> None:
    adapter = open_family(family)
    names = [name for name, _ in adapter.model.named_modules() if re.fullmatch(adapter.family.lora_targets, name)]
    inside = {name for name, _ in adapter.family.language_model.named_modules()}
    assert len(names) == 7 * len(adapter.family.layers)
    assert all(isinstance(adapter.model.get_submodule(name), torch.nn.Linear) for name in names)
    assert all(name.removeprefix("model.").removeprefix("language_model.") in inside for name in names)
