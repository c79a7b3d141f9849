import torch

from radrl.machine import describe_environment, machine_metrics


def test_the_environment_names_the_versions_that_numbers_depend_on():
    found = describe_environment()
    packages = found["packages"]
    assert isinstance(packages, dict)
    assert packages["torch"] == torch.__version__
    assert found["gpus"] == [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def test_a_process_has_some_memory_and_less_than_the_machine():
    used = machine_metrics()["perf/cpu_memory_used_gb"]
    whole = describe_environment()["memory_gb"]
    assert isinstance(whole, float)
    assert 0.01 < used < whole
