"""What becomes of calls to several processes: dispatched, waited for, late, failed and cut off.."""

import os
import pickle
import signal
import time

import pytest
import ray
import toys
from cluster_world import a_config

from radrl.cluster.calls import Workers
from radrl.cluster.open import PRESENT, open_cluster
from radrl.errors import ClusterError, DataError
from radrl.train import open_model
from radrl.types import ImageRef


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "run" / "logs"


@pytest.fixture
def pair(ray_here, world, tmp_path):
    """Two processes that a test may kill."""
    config = a_config(world, tmp_path / "run", {"trainer.n_gpus_per_node": 2})
    with open_cluster(config, folder=tmp_path / "run") as cluster:
        cluster.workers.make(toys.Toy)
        yield cluster.workers


@pytest.fixture(scope="module")
def calm(ray_here, world, tmp_path_factory):
    """Two processes that no test kills."""
    folder = tmp_path_factory.mktemp("calm")
    with open_cluster(a_config(world, folder, {"trainer.n_gpus_per_node": 2}), folder=folder) as cluster:
        cluster.workers.make(toys.Toy, "good morning")
        yield cluster.workers


def test_row_50_all_do_the_same_each_its_own_or_the_first_alone(calm):
    assert calm.everyone("greet", "Ada") == [f"good morning Ada from {rank} of 2" for rank in range(2)]
    assert calm.each("greet", [("Bo",), ("Cy",)]) == ["good morning Bo from 0 of 2", "good morning Cy from 1 of 2"]
    assert calm.first("greet", "Di") == "good morning Di from 0 of 2"
    assert calm.everyone("names") == [["Ada", "Bo", "Di"], ["Ada", "Cy"]]


def test_row_50_what_all_are_given_is_stored_once_however_many_they_are(calm, monkeypatch):
    stored = []
    put = ray.put
    monkeypatch.setattr("radrl.cluster.calls.ray.put", lambda value: stored.append(value) or put(value))
    calm.everyone("greet", "Eve")
    assert stored == ["Eve"]


def test_row_50_a_call_that_was_begun_is_a_future_and_calls_are_made_in_their_order(calm):
    before = len(calm.first("names"))
    pending = [calm.begin_everyone("greet", name) for name in ("Fay", "Gus")]
    assert [each.results()[0] for each in reversed(pending)] == [
        "good morning Gus from 0 of 2",
        "good morning Fay from 0 of 2",
    ]
    assert calm.first("names")[before:] == ["Fay", "Gus"]


def test_row_50_results_that_come_one_after_the_other_are_given_rank_by_rank(calm):
    assert list(calm.stream_each("count", [(0, 3), (5, 2)], heard=range(2))) == [0, 1, 2, 5, 6]
    assert list(calm.stream_each("count", [(0, 0), (1, 1)], heard=range(2))) == [1]
    assert list(calm.stream_each("count", [(0, 3), (5, 2)], heard=[1])) == [5, 6]


def test_a_stream_that_fails_ends_in_the_error(calm):
    with pytest.raises(ClusterError, match="a worker failed in count: ValueError: thirteen"):
        list(calm.stream_each("count", [(0, 3), (13, 2)], heard=range(2)))


def test_row_50_images_go_by_their_path_and_hash(world):
    config = a_config(world, world.folder)
    adapter = open_model(config, weights=False)
    from radrl.data.load import load_samples

    seen = [adapter.render(sample) for sample in load_samples(config.data.train_files, config.data)]
    prompts = [prompt for prompt in seen if prompt.sample.images]
    (ref,) = prompts[0].sample.images
    before = pickle.dumps(prompts[0])
    adapter.images.pixels(ref)  # 64 x 64 x 3 bytes, which stay where they were read.
    assert pickle.dumps(prompts[0]) == before
    assert len(before) < 3000
    assert pickle.loads(before).sample.images == (ImageRef(path=ref.path, sha256=ref.sha256),)
    assert len(pickle.dumps(prompts + prompts)) < 1.1 * len(pickle.dumps(prompts))


def test_row_49_processes_share_a_machine_and_have_ranks_and_one_place_to_meet(calm):
    places = [each.place for each in calm.placed]
    assert [(place.rank, place.local_rank, place.num_ranks) for place in places] == [(0, 0, 2), (1, 1, 2)]
    assert places[0].host == places[1].host == places[0].node
    assert len(set(calm.everyone("process"))) == 2


def test_an_error_that_says_what_to_do_comes_through_as_it_is_while_others_wait(pair):
    with pytest.raises(DataError, match="row 7 has no answer"):
        pair.everyone("fail", "named")


def test_another_error_names_the_phase_and_where_the_logs_are(pair, logs):
    with pytest.raises(ClusterError, match=r"a worker failed in fail: ZeroDivisionError: by zero") as failed:
        pair.everyone("fail", "otherwise")
    assert str(logs) in str(failed.value)


def test_a_worker_that_is_killed_fails_the_run_within_seconds_while_others_wait(pair, logs):
    start = time.monotonic()
    with pytest.raises(ClusterError) as died:
        pair.everyone("die", 1)
    assert time.monotonic() - start < 30
    dead = pair.placed[1]
    assert f"worker-1 on {dead.place.node} (process {dead.at.pid}) died in die" in str(died.value)
    assert str(logs / "worker-1.log") in str(died.value)
    assert "goes on from the last checkpoint" in str(died.value)


def test_the_worker_that_died_is_named_and_not_the_one_that_noticed(pair):
    with pytest.raises(ClusterError, match=r"worker-0 on .* died in break_beside"):
        pair.everyone("break_beside", 0)


def test_a_worker_that_died_between_two_calls_is_noticed_by_the_next(pair):
    os.kill(pair.placed[0].at.pid, signal.SIGKILL)
    with pytest.raises(ClusterError, match=r"worker-0 on .* died in greet"):
        pair.everyone("greet", "Hal")


def test_a_call_that_takes_too_long_leaves_the_stacks_of_all_workers(pair, logs):
    hasty = Workers(pair.placed, logs=logs, timeout_s=2.0)
    with pytest.raises(ClusterError) as late:
        hasty.everyone("hang", 1)
    assert "hang is not done after trainer.phase_timeout_s = 2 s; worker-1 did not answer" in str(late.value)
    text = (logs / "stacks-hang.txt").read_text()
    assert str(logs / "stacks-hang.txt") in str(late.value)
    idle, stuck = text.split("worker-1 on ")
    assert "wait_for_a_rank_that_is_gone" in stuck
    assert "worker-0 on " in idle
    assert "wait_for_a_rank_that_is_gone" not in idle
    # The interpreter's own watchdog has written the same, for when a worker cannot answer any more.
    assert "wait_for_a_rank_that_is_gone" in (logs / "worker-1.stacks").read_text()


def test_processes_are_ended_with_the_run_and_their_room_is_free_again(ray_here, world, tmp_path):
    with open_cluster(a_config(world, tmp_path, {"trainer.n_gpus_per_node": 2}), folder=tmp_path) as cluster:
        assert (tmp_path / "logs" / PRESENT).exists()
        groups = len([each for each in ray.util.placement_group_table().values() if each["state"] == "CREATED"])
        assert cluster.rows()["workers"].count("worker-") == 2
    left = [each for each in ray.util.placement_group_table().values() if each["state"] == "CREATED"]
    assert len(left) == groups - 1
    assert not (tmp_path / "logs" / PRESENT).exists()
