from dataclasses import replace

import pytest
from engine_builders import qwen_3b, tiny_config, tiny_model
from torch import nn
from transformers import GPT2Config

from radrl.engines.shapes import shape_of
from radrl.errors import ConfigError

DECODER = ("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj", "gate_proj", "up_proj", "gate_up_proj", "down_proj")
"""Names of the matrices of a decoder layer."""
ENCODERS = ("visual", "vision_tower", "image_embed", "audio_embed")


def matrices(module: nn.Module) -> int:
    """Parameters of two and more dimensions, tables aside."""
    tables = {id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    return sum(p.numel() for p in module.parameters() if p.ndim >= 2 and id(p) not in tables)


@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen2_5_vl", "qwen3_vl", "gemma3", "phi4_multimodal"])
def test_the_matrices_of_the_language_model_are_counted_to_the_last_number(family):
    model, shape = tiny_model(family), shape_of(tiny_config(family))
    assert shape.decoder.head_params == model.get_output_embeddings().weight.numel()
    assert decoder_matrices(model) == shape.decoder.params


def decoder_matrices(model: nn.Module) -> int:
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and name.split(".")[-2] in DECODER and not any(part in name for part in ENCODERS)
    )


def test_the_encoder_of_qwen2_5_vl_is_counted_to_the_last_number():
    model = tiny_model("qwen2_5_vl")
    assert shape_of(model.config).vision.params == matrices(model.model.visual)


def test_the_encoder_of_qwen3_vl_is_counted_with_a_merger_for_every_deepstack_layer():
    model = tiny_model("qwen3_vl")
    vision = shape_of(model.config).vision
    assert vision.params == matrices(model.model.visual)
    assert vision.token_params == 3 * (256 * 256 + 256 * 128)


def test_the_encoder_of_gemma3_is_counted_with_its_projection_to_pooled_tokens():
    model = tiny_model("gemma3")
    vision = shape_of(model.config).vision
    tower = model.model.vision_tower
    assert vision.params == matrices(tower) + matrices(model.model.multi_modal_projector)
    assert (vision.patches_per_token, vision.crop_patches) == (4, 16)


def test_phi4_stops_at_the_layer_whose_features_it_takes():
    model = tiny_model("phi4_multimodal")
    vision = shape_of(model.config).vision
    embedding = model.model.embed_tokens_extend.image_embed
    front = matrices(embedding.img_processor.embeddings)
    layers = [matrices(layer) for layer in embedding.img_processor.encoder.layers]
    behind = matrices(embedding.img_projection_up) + matrices(embedding.img_projection_down)
    assert vision.num_blocks == 2
    assert vision.params == front + sum(layers[:2]) + behind


def test_the_layers_of_gemma3_that_see_a_window_are_known():
    assert shape_of(tiny_config("gemma3")).decoder.windows == (8, None)
    assert shape_of(tiny_config("qwen2")).decoder.windows == (None, None)


def test_qwen2_5_vl_3b_has_the_parameters_its_name_promises():
    shape = qwen_3b()
    assert shape.decoder.layer_params == 77_070_336
    assert shape.vision.block_params == 19_686_400
    assert shape.params == pytest.approx(3.754e9, rel=1e-3)


def test_a_critic_has_a_head_of_one_number_beside_its_embedding_tied_or_not():
    for ties_head in (True, False):
        policy = qwen_3b()
        policy = replace(policy, decoder=replace(policy.decoder, ties_head=ties_head))
        critic = policy.as_critic
        assert critic.decoder.head_params == 2048
        assert critic.params == policy.params + 2048 - (0 if ties_head else 2048 * 151_936)


def test_a_family_whose_costs_are_not_known_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"'gpt2' model are not known.*left out"):
        shape_of(GPT2Config())
