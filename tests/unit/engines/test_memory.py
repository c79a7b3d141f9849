import copy
from typing import Any, cast

import pytest
import torch
from engine_builders import qwen_3b, tiny_config, tiny_model
from torch import Tensor, nn

from radrl.engines.memory import Shards, estimate, layer_bytes, whole_params
from radrl.engines.shapes import shape_of
from radrl.engines.work import Recipe, lora_params

GB = 1e9


class Adapted(nn.Module):
    """A linear layer with a frozen weight and a low-rank part in the same type."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner
        self.down = nn.Linear(inner.in_features, 2, bias=False, dtype=inner.weight.dtype)
        self.up = nn.Linear(2, inner.out_features, bias=False, dtype=inner.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.up(self.down(x))


def kept_bytes(model: Any, *, tokens: int, hidden: int) -> int:
    """Bytes of all tensors that a forward pass of the decoder keeps for the backward pass, weights aside."""
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    dtype = next(model.parameters()).dtype
    inputs = torch.randn(1, tokens, hidden, dtype=dtype, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.model(inputs_embeds=inputs, use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)


def bytes_a_layer(recipe: Recipe, *, dtype: torch.dtype) -> float:
    """What one layer more keeps a token, measured."""
    kept: list[int] = []
    for num_layers in (2, 3):
        config = copy.deepcopy(tiny_config("llama"))
        config.num_hidden_layers = num_layers
        model = cast("Any", type(tiny_model("llama"))(config)).to(dtype)
        model.requires_grad_(not recipe.is_lora)
        if recipe.is_lora:
            for layer in model.model.layers:
                for block in (layer.self_attn, layer.mlp):
                    for name, module in list(block.named_children()):
                        if isinstance(module, nn.Linear):
                            setattr(block, name, Adapted(module))
        kept.append(kept_bytes(model, tokens=64, hidden=128))
    return (kept[1] - kept[0]) / 64


@pytest.mark.parametrize(("dtype", "size"), [(torch.bfloat16, 2), (torch.float32, 4)])
def test_a_layer_keeps_what_the_formula_counts_when_the_model_learns(dtype, size):
    recipe = Recipe(weight_bytes=size)
    expected = layer_bytes(shape_of(tiny_config("llama")).decoder, recipe)
    assert bytes_a_layer(recipe, dtype=dtype) == pytest.approx(expected, rel=0.02)
    if size == 2:
        assert expected == 7960


def test_a_layer_keeps_what_the_formula_counts_when_an_adapter_learns():
    recipe = Recipe(adapter_params=1, weight_bytes=2)
    expected = layer_bytes(shape_of(tiny_config("llama")).decoder, recipe)
    # The adapter's own narrow outputs, two numbers a matrix, are not counted.
    assert bytes_a_layer(recipe, dtype=torch.bfloat16) == pytest.approx(expected, rel=0.03)


def estimated(recipe: Recipe, **changes: Any) -> Any:
    sizes: dict[str, Any] = {
        "micro_batch_tokens": 16_384,
        "micro_batch_image_tokens": 5 * 1024,
        "tile_logits": 1 << 28,
        "cached_tokens": 128 * 1302,
        "copied_params": 0,
    }
    return estimate(qwen_3b(), recipe, **(sizes | changes))


def test_the_components_of_a_three_billion_parameter_run_are_the_known_ones():
    full = estimated(Recipe(weight_bytes=2, gradient_bytes=2, state_bytes=4), copied_params=qwen_3b().params)
    learns = qwen_3b().params - qwen_3b().vision.params
    assert full.weights == full.copies == 2 * qwen_3b().params
    assert full.gradients == 2 * learns
    assert full.optimizer == 4 * learns
    assert full.logits == (1 << 28) * 14
    # 36 layers x 2 x 2 heads x 128 numbers x 2 bytes = 36,864 bytes a token.
    assert full.kv_cache == 128 * 1302 * 36_864
    # 130,120 bytes a token and layer.
    assert full.activations == 16_384 * 36 * 130_120
    assert full.activations_recomputed == 16_384 * (36 * 2 * 2048 + 130_120)


def test_an_adapter_shrinks_gradients_and_moments_to_its_own_size():
    num = lora_params(qwen_3b().decoder, rank=16)
    lora = estimated(Recipe(adapter_params=num))
    assert lora.gradients == 4 * num
    assert lora.optimizer == 8 * num
    assert lora.weights == 2 * qwen_3b().params + 4 * num


def test_sampling_and_update_take_turns_so_the_larger_of_their_needs_counts():
    lora = Recipe(adapter_params=1)
    small, large = estimated(lora, cached_tokens=0), estimated(lora, cached_tokens=10**7)
    assert small.peak_bytes(recomputes=True) < small.peak_bytes(recomputes=False)
    standing = large.weights + large.copies + large.gradients + large.optimizer
    assert large.peak_bytes(recomputes=True) == standing + large.kv_cache


def test_an_image_encoder_that_learns_keeps_activations_of_its_patches():
    still, learning = estimated(Recipe()), estimated(Recipe(trains_vision=True))
    patches = 4 * 5 * 1024
    a_block = 2 * 2 * 19_686_400 // 1280
    assert learning.activations - still.activations == patches * 32 * a_block


def test_row_52_shards_divide_what_is_held_and_a_rank_has_the_layer_at_work_whole():
    """Spec row 52: full shard and ZeRO-2 in the estimate; the image encoder is frozen and held by every rank."""
    shape, recipe = qwen_3b(), Recipe(weight_bytes=2, state_bytes=12)
    learns = recipe.trained_params(shape)
    full = estimated(recipe, shards=Shards(num=16, layers_at_once=2))
    # The embedding, 151,936 x 2,048, and two layers of 77,070,336.
    whole = 151_936 * 2048 + 2 * 77_070_336
    assert whole_params(shape, learns, layers_at_once=2) == whole
    share = -(-learns // 16)
    assert full.weights == 4 * share + 2 * (shape.vision.params + whole)
    assert full.gradients == 4 * share + 2 * whole
    assert full.optimizer == 8 * share
    zero2 = estimated(recipe, shards=Shards(num=16, layers_at_once=36))
    assert zero2.weights - full.weights == 2 * 34 * 77_070_336
    zero1 = estimated(recipe, shards=Shards(num=16, layers_at_once=36, keeps_gradients=True))
    assert (zero1.weights, zero1.gradients - zero2.gradients) == (zero2.weights, 2 * learns)


def test_row_45_a_critic_holds_what_learns_once_more_and_shares_a_frozen_base():
    """Spec row 45, in the estimate."""
    full, lora = Recipe(weight_bytes=2), Recipe(adapter_params=1000)
    with_critic = estimated(full, has_critic=True)
    assert with_critic.critic == with_critic.weights + with_critic.gradients + with_critic.optimizer
    assert estimated(lora, has_critic=True).critic == 1000 * (4 + 4 + 8)
    grown = with_critic.peak_bytes(recomputes=True) - estimated(full).peak_bytes(recomputes=True)
    assert grown == with_critic.critic
    assert estimated(full).critic == 0
