"""The machine that a run is on: what its numbers depend on, and what it has in use."""

import os
import platform
import sys
from importlib import metadata

import psutil
import torch


def describe_environment() -> dict[str, object]:
    """Versions and hardware that the numbers of a run depend on."""
    packages = ("radrl", "torch", "transformers", "tokenizers", "numpy", "pillow")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in packages},
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def machine_metrics() -> dict[str, float]:
    """Memory in use, under `perf/`."""
    return {"perf/cpu_memory_used_gb": psutil.Process().memory_info().rss / 2**30}
