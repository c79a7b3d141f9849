"""Small real models of every family, as their Hugging Face configs say, and sizes of a real one."""

from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Gemma3Config,
    LlamaConfig,
    Phi4MultimodalConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2Config,
    Qwen3VLConfig,
)

from radrl.engines.shapes import ModelShape, shape_of

ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]}
TEXT = {
    "hidden_size": 128,
    "intermediate_size": 640,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 300,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def tiny_config(family: str) -> PretrainedConfig:
    siglip = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2}
    match family:
        case "qwen2":
            return Qwen2Config(**TEXT, tie_word_embeddings=False)
        case "llama":
            return LlamaConfig(**TEXT, tie_word_embeddings=True)
        case "qwen2_5_vl":
            vision = {"depth": 3, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 128}
            vision |= {"window_size": 56, "fullatt_block_indexes": [2]}
            return Qwen2_5_VLConfig(
                text_config=TEXT | {"rope_parameters": ROPE}, vision_config=vision, tie_word_embeddings=True
            )
        case "qwen3_vl":
            vision = {"depth": 3, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 128}
            vision |= {"deepstack_visual_indexes": [0, 1]}
            return Qwen3VLConfig(
                text_config=TEXT | {"rope_parameters": ROPE}, vision_config=vision, tie_word_embeddings=False
            )
        case "gemma3":
            return Gemma3Config(
                text_config=TEXT | {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
                vision_config=siglip | {"image_size": 56, "patch_size": 14, "vision_use_head": False},
                mm_tokens_per_image=4,
            )
        case "phi4_multimodal":
            audio = {"hidden_size": 32, "intermediate_size": 32, "num_blocks": 1, "num_attention_heads": 2}
            vision = siglip | {"crop_size": 56, "image_size": 56}
            text = {name: value for name, value in TEXT.items() if name != "head_dim"}
            return Phi4MultimodalConfig(**text, vision_config=vision, audio_config=audio)
    raise ValueError(family)


def tiny_model(family: str) -> PreTrainedModel:
    config = tiny_config(family)
    auto = AutoModelForCausalLM if family in ("qwen2", "llama", "phi4_multimodal") else AutoModelForImageTextToText
    return auto.from_config(config, attn_implementation="sdpa")


def qwen_3b() -> ModelShape:
    """Qwen2.5-VL-3B."""
    text = {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    }
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048}
    vision |= {"window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "patch_size": 14}
    return shape_of(Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True))
