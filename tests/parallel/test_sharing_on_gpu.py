"""What several processes on GPUs do, as far as one GPU shows it. `make test-gpu` runs it."""

import multiprocessing
import time
from contextlib import contextmanager

import pytest
import torch
from small_models import build_family, completions_of, open_family, prompts_of
from torch import distributed

from radrl.engines.transport import ReceivingEnd, SendingEnd
from radrl.models.forward import score_completions
from radrl.models.layers import LayerCalls
from radrl.models.packing import plan
from radrl.models.row_slices import RowSlice, SequenceParallel
from radrl.models.ulysses import share_rows

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

HAS_TYPE_CHECKS = hasattr(RowSlice.to_heads, "__wrapped__")
"""Whether shapes are checked in this run; compiled code cannot be."""
COMPILED = [False] if HAS_TYPE_CHECKS else [False, True]


@contextmanager
def group_of_one(folder):
    distributed.init_process_group("nccl", init_method=f"file://{folder}/store", rank=0, world_size=1)
    try:
        assert distributed.group.WORLD is not None
        yield SequenceParallel(rank=0, size=1, group=distributed.group.WORLD)
    finally:
        distributed.destroy_process_group()


def scores(adapter, folder):
    """Log-probabilities of a few passes, and all gradients as one vector."""
    micro_batches = plan(
        prompts_of(adapter, folder),
        completions_of(adapter),
        row_tokens=97,
        micro_batch_tokens=97,
        is_one_row=True,
    )
    found = []
    for micro_batch in micro_batches:
        logprobs = score_completions(adapter, micro_batch, temperature=1.0).logprobs
        logprobs.sum().backward()
        found.append(logprobs.detach())
    gradients = torch.cat([each.grad.flatten() for each in adapter.model.parameters() if each.grad is not None])
    adapter.model.zero_grad(set_to_none=True)
    return torch.cat(found), gradients.double()


@pytest.mark.parametrize("is_compiled", COMPILED)
def test_the_exchange_around_the_kernel_changes_nothing_row_54(tmp_path, is_compiled):
    """With one rank there is nothing to exchange, so that the way there and back has to leave all as it was."""
    folder = build_family(tmp_path, "qwen3_vl")
    adapter = open_family(folder, device="cuda", attention="varlen", dtype="bfloat16")
    adapter.layer_calls = LayerCalls(layers=tuple(adapter.family.layers), is_compiled=is_compiled)
    expected, gradients = scores(adapter, folder)
    with group_of_one(tmp_path) as sequence:
        share_rows(adapter, sequence)
        found, found_gradients = scores(adapter, folder)

    torch.testing.assert_close(found, expected, atol=0.02 if is_compiled else 1e-3, rtol=0)
    assert torch.nn.functional.cosine_similarity(found_gradients, gradients, dim=0) > 0.999


def take(port: int):
    """Sums of what came by way of the sender's own memory, and the seconds it took."""
    end = ReceivingEnd(host="127.0.0.1", port=port, number=1, num_receivers=1, way="ipc", timeout_s=60.0)
    taken: list = []
    start = time.monotonic()
    version = end.receive(taken.extend)
    seconds = time.monotonic() - start
    return version, [(name, float(tensor.double().sum()), tensor.device.type) for name, tensor in taken], seconds


def _told(pipe, port) -> None:
    pipe.send(take(port))


def test_a_process_on_the_same_gpu_copies_out_of_the_senders_memory_row_63():
    """4 GiB in tensors of 64 MiB, and one of three numbers."""
    sent = [(str(number), torch.full((1 << 25,), number, dtype=torch.bfloat16, device="cuda")) for number in range(64)]
    sent.append(("last", torch.tensor([1.0, 2.0, 4.0], device="cuda")))
    end = SendingEnd(host="127.0.0.1", num_receivers=1, way="ipc", timeout_s=120.0)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_told, args=(there, end.port), daemon=True)
    process.start()
    end.send(sent, version=2)
    version, found, seconds = here.recv()
    process.join()

    assert version == 2
    assert found == [
        *((str(number), float(number * (1 << 25)), "cuda") for number in range(64)),
        ("last", 7.0, "cuda"),
    ]
    print(f"4 GiB in {seconds:.2f} s")  # noqa: T201
