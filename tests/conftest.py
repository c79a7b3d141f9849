"""What every test may use."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that spin while they wait make small tensors ten times slower wherever anything else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Clusters of several test processes on one machine would mistake each other's tokens for their own.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
# Nor may a test read or write the graphs that the user has cached.
os.environ.setdefault("RADRL_CACHE", tempfile.mkdtemp(prefix="radrl-test-cache-"))


def pytest_addoption(parser):
    parser.addoption(
        "--real-cxr",
        metavar="DIR",
        type=Path,
        default=os.environ.get("RADRL_REAL_CXR"),
        help="Folder of real chest radiographs (images/, metadata.csv); tests of them are skipped without.",
    )


@pytest.fixture(scope="session")
def real_cxr(request) -> Path:
    folder = request.config.getoption("--real-cxr")
    if not folder:
        pytest.skip("--real-cxr names no folder of real radiographs")
    return Path(folder).absolute()
