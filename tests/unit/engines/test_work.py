import pytest
from engine_builders import qwen_3b, tiny_config

from radrl.engines import work
from radrl.engines.shapes import shape_of
from radrl.engines.work import GroupLoad, Recipe, causal_pairs

GROUP = GroupLoad(prompt_tokens=6, image_tokens=4, num_images=1, completions=(3, 1))
FULL = Recipe(weight_bytes=2, gradient_bytes=4, state_bytes=8)


def test_the_pairs_of_a_causal_row_are_those_of_a_slow_count():
    for window in (None, 1, 3, 8):
        for first in (1, 2, 5):
            for last in (first - 1, first, 7):
                slow = sum(
                    1
                    for token in range(first, last + 1)
                    for seen in range(1, token + 1)
                    if window is None or token - seen < window
                )
                assert causal_pairs(first, last, window=window) == slow


def test_a_pass_counts_every_token_once_and_the_head_on_completions_alone():
    shape = shape_of(tiny_config("qwen2"))
    decoder = shape.decoder
    # Rows of 6 + 3 + 1 tokens. Pairs: prompt 1+..+6 = 21; completions 7+8+9 and 7; two layers, 4 x 128 a pair.
    expected = 2 * decoder.params * 10 + 2 * decoder.head_params * 4 + 2 * 4 * 128 * (21 + 24 + 7)
    assert work.forward(shape, [GROUP], FULL).flops == expected


def test_sharing_the_prompt_saves_its_copies_and_nothing_else():
    assert (GROUP.shared_tokens, GROUP.unshared_tokens) == (10, 16)
    alone = work.unshared([GROUP])
    assert [(load.prompt_tokens, load.completions, load.num_images) for load in alone] == [(6, (3,), 1), (6, (1,), 1)]
    assert sum(load.shared_tokens for load in alone) == 16


def test_an_update_in_full_costs_three_passes_and_with_a_frozen_base_two_and_the_adapter():
    shape = shape_of(tiny_config("qwen2"))
    decoder = shape.decoder
    once = work.forward(shape, [GROUP], FULL).flops
    attention = work.attention_flops(decoder, [GROUP])
    adapter = Recipe(adapter_params=1000)

    assert work.update(shape, [GROUP], FULL).flops == pytest.approx(3 * once)
    frozen_base = 2 * (once - attention) + 3 * attention
    assert work.update(shape, [GROUP], adapter).flops == pytest.approx(frozen_base + 6 * 1000 * 10)


def test_recomputing_activations_costs_one_more_pass_without_the_head():
    shape = shape_of(tiny_config("qwen2"))
    again = Recipe(weight_bytes=2, recomputes=True)
    extra = work.update(shape, [GROUP], again).flops - work.update(shape, [GROUP], FULL).flops
    assert extra == work.forward(shape, [GROUP], FULL).flops - 2 * shape.decoder.head_params * 4


def test_decoding_reads_weights_once_a_token_and_each_sequence_that_still_writes():
    shape = shape_of(tiny_config("qwen2"))
    decoder = shape.decoder
    pieces = work.decode(shape, [GROUP], FULL)
    # The first tokens come with the prefill. Then only the sequence of 3 tokens writes, and sees 7 and 8 tokens.
    assert len(pieces) == 2
    matrices = decoder.params + decoder.head_params
    a_token = 2 * decoder.num_layers * 2 * 32 * 2
    assert [piece.bytes for piece in pieces] == [2 * matrices + 7 * a_token, 2 * matrices + 8 * a_token]
    assert pieces[0].flops == 2 * matrices + 4 * 128 * 2 * 7


def test_a_window_bounds_what_decoding_reads():
    shape = shape_of(tiny_config("gemma3"))
    (piece,) = work.decode(shape, [GroupLoad(prompt_tokens=20, completions=(2,))], FULL)
    matrices = shape.decoder.params + shape.decoder.head_params
    # One layer sees the 8 latest tokens, the other all 21; two key heads of 32, keys and values, 2 bytes.
    assert piece.bytes == 2 * matrices + (8 + 21) * 2 * 2 * 32 * 2


def test_an_image_costs_its_patches_through_the_blocks_and_its_tokens_through_the_merger():
    shape = shape_of(tiny_config("qwen2_5_vl"))
    vision = shape.vision
    counted = work.vision_forward(vision, [GROUP])
    # 16 patches; windows of 4 x 4 patches = 16, so every block sees the whole image of 16.
    linear = 2 * 16 * (3 * vision.block_params + vision.patch_params) + 2 * 4 * vision.token_params
    assert counted.flops == linear + 3 * 4 * 64 * 16 * 16


def test_an_encoder_that_learns_costs_three_passes_and_one_that_does_not_one():
    shape = shape_of(tiny_config("qwen2_5_vl"))
    once = work.vision_forward(shape.vision, [GROUP]).flops
    assert work.vision_update(shape, [GROUP], FULL).flops == once
    assert work.vision_update(shape, [GROUP], Recipe(trains_vision=True)).flops == 3 * once
    assert work.vision_forward(shape_of(tiny_config("qwen2")).vision, [GROUP]).flops == 0


def test_an_adapter_has_rank_times_rows_and_columns_of_every_matrix():
    decoder = qwen_3b().decoder
    a_layer = 16 * (2 * (2048 + 2048) + 2 * (2048 + 256) + 3 * (2048 + 11008))
    assert work.lora_params(decoder, rank=16) == 36 * a_layer == 29_933_568


def test_only_what_learns_is_sent_to_a_sampler():
    shape = qwen_3b()
    adapter = Recipe(adapter_params=29_933_568)
    assert work.sync(shape, adapter).bytes == 2 * 2 * 29_933_568
    assert work.sync(shape, Recipe()).bytes == 2 * 2 * (shape.params - shape.vision.params)
    assert work.sync(shape, Recipe(trains_vision=True)).bytes == 2 * 2 * shape.params
