"""What every test may use."""

import os
import re
import tempfile

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that spin while they wait make small tensors ten times slower wherever anything else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Clusters of several test processes on one machine would mistake each other's tokens for their own.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
# Nor may a test read or write the graphs that the user has cached.
os.environ.setdefault("RADRL_CACHE", tempfile.mkdtemp(prefix="radrl-test-cache-"))

LEFT_TO_THE_SLOW_TIER = (
    r"cluster/test_same_numbers.py::test_(two_workers_write|a_sampler_of_a_users_own|a_warm_up)",
    r"e2e/test_algorithms_learn.py::test_row_45_a_ppo_run_killed",
    r"e2e/test_command_forms.py::test_row_83_the_installed_command.*python -m",
    r"e2e/test_curriculum_resume.py::test_(a_resumed_run_does_not_measure|a_band_with_nothing)",
    r"e2e/test_interrupts.py::test_a_warm_up_asked_to_stop",
    r"e2e/test_resume.py::test_a_run_killed_at_random",
    r"parallel/test_checkpoints_of_two_ranks.py.*(Kahan|over a sharded|background|float32_copies)",
    r"parallel/test_critic_of_two_ranks.py.*(AdamW|in shards|many passes|rows shared)",
    r"parallel/test_equal_to_one_process.py.*(replicated, AdamW|all weights|many passes|ZeRO-2, act|over a)",
    r"parallel/test_sharded_policy.py.*\[(ZeRO-2|LoRA)",
    r"parallel/test_ulysses.py::test_two_ranks_that_share_rows.*(few passes|gemma3|qwen3_vl-varlen|causal_lm-dense)",
    r"parallel/test_ulysses.py::test_weights_after_sgd.*(gspo_token-replicate|gspo-replicate|clip-zero2)",
    r"parallel/test_ulysses.py::test_two_pairs",
)
"""Variants of what the quick tier tests too, which start many processes: with them it would take half an hour."""


def pytest_collection_modifyitems(items):
    for item in items:
        if any(re.search(pattern, item.nodeid) for pattern in LEFT_TO_THE_SLOW_TIER):
            item.add_marker(pytest.mark.slow)
