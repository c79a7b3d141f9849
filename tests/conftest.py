"""What every test may use."""

import os
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that spin while they wait make small tensors ten times slower wherever anything else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Clusters of several test processes on one machine would mistake each other's tokens for their own.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
# Nor may a test read or write the graphs that the user has cached.
os.environ.setdefault("RADRL_CACHE", tempfile.mkdtemp(prefix="radrl-test-cache-"))
