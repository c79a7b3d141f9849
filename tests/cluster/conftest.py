"""One Ray cluster for all tests, one world, and two processes that may be made workers of again and again."""

import os

import pytest
import ray
import toys
from cluster_world import World, a_config, build_world
from ray import cloudpickle

from radrl.cluster.open import open_cluster
from radrl.cluster.start import worker_environment

cloudpickle.register_pickle_by_value(toys)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def ray_here():
    """A Ray cluster of this machine; runs that this process starts stay in it."""
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=100 << 20,
        _system_config={"worker_niceness": 0},
        runtime_env={"env_vars": worker_environment(os.environ)},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def two(ray_here, world, tmp_path_factory):
    """Two processes of a cluster that have loaded the libraries already."""
    config = a_config(world, tmp_path_factory.mktemp("two"), {"trainer.n_gpus_per_node": 2})
    with open_cluster(config, folder=tmp_path_factory.mktemp("two")) as cluster:
        yield cluster
