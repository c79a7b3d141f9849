"""Weights that go from one process to samplers in others (row 63): what is sent is what is sampled from."""

import multiprocessing
import os
import signal
import socket
import time
from functools import partial

import pytest
import torch
from small_models import build_family, open_family, prompts_of
from torch import distributed

from radrl.engines.native import NativeSampler
from radrl.engines.sync import StreamedWeights, StreamSync, WeightSync, load_by_name
from radrl.engines.transport import ALIGNMENT, Label, ReceivingEnd, SendingEnd, checksum, pack, unpack
from radrl.errors import SyncError
from radrl.models.checkpoint_names import checkpoint_names
from radrl.models.lora import attach_lora, lora_layers
from radrl.roles import Sampling

FORKS = multiprocessing.get_context("forkserver")
GREEDY = Sampling(n=1, temperature=0.0, max_tokens=8, seed=0)
SENT = [
    ("a", torch.arange(6, dtype=torch.bfloat16).view(2, 3)),
    ("b", torch.tensor(7.0)),
    ("c", torch.tensor([True, False, True])),
    ("d", torch.arange(10, dtype=torch.float32)),
    ("e", torch.empty(0, 4)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_family(tmp_path_factory.mktemp("transport"), "qwen2_5_vl")


def open_end(num_receivers: int = 1, *, timeout_s: float = 60.0, bucket_bytes: int = 1 << 20) -> SendingEnd:
    return SendingEnd(
        host="127.0.0.1", num_receivers=num_receivers, way="gloo", timeout_s=timeout_s, bucket_bytes=bucket_bytes
    )


@pytest.fixture(scope="module", autouse=True)
def server():
    """Processes are forked from one that has imported what they need, and done nothing else."""
    FORKS.set_forkserver_preload(["radrl.engines.native", "radrl.engines.sync", "radrl.models.load"])


def in_other_process(function, *args):
    """Start a function and return the process with a pipe that gives what it returns."""
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=_told, args=(there, function, args), daemon=True)
    process.start()
    there.close()
    return process, here


def _told(pipe, function, args) -> None:
    torch.set_num_threads(1)
    try:
        pipe.send(function(*args))
    except SyncError as error:
        pipe.send(error)


def receive(port: int, number: int, num_receivers: int, *, expected=None, num_deliveries: int = 1):
    """Versions and tensors of some deliveries, and whether torch's default group was left alone."""
    end = ReceivingEnd(
        host="127.0.0.1", port=port, number=number, num_receivers=num_receivers, way="gloo", timeout_s=60.0
    )
    found = []
    for _ in range(num_deliveries):
        taken: list = []
        version = end.receive(taken.extend, expected=expected)
        found.append((version, [(name, tensor.tolist(), str(tensor.dtype)) for name, tensor in taken]))
    return found, distributed.is_initialized()


def test_tensors_lie_end_to_end_in_buckets_at_places_that_suit_every_type():
    # 6 x 2 bytes, 4, 3, 40 and none, each rounded up to 16: buckets of at most 40 bytes are 16 + 16, 16, and 48 + 0.
    buckets = list(pack(SENT, bucket_bytes=40))

    assert [[label.name for label in labels] for labels, _ in buckets] == [["a", "b"], ["c"], ["d", "e"]]
    assert [len(flat) for _, flat in buckets] == [32, 16, 48]
    assert buckets[0][0] == (
        Label(name="a", dtype="bfloat16", shape=(2, 3), start=0),
        Label(name="b", dtype="float32", shape=(), start=16),
    )
    assert all(label.start % ALIGNMENT == 0 for labels, _ in buckets for label in labels)
    found = [pair for labels, flat in buckets for pair in unpack(labels, flat)]
    assert [name for name, _ in found] == [name for name, _ in SENT]
    assert all(got.equal(sent) and got.dtype == sent.dtype for (_, got), (_, sent) in zip(found, SENT, strict=True))


def test_a_tensor_larger_than_a_bucket_has_one_to_itself():
    sent = [("a", torch.zeros(4)), ("b", torch.zeros(100)), ("c", torch.zeros(4))]
    assert [len(flat) for _, flat in pack(sent, bucket_bytes=32)] == [16, 400, 16]


def test_the_checksum_adds_up_four_bytes_at_a_time():
    # 1 + 2 and 1.0 in float32, whose bits are 0x3f800000.
    assert checksum(torch.tensor([1, 2], dtype=torch.int32).view(torch.uint8)) == 3
    assert checksum(torch.tensor([1.0]).view(torch.uint8)) == 0x3F800000


def test_two_receivers_get_the_same_tensors_under_their_version_delivery_after_delivery_row_63():
    end = open_end(2, bucket_bytes=40)
    receivers = [in_other_process(partial(receive, num_deliveries=2), end.port, number, 2) for number in (1, 2)]
    end.send(SENT, version=3)
    end.send([("z", torch.tensor([5]))], version=8)

    for process, pipe in receivers:
        found, has_default_group = pipe.recv()
        assert found[0] == (3, [(name, tensor.tolist(), str(tensor.dtype)) for name, tensor in SENT])
        assert found[1] == (8, [("z", [5], "torch.int64")])
        assert not has_default_group
        process.join()
    assert not distributed.is_initialized()
    end.close()


def sample(folder, port: int):
    """Greedy completions before and after the delivery of other weights."""
    adapter = open_family(folder)
    end = ReceivingEnd(host="127.0.0.1", port=port, number=1, num_receivers=1, way="gloo", timeout_s=60.0)
    names = frozenset(checkpoint_names(adapter.model).in_model)
    sync = StreamedWeights(end, partial(load_by_name, adapter.model), expected=names)
    assert isinstance(sync, WeightSync)
    before = written(adapter, folder)
    sync.push()
    return before, written(adapter, folder), sync.version


def written(adapter, folder):
    groups = NativeSampler(adapter, max_sequences=8).generate(prompts_of(adapter, folder), GREEDY)
    return [group[0].token_ids for group in groups]


def test_a_sampler_in_another_process_writes_what_the_policy_would_row_63(folder):
    """A policy with an adapter, merged on the way; the sampler's own weights were those without."""
    policy = open_family(folder)
    attach_lora(policy.model, targets=r".*language_model.*\.(q_proj|up_proj|down_proj)", rank=2, alpha=4.0)
    for layer in lora_layers(policy.model).values():
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=1.0, generator=torch.Generator().manual_seed(1))
    end = open_end(bucket_bytes=1 << 16)
    process, pipe = in_other_process(sample, folder, end.port)
    sync = StreamSync(policy.model, end)
    sync.publish(version=5)
    before, after, version = pipe.recv()
    process.join()

    assert isinstance(sync, WeightSync)
    assert version == sync.version == 5
    assert after == written(policy, folder)
    assert before != after


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (("a", "b", "c", "d", "e", "f"), r"5 weights of version 1 came and 6 were expected: missing \['f'\], unexp"),
        pytest.param(("a", "b", "c", "d"), r"missing \[\], unexpected \['e'\]", marks=pytest.mark.slow),
    ],
)
def test_missing_and_unexpected_names_fail_on_both_sides_row_63(expected, message):
    end = open_end()
    process, pipe = in_other_process(partial(receive, expected=expected), end.port, 1, 1)

    with pytest.raises(SyncError, match=rf"receiver 1 of weights failed: SyncError: .*{message}"):
        end.send(SENT, version=1)
    with pytest.raises(SyncError, match=message):
        raise pipe.recv()
    process.join()


def refuse_first(port: int):
    """A receiver whose engine fails at the first tensor."""
    end = ReceivingEnd(host="127.0.0.1", port=port, number=1, num_receivers=1, way="gloo", timeout_s=60.0)
    end.receive(_refuse)


def _refuse(tensors) -> None:
    name, _ = next(tensors)
    raise SyncError(f"no room for {name}")


@pytest.mark.slow
def test_an_engine_that_fails_midway_fails_the_sender_with_its_words_before_the_timeout():
    end = open_end(timeout_s=60.0, bucket_bytes=16)
    process, _ = in_other_process(refuse_first, end.port)
    end.connect()
    start = time.monotonic()

    with pytest.raises(SyncError, match="receiver 1 of weights failed: SyncError: no room for a"):
        end.send([(name, torch.zeros(4)) for name in "abcdefgh"], version=1)
    assert time.monotonic() - start < 30
    process.join()


def die(port: int):
    """A receiver that is killed once it has seen the first tensor."""
    end = ReceivingEnd(host="127.0.0.1", port=port, number=1, num_receivers=1, way="gloo", timeout_s=60.0)
    end.receive(_die)


def _die(tensors) -> None:
    next(tensors)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_receiver_that_dies_is_an_error_and_no_hang():
    end = open_end(timeout_s=20.0, bucket_bytes=16)
    process, _ = in_other_process(die, end.port)
    end.connect()
    start = time.monotonic()

    with pytest.raises(SyncError, match="a receiver of weights"):
        end.send([(name, torch.zeros(4)) for name in "abcdefgh"], version=1)
    assert time.monotonic() - start < 30
    process.join()


def test_a_receiver_that_never_comes_is_an_error():
    end = open_end(timeout_s=1.0)
    with pytest.raises(SyncError, match="not all receivers of weights came"):
        end.connect()


def test_a_sender_that_is_not_there_is_an_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SyncError, match=f"receiver 1 of weights found no sender at 127.0.0.1:{port}"):
        ReceivingEnd(host="127.0.0.1", port=port, number=1, num_receivers=1, way="gloo", timeout_s=1.0)


def test_a_weight_that_the_model_does_not_have_is_refused(folder):
    with pytest.raises(SyncError, match="the weight nonsense was sent, which this model does not have"):
        load_by_name(open_family(folder).model, [("nonsense", torch.zeros(1))])


def test_a_rank_without_a_sending_end_only_puts_shards_together(folder):
    sync = StreamSync(open_family(folder).model, None)
    sync.push()
    assert sync.version == 1
