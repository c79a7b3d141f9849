"""Several processes share an evaluation."""

import pytest
from asking_builders import Scripted, open_dying, open_refusing, open_scripted, question, settings

from radrl.asking.opening import shares_of_machine
from radrl.asking.record import FILE, shard_file
from radrl.asking.session import open_asking
from radrl.asking.workers import Resources
from radrl.errors import ClusterError, ConfigError

QUESTIONS = [question(number) for number in range(7)]


def put(folder, open_with, *passes, **changes):
    config = settings(folder, **{"batch_size": 2, "device": "cpu", **changes})
    with open_asking(config, QUESTIONS, progress=False, open_with=open_with) as ask:
        return {name: ask(QUESTIONS, name) for name in passes or ("main",)}


def test_two_workers_give_the_bytes_of_one_and_leave_no_shards(tmp_path):
    one = put(tmp_path / "one", lambda _: Scripted(), "main", "shuffled")
    assert put(tmp_path / "two", open_scripted, "main", "shuffled", workers=2) == one
    assert (tmp_path / "two" / FILE).read_bytes() == (tmp_path / "one" / FILE).read_bytes()
    assert list((tmp_path / "two").glob("responses.*-of-*")) == []


def test_a_worker_that_dies_is_named_and_the_next_run_goes_on_from_its_shard(tmp_path):
    with pytest.raises(ClusterError, match=r"radrl-evaluate-[01] died \(exit code 9\)"):
        put(tmp_path, open_dying, workers=2, batch_size=1)
    assert shard_file(tmp_path, 0, 2).exists() or shard_file(tmp_path, 1, 2).exists()
    rest = Scripted()
    found = put(tmp_path, lambda _: rest, batch_size=1)["main"]
    assert 5 <= len(rest.asked[0]) <= 6
    assert [response.text for response in found] == [f"q{number} at {number}, time 0" for number in range(7)]


def test_what_a_worker_refuses_is_what_the_user_reads(tmp_path):
    with pytest.raises(ConfigError, match="cannot open no-such-folder"):
        put(tmp_path, open_refusing, workers=2)


def test_each_worker_has_a_gpu_of_its_own_among_those_that_are_visible(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.get_num_threads", lambda: 9)
    config = settings(tmp_path, workers=2)
    assert shares_of_machine(config, visible="5, 7") == [
        Resources(device="5", num_threads=4),
        Resources(device="7", num_threads=4),
    ]
    assert [share.device for share in shares_of_machine(config, visible=None)] == ["0", "1"]
    with pytest.raises(ConfigError, match="workers is 3, and this machine has 2 GPUs"):
        shares_of_machine(settings(tmp_path, workers=3), visible=None)


def test_without_gpus_the_threads_are_divided(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 9)
    share = Resources(device=None, num_threads=3)
    assert shares_of_machine(settings(tmp_path, workers=3, device="cpu"), visible=None) == [share] * 3
