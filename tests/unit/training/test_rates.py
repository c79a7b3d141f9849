import pytest

from radrl.rates import TokenRates

STEP = {
    "perf/total_num_tokens": 2400.0,
    "response_length/mean": 100.0,
    "prompt_length/mean": 200.0,
    "timing_s/step": 6.0,
    "timing_s/gen": 4.0,
    "timing_s/update_actor": 1.2,
}


def test_row_75_sampling_is_counted_by_completion_tokens_and_passes_by_all_of_them():
    """Spec row 75: 2,400 tokens of which a third, 800, are completions; two devices."""
    rates = TokenRates(num_devices=2).take(STEP)
    assert rates == pytest.approx(
        {
            "timing_per_token_ms/gen": 5.0,
            "timing_per_token_ms/update_actor": 0.5,
            "perf/time_per_step": 6.0,
            "perf/throughput": 200.0,
        }
    )


def test_a_step_without_tokens_has_no_rates():
    assert TokenRates(num_devices=1).take({"timing_s/step": 6.0}) == {}
