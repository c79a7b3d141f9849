"""Names and config of Phi-4-multimodal in Microsoft's remote code (`Phi4MMForCausalLM`) and in transformers, both ways.

The remote code keeps its adapters inside the model, so one checkpoint holds base weights and both LoRAs:

    model.layers.0.self_attn.qkv_proj.base_layer.weight       model.layers.0.self_attn.qkv_proj.weight
    model.layers.0.self_attn.qkv_proj.lora_A.vision.weight    model.layers.0.self_attn.qkv_proj.lora_A.weight, in vision
    model.embed_tokens_extend.image_embed.glb_GN              ...image_embed.global_img_feature_extensor

The table follows transformers' `convert_phi4_multimodal_weights_to_hf.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ARCHITECTURE = "Phi4MMForCausalLM"
"""What the remote code calls its class, and vLLM its own."""
_IMAGE = "model.embed_tokens_extend.image_embed."
_AUDIO = "model.embed_tokens_extend.audio_embed."
_ENCODER = _AUDIO + "encoder.encoders."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """One piece of a name that differs, below a prefix that does not."""

    below: str
    remote: str
    native: str


RENAMES = (
    Rename(below=_IMAGE, remote="img_projection.0.", native="img_projection_up."),
    Rename(below=_IMAGE, remote="img_projection.2.", native="img_projection_down."),
    Rename(below=_IMAGE, remote="glb_GN", native="global_img_feature_extensor"),
    Rename(below=_IMAGE, remote="sub_GN", native="sub_img_feature_extensor"),
    Rename(below=_AUDIO, remote="audio_projection.speech.0.", native="up_proj_for_speech."),
    Rename(below=_AUDIO, remote="audio_projection.speech.2.", native="down_proj_for_speech."),
    Rename(below=_AUDIO, remote="audio_projection.vision.0.", native="up_proj_for_vision_speech."),
    Rename(below=_AUDIO, remote="audio_projection.vision.2.", native="down_proj_for_vision_speech."),
    Rename(below=_ENCODER, remote=".feed_forward_in.net.0.linear.", native=".feed_forward_in.gate_up_proj."),
    Rename(below=_ENCODER, remote=".feed_forward_in.net.2.", native=".feed_forward_in.down_proj."),
    Rename(below=_ENCODER, remote=".feed_forward_out.net.0.linear.", native=".feed_forward_out.gate_up_proj."),
    Rename(below=_ENCODER, remote=".feed_forward_out.net.2.", native=".feed_forward_out.down_proj."),
    Rename(below=_ENCODER, remote=".self_attn.linear_q.", native=".self_attn.q_proj."),
    Rename(below=_ENCODER, remote=".self_attn.linear_k.", native=".self_attn.k_proj."),
    Rename(below=_ENCODER, remote=".self_attn.linear_v.", native=".self_attn.v_proj."),
    Rename(below=_ENCODER, remote=".self_attn.linear_out.", native=".self_attn.o_proj."),
)
"""Everything that is called otherwise; adapters apart, all other names are the same."""

ADAPTED = re.compile(r"model\.layers\.\d+\.(self_attn\.(qkv|o)_proj|mlp\.(gate_up|down)_proj)\.weight")
"""Native names of the weights that the remote code wraps in adapters."""
_FACTOR = re.compile(r"(?P<layer>.+)\.lora_(?P<factor>[AB])\.(?P<adapter>\w+)\.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeName:
    """Where a tensor of the remote code's checkpoint belongs."""

    name: str
    """Parameter's name; a LoRA factor's is without its adapter's."""
    adapter: str | None = None
    """`vision` or `speech`; None is the base model."""


def is_remote_code(config: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is of a checkpoint in the remote code's names."""
    return ARCHITECTURE in (config.get("architectures") or ())


def native_name(remote: str) -> NativeName:
    """Name in transformers of a tensor in the remote code's checkpoint."""
    factor = _FACTOR.fullmatch(remote)
    if factor is not None:
        name = f"{factor['layer']}.lora_{factor['factor']}.weight"
        return NativeName(name=name, adapter=factor["adapter"])
    name = remote.replace(".base_layer.", ".")
    for rename in RENAMES:
        if name.startswith(rename.below) and rename.remote in name:
            return NativeName(name=name.replace(rename.remote, rename.native))
    return NativeName(name=name)


def remote_name(native: str, *, adapter: str | None = None) -> str:
    """Name in the remote code's checkpoint of a tensor in transformers: what vLLM loads, which skips adapters.

    >>> remote_name("model.layers.0.mlp.down_proj.weight")
    'model.layers.0.mlp.down_proj.base_layer.weight'
    >>> remote_name("model.layers.0.mlp.down_proj.lora_A.weight", adapter="vision")
    'model.layers.0.mlp.down_proj.lora_A.vision.weight'
    """
    if adapter is not None:
        return f"{native.removesuffix('.weight')}.{adapter}.weight"
    if ADAPTED.fullmatch(native):
        return f"{native.removesuffix('.weight')}.base_layer.weight"
    for rename in RENAMES:
        if native.startswith(rename.below) and rename.native in native:
            return native.replace(rename.native, rename.remote)
    return native


_AUDIO_SETTINGS = {
    "attention_dim": "hidden_size",
    "attention_heads": "num_attention_heads",
    "linear_units": "intermediate_size",
    "depthwise_seperable_out_channel": "depthwise_separable_out_channel",
}
"""Settings of the audio encoder that are called otherwise; the remote code's spelling is as it is."""
_AUDIO_SETTINGS_GONE = (
    "activation_checkpointing",
    "batch_norm",
    "bias_in_glu",
    "causal",
    "cnn_layer_norm",
    "encoder_embedding_config",
    "ext_pw_kernel_size",
    "input_layer",
)
"""Settings of the audio encoder that the native class has built in."""
_SETTINGS_GONE = (
    "_attn_implementation",
    "_name_or_path",
    "architectures",
    "audio_processor",
    "auto_map",
    "embd_layer",
    "img_processor",
    "model_type",
    "speech_lora",
    "transformers_version",
    "vision_lora",
)


def native_config(remote: Mapping[str, Any], *, image_token_id: int, audio_token_id: int) -> dict[str, Any]:
    """Arguments of `Phi4MultimodalConfig` for a remote code's `config.json`.

    Ids of the placeholders come from the tokenizer, since the remote code has them in its source. So it has the sizes
    of its image tower, which are the native class's defaults; a `vision_config` of the remote file is put over them.
    """
    layers = remote["embd_layer"]
    audio = dict(remote["audio_processor"]["config"])
    vision = dict(remote.get("vision_config", {}))
    settings = {_AUDIO_SETTINGS.get(key, key): value for key, value in audio.items()}
    nemo, bias = settings.pop("nemo_conv_settings"), settings.pop("relative_attention_bias_args")
    for key in _AUDIO_SETTINGS_GONE:
        settings.pop(key, None)
    settings["nemo_conv_channels"] = nemo["conv_channels"]
    settings["bias_max_distance"] = bias["t5_bias_max_distance"]
    settings["downsample_rate"] = layers["audio_embd_layer"]["downsample_rate"]
    kept = {key: value for key, value in remote.items() if key not in _SETTINGS_GONE}
    return kept | {
        "audio_config": settings | {"audio_token_id": audio_token_id},
        "vision_config": vision
        | {"crop_size": layers["image_embd_layer"]["crop_size"], "image_token_id": image_token_id},
    }
