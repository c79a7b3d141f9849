"""Room, ranks, versions, and what workers start with: decided without a cluster."""

import pytest

from radrl.cluster.host import Whereabouts, versions
from radrl.cluster.open import PRESENT, say_what_was_left
from radrl.cluster.pool import check_versions, rank_order
from radrl.cluster.start import Machine, address_key, address_of, check_room, device_of, worker_environment
from radrl.config.schema import Config
from radrl.errors import ClusterError, ConfigError


def a_run(**trainer: object) -> Config:
    rollout = {name: trainer.pop(name) for name in ("placement", "num_gpus") if name in trainer}
    return Config.model_validate({"trainer": trainer, "worker": {"rollout": rollout}})


def a_machine(number: int, *, num_gpus: int = 8) -> Machine:
    return Machine(id=f"n{number}", address=f"10.0.0.{number}", num_gpus=num_gpus, num_cpus=96)


def at(gpu: int | None, **own: str) -> Whereabouts:
    return Whereabouts(host="gpu-03", pid=1, gpu=gpu, versions={**versions(), **own})


def test_row_49_a_cluster_that_is_too_small_is_refused_with_what_it_has_and_the_way_out():
    with pytest.raises(ConfigError) as refused:
        check_room(a_run(nnodes=2, n_gpus_per_node=8), [a_machine(3)], device="cuda")
    assert "needs 16 GPUs on 2 nodes (8 each" in str(refused.value)
    assert "the cluster has 8 on 1 (8)" in str(refused.value)
    assert "ray start --address" in str(refused.value)
    assert "trainer.device=cpu" in str(refused.value)


def test_row_49_enough_gpus_on_too_many_machines_are_too_few_on_each():
    machines = [a_machine(number, num_gpus=4) for number in range(4)]
    with pytest.raises(ConfigError, match=r"needs 16 GPUs on 2 nodes \(8 each.*has 16 on 4 \(4, 4, 4, 4\)"):
        check_room(a_run(nnodes=2, n_gpus_per_node=8), machines, device="cuda")
    check_room(a_run(nnodes=4, n_gpus_per_node=4), machines, device="cuda")


def test_row_49_rollouts_apart_need_gpus_of_their_own():
    run = a_run(nnodes=1, n_gpus_per_node=6, placement="apart", num_gpus=2)
    check_room(run, [a_machine(1)], device="cuda")
    with pytest.raises(ConfigError, match="and 2 more for rollouts apart; the cluster has 6 on 1"):
        check_room(run, [a_machine(1, num_gpus=6)], device="cuda")


def test_auto_is_the_gpu_where_the_cluster_has_one_wherever_the_run_was_started():
    assert device_of(a_run(), [a_machine(1, num_gpus=0), a_machine(2)]) == "cuda"
    assert device_of(a_run(), [a_machine(1, num_gpus=0)]) == "cpu"
    assert device_of(a_run(device="cpu"), [a_machine(2)]) == "cpu"


def test_row_49_ranks_go_by_the_address_of_the_machine_and_the_number_of_the_gpu():
    addresses = ["10.0.0.10", "10.0.0.9", "10.0.0.10", "10.0.0.9"]
    found = [at(1), at(10), at(0), at(9)]
    assert rank_order(addresses, found) == [3, 1, 2, 0]
    shuffled = [2, 0, 3, 1]
    again = rank_order([addresses[number] for number in shuffled], [found[number] for number in shuffled])
    assert [shuffled[number] for number in again] == [3, 1, 2, 0]


def test_addresses_sort_by_number_and_names_by_letter():
    assert sorted(["10.0.0.10", "10.0.0.9", "node-b", "node-a"], key=address_key) == [
        *("node-a", "node-b"),
        *("10.0.0.9", "10.0.0.10"),
    ]


def test_a_machine_with_other_versions_is_named_with_both():
    check_versions([at(0), at(1)])
    with pytest.raises(ClusterError, match=r"machine gpu-03 has torch 2\.0\.1 for \d.*Install the same versions"):
        check_versions([at(0), at(1, torch="2.0.1")])


def test_row_93_workers_start_with_the_variables_of_the_seed_and_without_nvlink_multicast():
    assert worker_environment({"HOME": "/root"}) == {
        "TOKENIZERS_PARALLELISM": "true",
        "NCCL_DEBUG": "WARN",
        "NCCL_NVLS_ENABLE": "0",
        "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1",
        "VLLM_ALLREDUCE_USE_SYMM_MEM": "0",
        "VLLM_ALLREDUCE_USE_FLASHINFER": "0",
        "VLLM_LOGGING_LEVEL": "WARN",
        "TORCH_NCCL_AVOID_RECORD_STREAMS": "1",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False",
        "PYTHONUNBUFFERED": "1",
        "MKL_THREADING_LAYER": "GNU",
    }


def test_row_93_what_is_set_where_the_run_is_started_stands_over_them():
    variables = worker_environment({"NCCL_DEBUG": "INFO", "GLOO_SOCKET_IFNAME": "eth1"})
    assert variables["NCCL_DEBUG"] == "INFO"
    assert variables["GLOO_SOCKET_IFNAME"] == "eth1"


def test_the_cluster_is_that_of_the_configuration_then_of_the_environment_then_a_new_one():
    assert address_of(a_run(ray_address="10.0.0.1:6379"), {"RAY_ADDRESS": "10.0.0.2:6379"}) == "10.0.0.1:6379"
    assert address_of(a_run(), {"RAY_ADDRESS": "10.0.0.2:6379"}) == "10.0.0.2:6379"
    assert address_of(a_run(), {}) == "local"


def test_a_run_is_on_a_cluster_when_it_has_several_processes_or_names_one():
    assert not a_run().trainer.needs_cluster
    assert a_run(n_gpus_per_node=2).trainer.needs_cluster
    assert a_run(nnodes=2).trainer.needs_cluster
    assert a_run(ray_address="auto").trainer.needs_cluster


def test_what_a_run_left_behind_is_said_once_at_the_next_start(tmp_path, caplog):
    (tmp_path / PRESENT).write_text(
        '{"driver": 7, "beat_s": 10.0, "workers": [{"name": "worker-0", "node": "10.0.0.3", "process": 4711}]}'
    )
    (tmp_path / "orphan-worker-0.txt").write_text("worker-0 on gpu-03 (process 4711) ended itself.\n")
    say_what_was_left(tmp_path)
    assert "the run before ended without ending its workers: worker-0 on 10.0.0.3 (process 4711)" in caplog.text
    assert "end themselves within 40 s" in caplog.text
    assert "of the run before: worker-0 on gpu-03 (process 4711) ended itself." in caplog.text
    caplog.clear()
    say_what_was_left(tmp_path)
    assert caplog.text == ""
