"""How a vLLM engine is set up."""

from dataclasses import replace
from typing import Literal

import pytest

from radrl.engines.shapes import DecoderShape
from radrl.engines.vllm_options import EngineOptions, Lengths, adapter_room, cache_bytes, choose_sleep
from radrl.errors import ConfigError

LENGTHS = Lengths(prompt=1046, response=256, sequences=128, group=8)
GPU = EngineOptions(model="m", dtype="bfloat16", lengths=LENGTHS, kv_cache_bytes=1 << 30, on_gpu=True, memory_share=0.4)
SMALL = DecoderShape(
    num_layers=2,
    hidden_size=128,
    num_heads=4,
    num_kv_heads=2,
    head_size=32,
    intermediate_size=384,
    vocab_size=400,
    ties_head=True,
    windows=(None, None),
)


def test_a_group_shares_its_prompts_part_of_the_cache() -> None:
    # 16 prompts in 66 blocks of 16 tokens each, and 128 answers in 17 blocks: 256 tokens and one that looks ahead.
    assert LENGTHS.cache_tokens == 16 * 66 * 16 + 128 * 17 * 16
    assert replace(LENGTHS, group=1).cache_tokens == 128 * 66 * 16 + 128 * 17 * 16


def test_the_cache_holds_what_all_sequences_take() -> None:
    # A token leaves keys and values of 2 layers, 2 heads and 32 numbers: 256 numbers of 4 bytes.
    tokens = int(LENGTHS.cache_tokens * 1.05)
    assert cache_bytes(LENGTHS, SMALL, bytes_each=4) == tokens * 1024
    # Never less than two sequences of 105 tokens in 7 blocks each.
    one = Lengths(prompt=100, response=5, sequences=1, group=8)
    assert cache_bytes(one, SMALL, bytes_each=4) == 2 * 7 * 16 * 1024


@pytest.mark.parametrize(("rank", "room"), [(1, 1), (2, 8), (16, 16), (17, 32), (200, 256), (512, 512)])
def test_an_adapter_gets_the_least_room_it_fits(rank: int, room: int) -> None:
    assert adapter_room(rank) == room


def test_an_adapter_too_large_for_vllm_is_an_error() -> None:
    with pytest.raises(ConfigError, match="rank is 513"):
        adapter_room(513)


def test_options_ask_for_processed_logprobs_a_sized_cache_and_shared_prompts_row_60() -> None:
    arguments = GPU.arguments()
    assert arguments["logprobs_mode"] == "processed_logprobs"
    assert arguments["kv_cache_memory_bytes"] == 1 << 30
    assert arguments["enable_prefix_caching"] is True
    assert arguments["generation_config"] == "vllm"
    assert arguments["max_model_len"] == 1302
    assert arguments["gpu_memory_utilization"] == 0.4
    assert "enable_lora" not in arguments
    assert "limit_mm_per_prompt" not in arguments
    assert "enable_sleep_mode" not in arguments


def test_a_pass_takes_the_longest_prompt() -> None:
    assert replace(GPU, max_num_batched_tokens=512).arguments()["max_num_batched_tokens"] == 1046
    assert replace(GPU, max_num_batched_tokens=512, on_gpu=False).arguments()["max_num_batched_tokens"] == 1302
    assert replace(GPU, on_gpu=False).arguments()["enable_chunked_prefill"] is False


def test_images_adapters_and_sleep_are_asked_for_where_they_are_used() -> None:
    arguments = replace(GPU, max_images=2, adapter_rank=12, sleep=1).arguments()
    assert arguments["limit_mm_per_prompt"] == {"image": 2, "video": 0, "audio": 0}
    assert (arguments["enable_lora"], arguments["max_lora_rank"], arguments["max_loras"]) == (True, 16, 1)
    assert arguments["enable_sleep_mode"] is True


@pytest.mark.parametrize(
    ("setting", "on_gpu", "engine_gib", "replaces_all", "level"),
    [
        ("auto", True, 32, False, 0),
        ("auto", True, 33, False, 1),
        ("auto", True, 33, True, 2),
        ("auto", False, 33, True, 0),
        ("none", True, 60, True, 0),
        (1, True, 1, True, 1),
        (2, True, 1, False, 2),
        (1, False, 1, True, 0),
    ],
)
def test_sleep_follows_from_what_the_engine_holds_row_60(
    setting: Literal["auto", "none", 1, 2], on_gpu: bool, engine_gib: int, replaces_all: bool, level: int
) -> None:
    chosen = choose_sleep(
        setting,
        on_gpu=on_gpu,
        engine_bytes=engine_gib << 30,
        device_bytes=80 << 30,
        replaces_all=replaces_all,
    )
    assert chosen == level
