from dataclasses import replace

import pytest
from engine_builders import qwen_3b

from radrl.engines.ceilings import Ceilings
from radrl.engines.floor import critic_work, floor_of, longest_step, step_work, unshared_update
from radrl.engines.work import Recipe, Trained, Work, lora_params

H200 = Ceilings(flops_per_s=782e12, bytes_per_s=4.1e12, source="measured")
STEP = longest_step(num_groups=16, group_size=8, prompt_tokens=1046, image_tokens=1024, completion_tokens=256)
LORA = Recipe(adapter_params=lora_params(qwen_3b().decoder, rank=16))


def test_each_piece_takes_as_long_as_its_slower_half():
    ceilings = Ceilings(flops_per_s=100.0, bytes_per_s=10.0, source="measured")
    pieces = [Work(flops=200.0, bytes=10.0), Work(flops=50.0, bytes=30.0)]
    floor = floor_of(pieces, ceilings)
    # 2 s of arithmetic, then 3 s of traffic; at half the arithmetic's rate 4 s and 3 s.
    assert (floor.seconds, floor.seconds_at_half, floor.flops) == (5.0, 7.0, 250.0)


def test_the_update_worked_by_hand_in_the_documentation_comes_out():
    phases = step_work(qwen_3b(), STEP, LORA, has_reference=True, own_sampler=True)
    floor = floor_of([*phases["ref"], *phases["update_actor"]], H200)

    layers = 3 * 2 * 36 * 77_070_336 * 49_504
    head = 3 * 2 * 2048 * 151_936 * 32_768
    adapter = 6 * 29_933_568 * 49_504
    patches = 65_536
    encoder = 2 * patches * (32 * 19_686_400 + 1_505_280) + 2 * 16_384 * 36_700_160
    encoder += 4 * 1280 * patches * (4 * 4096 + 28 * 64)
    pairs = 16 * (1046 * 1047 // 2) + 128 * sum(range(1047, 1303))
    attention = 4 * 4 * 2048 * 36 * pairs
    assert floor.flops == pytest.approx(layers + head + adapter + encoder + attention)
    assert floor.seconds == pytest.approx(1.33, abs=0.01)


def test_an_ideal_unshared_recipe_takes_more_than_ten_times_the_floor_at_half_of_the_ceiling():
    """Sixteen to eighteen seconds against 1.3, as the update recomputes its activations or not."""
    seconds = [
        floor_of(unshared_update(qwen_3b(), STEP, replace(LORA, recomputes=recomputes)), H200).seconds_at_half
        for recomputes in (False, True)
    ]
    assert seconds == pytest.approx([15.7, 18.1], abs=0.1)


def test_features_of_a_frozen_encoder_serve_sampler_and_update_alike():
    shape = qwen_3b()
    shared = step_work(shape, STEP, LORA, has_reference=True, own_sampler=False)
    apart = step_work(shape, STEP, LORA, has_reference=True, own_sampler=True)
    assert len(shared["update_actor"]) == 1
    assert len(apart["update_actor"]) == 2
    assert "sync" not in shared
    assert shared["gen"] == apart["gen"]


@pytest.mark.parametrize("trains_vision", [False, True])
def test_a_critic_worked_by_hand_has_no_logits_and_encodes_images_once_where_its_encoder_rests(trains_vision):
    """Full fine-tuning: 2 operations a parameter and token for a value, 6 for the update, and its optimizer's bytes."""
    recipe = Recipe(trains_vision=trains_vision)
    phases = critic_work(Trained(shape=qwen_3b().as_critic, recipe=recipe), STEP)
    pairs = 16 * (1046 * 1047 // 2) + 128 * sum(range(1047, 1303))
    once = 2 * 36 * 77_070_336 * 49_504 + 2 * 2048 * 32_768 + 4 * 2048 * 36 * pairs
    encoder, forward = phases["values"]
    assert forward.flops == pytest.approx(once)
    *learning, update = phases["update_critic"]
    assert update.flops == pytest.approx(3 * once)
    assert [each.flops / encoder.flops for each in learning] == ([3.0] if trains_vision else [])


def test_decoding_three_billion_parameters_is_bound_by_memory():
    phases = step_work(qwen_3b(), STEP, LORA, has_reference=False, own_sampler=True)
    decode = phases["gen"][2:]
    assert len(decode) == 255
    assert all(piece.bytes / H200.bytes_per_s > piece.flops / H200.flops_per_s for piece in decode)
    assert "ref" not in phases
