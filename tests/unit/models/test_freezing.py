"""Spec rows 66 and 67: which weights learn, said by patterns, shown, and checked."""

import io

import pytest
import torch
from rich.console import Console

from radrl.config.environment import VISION_LORA
from radrl.config.learning import LoraConfig, ModelConfig
from radrl.errors import ConfigError
from radrl.models.freezing import (
    WeightRow,
    check_frozen,
    choose_trained,
    prepare_training,
    trained_names,
    trained_rows,
    trained_table,
)
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import attach_lora

ALL_LINEAR = r"model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"


@pytest.fixture
def model(adapter):
    return adapter.model


def test_everything_learns_when_nothing_is_said(adapter):
    prepare_training(adapter, ModelConfig(), seed=0)
    assert trained_names(adapter.model) == {name for name, _ in adapter.model.named_parameters()}


def test_row_67_the_vision_tower_is_held_and_an_image_encoded_once(adapter, ask, monkeypatch):
    prepare_training(adapter, ModelConfig(freeze_vision_tower=True), seed=0)
    passes = []
    monkeypatch.setattr(adapter.family, "encode_images", counting(adapter.family.encode_images, passes))
    refs = ask("<image>", num_images=1).images

    first, second = adapter.encode_images(refs), adapter.encode_images(refs)

    assert not any(name.startswith("model.visual") for name in trained_names(adapter.model))
    assert any(name.startswith("model.language_model") for name in trained_names(adapter.model))
    assert (len(passes), torch.equal(first[0], second[0])) == (1, True)


def test_under_lora_on_the_language_model_an_image_is_encoded_once(adapter, ask, monkeypatch):
    passes = []
    monkeypatch.setattr(adapter.family, "encode_images", counting(adapter.family.encode_images, passes))
    refs = ask("<image>", num_images=1).images
    for _ in range(2):
        adapter.encode_images(refs)
    assert len(passes) == 2

    prepare_training(adapter, ModelConfig(lora=LoraConfig(rank=2)), seed=0)
    for _ in range(2):
        adapter.encode_images(refs)

    assert len(passes) == 3


def counting(encode, passes):
    def count(images):
        passes.append(len(images))
        return encode(images)

    return count


def test_patterns_choose_what_learns_and_what_does_not_after_all(model):
    chosen = choose_trained(model, trainable=(r"layers\.\d+\.mlp", "norm"), frozen=(r"layers\.0\.", "visual"))

    assert chosen == trained_names(model)
    assert all(name.startswith("model.language_model") for name in chosen)
    assert {name.split("layers.1.")[-1] for name in chosen} == {
        "mlp.gate_proj.weight",
        "mlp.up_proj.weight",
        "mlp.down_proj.weight",
        "input_layernorm.weight",
        "post_attention_layernorm.weight",
        "model.language_model.norm.weight",
    }


@pytest.mark.parametrize(
    ("trainable", "frozen", "message"),
    [
        (
            ("mlp.down_prj",),
            (),
            r"(?s)worker\.actor\.model\.trainable has 'mlp\.down_prj', which matches no weight.*Near",
        ),
        (
            (),
            ("langage_model.norm",),
            r"worker\.actor\.model\.frozen has .*Near it are model\.language_model\.norm\.weight",
        ),
        (("(",), (), r"trainable has '\(', which is no regular expression"),
        (("norm",), ("norm",), r"no weight learns: .*leave none, of all"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused(model, trainable, frozen, message):
    with pytest.raises(ConfigError, match=message):
        choose_trained(model, trainable=trainable, frozen=frozen)


def test_the_names_near_a_pattern_stand_for_all_layers(model):
    with pytest.raises(ConfigError, match=r"Near it are .*layers\.\*\.self_attn\.q_proj\.") as caught:
        choose_trained(model, trainable=(r"self_attn\.q_projj",))
    assert "layers.0" not in str(caught.value)


def test_row_66_only_the_vision_lora_learns_and_a_forward_pass_does_not_change_it(model):
    attach_lora(model, targets=ALL_LINEAR, rank=2, alpha=4.0, name="vision")
    attach_lora(model, targets=ALL_LINEAR, rank=2, alpha=4.0, name="speech")

    trained = choose_trained(model, trainable=VISION_LORA, adapters=("vision", "speech"))
    model(input_ids=torch.tensor([[21, 22]])).logits.sum().backward()

    assert len(trained) == 2 * 2 * 7
    assert all(".lora_A.vision." in name or ".lora_B.vision." in name for name in trained)
    check_frozen(model, trained)
    assert {name for name, each in model.named_parameters() if each.grad is not None} == trained


def test_row_66_the_head_learns_beside_the_vision_lora_when_it_is_named(model):
    attach_lora(model, targets=ALL_LINEAR, rank=2, alpha=4.0, name="vision")
    head = next(name for name, each in model.named_parameters() if each is model.get_output_embeddings().weight)

    trained = choose_trained(model, trainable=(*VISION_LORA, head))

    assert {name for name in trained if "lora" not in name} == {head}


def test_row_66_code_that_switches_adapters_is_caught(model):
    attach_lora(model, targets=ALL_LINEAR, rank=2, alpha=4.0, name="vision")
    attach_lora(model, targets=ALL_LINEAR, rank=2, alpha=4.0, name="speech")
    trained = choose_trained(model, trainable=VISION_LORA)
    layer = model.model.language_model.layers[0].mlp.up_proj

    layer.set_adapter("speech")

    with pytest.raises(ConfigError, match=r"2 began \(.*lora_A\.speech\.weight\) and 2 ceased \(.*lora_A\.vision"):
        check_frozen(model, trained)


def test_the_rule_of_the_seed_on_a_model_without_that_adapter_says_so(model):
    with pytest.raises(ConfigError, match=r"has 'lora_A\\\\\.vision', which matches no weight"):
        choose_trained(model, trainable=VISION_LORA)


def test_a_second_adapter_learns_alone_and_an_opened_one_goes_on(adapter, tmp_path):
    prepare_training(adapter, ModelConfig(lora=LoraConfig(rank=2)), seed=0)
    save_adapter(adapter, tmp_path)
    opened = load_adapter(tmp_path, device="cpu")

    prepare_training(opened, ModelConfig(), seed=0)
    assert all(".default." in name for name in trained_names(opened.model))
    prepare_training(opened, ModelConfig(lora=LoraConfig(rank=2, name="second")), seed=0)
    assert all(".second." in name for name in trained_names(opened.model))


def test_an_adapter_folder_is_a_start_whose_weights_learn(adapter, tiny_folder, tmp_path):
    prepare_training(adapter, ModelConfig(lora=LoraConfig(rank=2)), seed=3)
    save_adapter(adapter, tmp_path)
    other = load_adapter(tiny_folder, device="cpu")

    prepare_training(other, ModelConfig(lora=LoraConfig(path=str(tmp_path))), seed=0)

    assert trained_names(other.model) == trained_names(adapter.model)
    own, given = dict(other.model.named_parameters()), dict(adapter.model.named_parameters())
    assert all(torch.equal(own[name], given[name]) for name in trained_names(other.model))


def test_the_table_counts_what_learns_over_all_layers(model):
    attach_lora(model, targets=r"model\.language_model\.layers\.\d+\.self_attn\.q_proj", rank=2, alpha=4.0)

    assert trained_rows(model) == (
        WeightRow(
            pattern="model.language_model.layers.*.self_attn.q_proj.lora_[AB].default.weight",
            num_tensors=4,
            num_weights=2 * (2 * 128 + 128 * 2),
            dtype="float32",
        ),
    )
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(trained_table(model))
    total = sum(parameter.numel() for parameter in model.parameters())
    shown = console.export_text()
    assert "q_proj.lora_[AB].default.weight" in shown
    assert f"in all, {1024 / total:.2%} of {total:,} weights" in shown
