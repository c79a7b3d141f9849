"""What vLLM is told where several processes train together."""

from dataclasses import replace

from radrl.engines.vllm_options import EngineOptions, Lengths

ALONE = EngineOptions(
    model="m",
    dtype="bfloat16",
    lengths=Lengths(prompt=64, response=32, sequences=8, group=4),
    kv_cache_bytes=1 << 20,
    on_gpu=True,
)


def told(options: EngineOptions) -> tuple[object, ...]:
    arguments = options.arguments()
    names = ("distributed_executor_backend", "tensor_parallel_size", "disable_custom_all_reduce")
    return tuple(arguments[name] for name in names)


def test_an_engine_alone_has_one_gpu_and_one_among_others_takes_their_group_for_its_own():
    assert told(ALONE) == ("uni", 1, False)
    assert told(replace(ALONE, is_in_group=True)) == ("external_launcher", 1, True)
    assert told(replace(ALONE, is_in_group=True, tensor_parallel_size=2)) == ("external_launcher", 2, True)
