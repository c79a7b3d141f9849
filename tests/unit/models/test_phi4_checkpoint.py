"""Phi-4's folders: the vision LoRA beside its base, and checkpoints of the remote code under its names."""

import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, Phi4MultimodalConfig, Phi4MultimodalForCausalLM

from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.phi4_names import NativeName, is_remote_code, native_config, native_name, remote_name
from radrl.models.families.phi4_processor import NAMED_TOKENS
from radrl.models.forward import score_completions
from radrl.models.freezing import check_frozen, choose_trained
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import adapter_tensors, merged_tensors, switched_off
from radrl.models.packing import plan
from radrl.models.phi4_checkpoint import VISION, open_vision_lora, remote_tensors, save_native, save_vision_lora
from radrl.types import Sample

IMAGE, AUDIO = "model.embed_tokens_extend.image_embed.", "model.embed_tokens_extend.audio_embed."
OLD_PIECES = (
    (r"(image_embed\.)img_projection_up\.", r"\1img_projection.0."),
    (r"(image_embed\.)img_projection_down\.", r"\1img_projection.2."),
    (r"(image_embed\.)global_img_feature_extensor", r"\1glb_GN"),
    (r"(image_embed\.)sub_img_feature_extensor", r"\1sub_GN"),
    (r"(audio_embed\.)up_proj_for_speech\.", r"\1audio_projection.speech.0."),
    (r"(audio_embed\.)down_proj_for_speech\.", r"\1audio_projection.speech.2."),
    (r"(audio_embed\.)up_proj_for_vision_speech\.", r"\1audio_projection.vision.0."),
    (r"(audio_embed\.)down_proj_for_vision_speech\.", r"\1audio_projection.vision.2."),
    (r"(encoders\.\d+\.feed_forward_(?:in|out)\.)gate_up_proj\.", r"\1net.0.linear."),
    (r"(encoders\.\d+\.feed_forward_(?:in|out)\.)down_proj\.", r"\1net.2."),
    (r"(encoders\.\d+\.self_attn\.)([qkv])_proj\.", r"\1linear_\2."),
    (r"(encoders\.\d+\.self_attn\.)o_proj\.", r"\1linear_out."),
    (r"(model\.layers\.\d+\..*)_proj\.weight", r"\1_proj.base_layer.weight"),
)
"""What names of the native class become in the remote code's checkpoint, written down apart from the table in use."""
RELEASED: Mapping[str, Any] = {
    "architectures": ["Phi4MMForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "audio_processor": {
        "config": {
            "activation": "swish",
            "activation_checkpointing": {"interval": 1, "module": "transformer", "offload": False},
            "attention_dim": 1024,
            "attention_heads": 16,
            "batch_norm": False,
            "bias_in_glu": True,
            "causal": True,
            "chunk_size": -1,
            "cnn_layer_norm": True,
            "conv_activation": "swish",
            "conv_glu_type": "swish",
            "depthwise_multiplier": 1,
            "depthwise_seperable_out_channel": 1024,
            "dropout_rate": 0.0,
            "encoder_embedding_config": {"input_size": 80},
            "ext_pw_kernel_size": 1,
            "ext_pw_out_channel": 1024,
            "input_layer": "nemo_conv",
            "input_size": 80,
            "kernel_size": 3,
            "left_chunk": 18,
            "linear_units": 1536,
            "nemo_conv_settings": {"conv_channels": 1024},
            "num_blocks": 24,
            "relative_attention_bias_args": {"t5_bias_max_distance": 500, "type": "t5"},
            "time_reduction": 8,
        },
        "name": "cascades",
    },
    "auto_map": {"AutoModelForCausalLM": "modeling_phi4mm.Phi4MMForCausalLM"},
    "bos_token_id": 199999,
    "embd_layer": {
        "audio_embd_layer": {"compression_rate": 8, "downsample_rate": 1, "embedding_cls": "audio"},
        "embedding_cls": "image_audio",
        "image_embd_layer": {"crop_size": 448, "embedding_cls": "tune_image", "hd_transform_order": "sub_glb"},
    },
    "embd_pdrop": 0.0,
    "eos_token_id": 199999,
    "full_attn_mod": 1,
    "hidden_act": "silu",
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "model_type": "phi4mm",
    "num_attention_heads": 24,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "original_max_position_embeddings": 4096,
    "pad_token_id": 199999,
    "partial_rotary_factor": 0.75,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {"long_factor": [2.0] * 48, "short_factor": [1.0] * 48, "type": "longrope"},
    "rope_theta": 10000.0,
    "sliding_window": 262144,
    "speech_lora": {"dp": 0.01, "lora_alpha": 640, "r": 320},
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vision_lora": {"dp": 0.0, "lora_alpha": 512, "r": 256},
    "vocab_size": 200064,
}
"""The released `config.json` of the remote code, shortened where nothing is read."""


def old_name(native: str) -> str:
    for pattern, replacement in OLD_PIECES:
        renamed, count = re.subn(pattern, replacement, native)
        if count:
            return renamed
    return native


@pytest.fixture
def phi4(open_family: Callable[..., ModelAdapter]) -> ModelAdapter:
    return open_family("phi4_multimodal")


@pytest.fixture
def old_folder(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """The tiny model as the remote code would have saved it: adapters inside, a speech adapter too."""
    native, old = folder_of("phi4_multimodal"), tmp_path / "old"
    old.mkdir()
    tensors = {old_name(name): tensor for name, tensor in load_file(native / "model.safetensors").items()}
    for name, tensor in load_file(native / "vision-lora" / "adapter_model.safetensors").items():
        layer, factor = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])\.weight", name).groups()
        tensors[f"{layer}.lora_{factor}.vision.weight"] = tensor
        tensors[f"{layer}.lora_{factor}.speech.weight"] = torch.full_like(tensor, 9.0)
    save_file(tensors, old / "model-00001-of-00001.safetensors", metadata={"format": "pt"})
    (old / "config.json").write_text(json.dumps(old_config(json.loads((native / "config.json").read_text()))))
    shutil.copy(native / "tokenizer.json", old)
    settings = json.loads((native / "tokenizer_config.json").read_text())
    for key in (*NAMED_TOKENS, "extra_special_tokens"):
        settings.pop(key, None)
    joins = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    settings |= {"eos_token": "<|endoftext|>", "processor_class": "Phi4MMProcessor", "chat_template": joins}
    (old / "tokenizer_config.json").write_text(json.dumps(settings))
    (old / "preprocessor_config.json").write_text(
        json.dumps({"dynamic_hd": 2, "image_processor_type": "Phi4MMImageProcessor", "audio_compression_rate": 8})
    )
    return old


def old_config(native: Mapping[str, Any]) -> dict[str, Any]:
    """The released config with the tiny model's sizes."""
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    ends = ("vocab_size", "bos_token_id", "pad_token_id", "max_position_embeddings", "original_max_position_embeddings")
    rope, audio = native["rope_parameters"], native["audio_config"]
    width = audio["hidden_size"]
    encoder = RELEASED["audio_processor"]["config"] | {
        "attention_dim": width,
        "attention_heads": audio["num_attention_heads"],
        "linear_units": audio["intermediate_size"],
        "depthwise_seperable_out_channel": width,
        "ext_pw_out_channel": width,
        "nemo_conv_settings": {"conv_channels": width},
        "num_blocks": audio["num_blocks"],
        "relative_attention_bias_args": {"t5_bias_max_distance": audio["bias_max_distance"], "type": "t5"},
    }
    return {
        **RELEASED,
        **{key: native[key] for key in (*sizes, *ends)},
        "eos_token_id": native["eos_token_id"],
        "rope_scaling": {"type": "longrope", "short_factor": rope["short_factor"], "long_factor": rope["long_factor"]},
        "audio_processor": {"config": encoder, "name": "cascades"},
        "vision_lora": {"dp": 0.0, "lora_alpha": 8, "r": 4},
        "vision_config": {key: native["vision_config"][key] for key in (*sizes[:4], "image_size", "patch_size")},
    }


def scores(adapter: ModelAdapter, sample: Sample) -> Tensor:
    (micro_batch,) = plan([adapter.render(sample)], [((60, 61, 62),)], row_tokens=900, micro_batch_tokens=900)
    return score_completions(adapter, micro_batch, temperature=1.0).logprobs


def test_a_checkpoint_of_the_remote_code_is_the_model_it_was(
    old_folder: Path, phi4: ModelAdapter, ask: Callable[..., Sample], caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 13 and 65: the same log-probabilities, adapter on and off, and a prompt in the same format."""
    with caplog.at_level(logging.INFO):
        old = load_adapter(old_folder, device="cpu")
    assert "unverified on a real checkpoint" in caplog.text
    assert "left out 16 tensors of the speech adapter" in caplog.text
    sample = ask("<image>Is there a left pleural effusion?", num_images=1)
    assert old.render(sample).token_ids == phi4.render(sample).token_ids
    assert (old.eos_ids, old.banned_ids) == (phi4.eos_ids, phi4.banned_ids)
    with_lora = scores(old, sample)
    assert torch.equal(with_lora, scores(phi4, sample))
    with switched_off(old.model, VISION), switched_off(phi4.model, VISION):
        without = scores(old, sample)
        assert torch.equal(without, scores(phi4, sample))
    assert not torch.allclose(with_lora, without)


def test_a_converted_checkpoint_is_saved_in_the_native_form(
    old_folder: Path, ask: Callable[..., Sample], tmp_path: Path
) -> None:
    old = load_adapter(old_folder, device="cpu")
    save_native(old.model, tmp_path / "native")
    old.processor.save_pretrained(tmp_path / "native")
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path / "native")) is Phi4MultimodalForCausalLM
    sample = ask("<image>Is there a left pleural effusion?", num_images=1)
    again = load_adapter(tmp_path / "native", device="cpu")
    assert torch.equal(scores(again, sample), scores(old, sample))
    assert again.images.size(sample.images[0]) == old.images.size(sample.images[0])


def test_a_checkpoint_that_lacks_a_tensor_is_refused(old_folder: Path) -> None:
    file = old_folder / "model-00001-of-00001.safetensors"
    tensors = load_file(file)
    gone = "model.layers.1.mlp.down_proj.lora_B.vision.weight"
    save_file({name: each for name, each in tensors.items() if name != gone}, file)
    with pytest.raises(ConfigError, match=r"1 factors of the vision LoRA .*layers\.1\.mlp\.down_proj\.lora_B"):
        load_adapter(old_folder, device="cpu")
    save_file({name: each for name, each in tensors.items() if name != IMAGE + "glb_GN"}, file)
    with pytest.raises(ConfigError, match=r"1 missing .*global_img_feature_extensor"):
        load_adapter(old_folder, device="cpu")


def test_a_head_that_was_trained_apart_from_the_embedding_is_refused(old_folder: Path) -> None:
    file = old_folder / "model-00001-of-00001.safetensors"
    tensors = load_file(file)
    embedding = tensors["model.embed_tokens.weight"]
    save_file(tensors | {"lm_head.weight": embedding.clone()}, file)
    load_adapter(old_folder, device="cpu")
    save_file(tensors | {"lm_head.weight": embedding + 1}, file)
    with pytest.raises(ConfigError, match="an lm_head other than its embedding"):
        load_adapter(old_folder, device="cpu")


def test_every_name_of_the_released_model_converts_both_ways() -> None:
    config = Phi4MultimodalConfig(**native_config(RELEASED, image_token_id=200010, audio_token_id=200011))
    with torch.device("meta"):
        model = Phi4MultimodalForCausalLM(config)
    names = list(model.state_dict())
    for name in names:
        assert remote_name(name) == old_name(name)
        assert native_name(old_name(name)) == NativeName(name=name)
    assert len({remote_name(name) for name in names}) == len(names)
    factor = "model.layers.7.self_attn.o_proj.lora_A.weight"
    old = "model.layers.7.self_attn.o_proj.lora_A.vision.weight"
    assert native_name(old) == NativeName(name=factor, adapter="vision")
    assert remote_name(factor, adapter="vision") == old


def test_the_config_of_the_released_model_is_that_of_the_native_class() -> None:
    assert is_remote_code(RELEASED)
    assert not is_remote_code({"architectures": ["Phi4MultimodalForCausalLM"]})
    config = Phi4MultimodalConfig(**native_config(RELEASED, image_token_id=200010, audio_token_id=200011))
    assert (config.num_attention_heads, config.sliding_window, config.tie_word_embeddings) == (24, 262144, True)
    rope = config.rope_parameters
    assert (rope["rope_type"], rope["partial_rotary_factor"], rope["original_max_position_embeddings"]) == (
        "longrope",
        0.75,
        4096,
    )
    vision, audio = config.vision_config, config.audio_config
    assert (vision.hidden_size, vision.num_hidden_layers, vision.crop_size, vision.image_token_id) == (
        1152,
        27,
        448,
        200010,
    )
    assert (audio.hidden_size, audio.num_blocks, audio.bias_max_distance, audio.audio_token_id) == (
        1024,
        24,
        500,
        200011,
    )


def test_tensors_for_vllm_have_the_vision_lora_merged_in(phi4: ModelAdapter, old_folder: Path) -> None:
    """Row 63: every base tensor of the remote code's checkpoint, by its name there; W + 2 B A worked apart."""
    sent = dict(remote_tensors(phi4.model))
    old = {
        name: tensor
        for name, tensor in load_file(old_folder / "model-00001-of-00001.safetensors").items()
        if ".lora_" not in name
    }
    assert sent.keys() == old.keys()
    factors = adapter_tensors(phi4.model, VISION)
    for name, tensor in old.items():
        layer = name.removesuffix(".base_layer.weight")
        if layer == name:
            assert torch.equal(sent[name], tensor), name
            continue
        down, up = (factors[f"base_model.model.{layer}.lora_{factor}.weight"] for factor in "AB")
        torch.testing.assert_close(sent[name], tensor + 2.0 * up @ down, atol=1e-6, rtol=0)
        assert not torch.equal(sent[name], tensor)


def test_the_vision_lora_is_saved_as_it_was_opened(
    folder_of: Callable[[str], Path], phi4: ModelAdapter, tmp_path: Path
) -> None:
    """Row 65: transformers' own call opens what is written."""
    given = folder_of("phi4_multimodal") / "vision-lora"
    save_vision_lora(phi4.model, tmp_path / "vision-lora")
    written = load_file(tmp_path / "vision-lora" / "adapter_model.safetensors")
    assert {name: each.tolist() for name, each in written.items()} == {
        name: each.tolist() for name, each in load_file(given / "adapter_model.safetensors").items()
    }
    model = AutoModelForCausalLM.from_pretrained(folder_of("phi4_multimodal"))
    model.load_adapter(str(tmp_path / "vision-lora"), adapter_name="vision")
    factor = model.get_parameter("model.layers.0.mlp.down_proj.lora_B.vision.weight")
    assert torch.equal(factor, written["base_model.model.model.layers.0.mlp.down_proj.lora_B.weight"])


def test_an_adapter_in_names_without_pefts_prefix_is_opened(
    folder_of: Callable[[str], Path], phi4: ModelAdapter, tmp_path: Path
) -> None:
    """transformers' conversion script writes it so."""
    folder = shutil.copytree(folder_of("phi4_multimodal") / "vision-lora", tmp_path / "vision-lora")
    file = folder / "adapter_model.safetensors"
    tensors = {name.removeprefix("base_model.model."): 2 * each for name, each in load_file(file).items()}
    save_file(tensors, file)
    open_vision_lora(phi4.model, folder)
    for name, tensor in adapter_tensors(phi4.model, VISION).items():
        assert torch.equal(tensor, tensors[name.removeprefix("base_model.model.")])


def test_the_seeds_rule_trains_the_vision_lora_alone(phi4: ModelAdapter, ask: Callable[..., Sample]) -> None:
    """Row 66: FREEZE_NON_VISION_PARAMS, whose names are those of this model, still so behind a forward pass."""
    trained = choose_trained(phi4.model, trainable=(r"lora_A\.vision", r"lora_B\.vision"))
    assert len(trained) == 2 * 4 * len(phi4.family.layers)
    assert all(re.fullmatch(r"model\.layers\.\d\.\w+\.\w+_proj\.lora_[AB]\.vision\.weight", name) for name in trained)
    scores(phi4, ask("<image>Is there a left pleural effusion?", num_images=1)).sum().backward()
    check_frozen(phi4.model, trained)
    with_gradient = {name for name, each in phi4.model.named_parameters() if each.grad is not None}
    assert with_gradient == trained


def test_training_saves_the_adapter_and_opens_it_over_its_base(
    folder_of: Callable[[str], Path], phi4: ModelAdapter, tmp_path: Path, ask: Callable[..., Sample]
) -> None:
    choose_trained(phi4.model, trainable=(r"lora_[AB]\.vision",))
    with torch.no_grad():
        for tensor in adapter_tensors(phi4.model, VISION).values():
            tensor.mul_(1.5)
    save_adapter(phi4, tmp_path / "step")
    assert not (tmp_path / "step" / "model.safetensors").exists()
    again = load_adapter(tmp_path / "step", device="cpu")
    sample = ask("<image>Is there a left pleural effusion?", num_images=1)
    assert torch.equal(scores(again, sample), scores(phi4, sample))
    assert again.model.name_or_path == str(folder_of("phi4_multimodal"))


def test_a_merged_model_opens_without_an_adapter(
    phi4: ModelAdapter, tmp_path: Path, ask: Callable[..., Sample]
) -> None:
    choose_trained(phi4.model, trainable=(r"lora_[AB]\.vision", "embed_tokens"))
    save_adapter(phi4, tmp_path / "merged")
    again = load_adapter(tmp_path / "merged", device="cpu")
    assert not (tmp_path / "merged" / "vision-lora").exists()
    sample = ask("<image>Is there a left pleural effusion?", num_images=1)
    torch.testing.assert_close(scores(again, sample), scores(phi4, sample), atol=1e-5, rtol=0)
    merged = {name.replace(".base_layer.", "."): each for name, each in merged_tensors(phi4.model)}
    assert merged.keys() == again.model.state_dict().keys()
