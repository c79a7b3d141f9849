"""Spec row 65: LoRA with named adapters, its files, and its weights merged."""

import json
import re
from pathlib import Path

import peft
import pytest
import torch
from transformers import AutoModelForImageTextToText

from radrl.errors import ConfigError
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import (
    LoraLinear,
    active_adapters,
    adapter_tensors,
    attach_lora,
    load_lora,
    lora_layers,
    merged_tensors,
    save_lora,
    save_merged,
    switched_off,
)

IDS = torch.randint(20, 300, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model(tiny_folder):
    return load_adapter(tiny_folder, device="cpu").model


def targets(model):
    return r"model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"


def with_lora(model, *, name="default", rank=4, seed=1, trained=True):
    """Attach an adapter that has learned something."""
    attach_lora(model, targets=targets(model), rank=rank, alpha=8.0, name=name, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in adapter_tensors(model, name).items():
        if trained and "lora_B" in key:
            tensor.normal_(0, 0.1, generator=generator)
    return model


@torch.no_grad()
def logits(model):
    return model(input_ids=IDS).logits


def test_row_65_a_new_adapter_changes_nothing_and_is_all_that_learns(model):
    before = logits(model)

    with_lora(model, trained=False)

    assert torch.equal(logits(model), before)
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(learning) == 2 * 2 * 7
    assert all(re.search(r"language_model.*\.lora_[AB]\.default\.weight", name) for name in learning)
    assert not model.training


def test_an_adapted_layer_is_w_x_plus_b_a_x_times_alpha_over_rank():
    layer = torch.nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    config = peft.LoraConfig(r=1, lora_alpha=3)

    adapted = LoraLinear(layer, "default", config=config, r=1, lora_alpha=3)
    adapted.lora_A["default"].weight.data = torch.tensor([[2.0, 1.0]])
    adapted.lora_B["default"].weight.data = torch.tensor([[1.0], [-1.0]])

    # A x = 2 * 1 + 1 * 4 = 6, times 3 / 1 is 18; x + [18, -18] = [19, -14].
    assert adapted(torch.tensor([[1.0, 4.0]])).tolist() == [[19.0, -14.0]]
    assert adapted.merged_weight().tolist() == [[7.0, 3.0], [-6.0, -2.0]]


def test_activations_stay_in_the_type_of_the_base_and_gradients_come_in_float32(tiny_folder):
    model = with_lora(load_adapter(tiny_folder, device="cpu", dtype="bfloat16").model)
    types = set()
    for layer in lora_layers(model).values():
        layer.register_forward_hook(lambda module, args, out: types.add((args[0].dtype, out.dtype)))

    model(input_ids=IDS).logits.float().square().mean().backward()

    assert types == {(torch.bfloat16, torch.bfloat16)}
    factors = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert {parameter.dtype for parameter in factors} == {torch.float32}
    assert {parameter.grad.dtype for parameter in factors} == {torch.float32}


def test_the_same_seed_draws_the_same_adapter_whatever_was_drawn_before(tiny_folder):
    first, second, other = (load_adapter(tiny_folder, device="cpu").model for _ in range(3))
    with_lora(first, trained=False)
    torch.rand(7)
    with_lora(second, trained=False)
    with_lora(other, trained=False, seed=2)

    drawn = [torch.cat([t.flatten() for t in adapter_tensors(m).values()]) for m in (first, second, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert float(adapter_tensors(first)[next(iter(adapter_tensors(first)))].abs().max()) <= 128**-0.5


def test_row_65_several_adapters_work_at_the_same_time_and_one_can_be_switched_off(model):
    base = logits(model)
    with_lora(model, name="vision")
    with_vision = logits(model)
    with_lora(model, name="second", seed=2)
    with_both = logits(model)

    assert active_adapters(model) == ("vision", "second")
    assert not torch.equal(with_vision, base)
    assert not torch.equal(with_both, with_vision)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    with switched_off(model, "second"):
        assert torch.equal(logits(model), with_vision)
        with switched_off(model, "vision"):
            assert torch.equal(logits(model), base)
    assert torch.equal(logits(model), with_both)
    assert learning == {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_an_adapter_that_was_switched_off_is_on_again_after_an_exception(model):
    with_lora(model)
    on = logits(model)

    with pytest.raises(KeyError), switched_off(model, "default"):
        raise KeyError

    assert torch.equal(logits(model), on)


def test_peft_opens_what_is_saved_and_computes_the_same(model, tiny_folder, tmp_path):
    with_lora(model)
    save_lora(model, tmp_path)

    base = AutoModelForImageTextToText.from_pretrained(tiny_folder).eval()
    opened = peft.PeftModel.from_pretrained(base, tmp_path).eval()

    assert torch.allclose(logits(opened), logits(model), atol=1e-5)
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == str(tiny_folder)
    assert (written["r"], written["lora_alpha"], written["lora_dropout"]) == (4, 8, 0.0)


def test_a_folder_that_peft_wrote_can_be_gone_on_with(model, tiny_folder, tmp_path):
    base = AutoModelForImageTextToText.from_pretrained(tiny_folder).eval()
    config = peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1)
    theirs = peft.get_peft_model(base, config).eval()
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    theirs.save_pretrained(tmp_path)

    load_lora(model, tmp_path)

    assert torch.allclose(logits(model), logits(theirs), atol=1e-5)


def test_merged_weights_compute_what_the_adapter_does_and_the_base_is_left_alone(model, tiny_folder, tmp_path):
    untouched = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with_lora(model)

    merged = dict(merged_tensors(model))
    save_merged(model, tmp_path)

    assert merged.keys() == untouched.keys()
    assert torch.equal(logits(AutoModelForImageTextToText.from_pretrained(tmp_path).eval()), logits_of(merged, model))
    assert torch.allclose(
        logits(AutoModelForImageTextToText.from_pretrained(tmp_path).eval()), logits(model), atol=1e-4
    )
    for name, tensor in model.state_dict().items():
        plain = name.replace(".base_layer", "")
        assert "lora" in name or torch.equal(tensor, untouched[plain])


def logits_of(weights, model):
    plain = type(model)(model.config).eval()
    plain.load_state_dict(weights)
    return logits(plain)


def test_merging_adds_in_float32_and_rounds_once(tiny_folder):
    model = with_lora(load_adapter(tiny_folder, device="cpu", dtype="bfloat16").model)
    path, layer = next(iter(lora_layers(model).items()))
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    expected = (layer.base_layer.weight.double() + 8 / 4 * b.double() @ a.double()).to(torch.bfloat16)

    merged = dict(merged_tensors(model))[f"{path}.weight"]

    assert merged.dtype == torch.bfloat16
    assert (merged != expected).float().mean() < 0.002


def test_a_saved_lora_run_opens_as_a_policy_with_its_base(tiny_folder, tmp_path):
    adapter = load_adapter(tiny_folder, device="cpu", min_pixels=96 * 64, max_pixels=96 * 64)
    with_lora(adapter.model)
    with_lora(adapter.model, name="second", seed=2)
    save_adapter(adapter, tmp_path)

    opened = load_adapter(tmp_path, device="cpu")

    assert not (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "second" / "adapter_model.safetensors").exists()
    assert active_adapters(opened.model) == ("default", "second")
    assert torch.equal(logits(opened.model), logits(adapter.model))
    assert opened.tokenizer.chat_template == adapter.tokenizer.chat_template


def test_a_model_of_which_more_than_an_adapter_learns_is_saved_whole(tiny_folder, tmp_path):
    adapter = load_adapter(tiny_folder, device="cpu")
    with_lora(adapter.model)
    adapter.model.get_output_embeddings().weight.requires_grad_(True)
    save_adapter(adapter, tmp_path)

    opened = load_adapter(tmp_path, device="cpu")

    assert active_adapters(opened.model) == ()
    assert torch.allclose(logits(opened.model), logits(adapter.model), atol=1e-4)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("no_such_layer", r"cannot adapt 'no_such_layer' \(worker\.actor\.model\.lora\.targets\)"),
        ("lm_head", r"lm_head is the head.*worker\.actor\.model\.trainable can name it"),
        (r"model\.visual\.patch_embed\.proj", r"patch_embed\.proj is no plain linear layer"),
    ],
)
def test_layers_that_cannot_be_adapted_are_refused(model, pattern, message):
    with pytest.raises(ConfigError, match=message):
        attach_lora(model, targets=pattern, rank=2, alpha=2.0)


def test_a_name_that_is_taken_is_refused_with_the_key_that_changes_it(model):
    with_lora(model)
    with pytest.raises(ConfigError, match=r"called default already.*worker\.actor\.model\.lora\.name"):
        with_lora(model)


def test_an_adapter_of_another_model_is_refused_and_names_its_base(model, tmp_path):
    with_lora(model, rank=4)
    save_lora(model, tmp_path / "a")
    file = tmp_path / "a" / "adapter_config.json"
    file.write_text(file.read_text().replace('"r": 4', '"r": 8'))

    fresh = load_adapter(model.name_or_path, device="cpu").model
    with pytest.raises(ConfigError, match=r"does not fit the model: 28 of its 28 weights.*adapter_config\.json names"):
        load_lora(fresh, tmp_path / "a")
    with pytest.raises(ConfigError, match=r"holds no adapter_config\.json"):
        load_lora(fresh, Path(tmp_path))


def test_adapters_that_are_more_than_lora_are_refused(model, tmp_path):
    with_lora(model)
    save_lora(model, tmp_path)
    file = tmp_path / "adapter_config.json"
    file.write_text(file.read_text().replace('"use_dora": false', '"use_dora": true'))

    with pytest.raises(ConfigError, match=r"has use_dora, which is not LoRA as it is computed here"):
        load_lora(model, tmp_path, name="other")
