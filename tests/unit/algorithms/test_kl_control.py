import dataclasses

import pytest
from credit_batch import REFERENCE, SAMPLED, a_batch

from radrl.algorithms.kl_control import KlController, adapted
from radrl.config.learning import AlgorithmConfig

ADAPTIVE = AlgorithmConfig(kl_coef=0.5, kl_type="adaptive", kl_target=0.1, kl_horizon=40.0, kl_penalty="abs")


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        (0.1, 0.5),
        (0.11, 0.5 * (1 + 0.1 * 4 / 40)),
        (5.0, 0.5 * (1 + 0.2 * 4 / 40)),
        (0.0, 0.5 * (1 - 0.2 * 4 / 40)),
    ],
)
def test_row_37_the_coefficient_follows_the_clipped_error_a_share_of_the_horizon_at_a_time(kl, expected):
    assert adapted(0.5, kl=kl, target=0.1, num_sequences=4, horizon=40.0) == pytest.approx(expected)


def test_a_batch_longer_than_the_horizon_cannot_turn_the_sign_of_the_coefficient():
    assert adapted(0.5, kl=0.0, target=0.1, num_sequences=10_000, horizon=10.0) == pytest.approx(0.4)


def test_row_37_an_adaptive_controller_looks_at_the_mean_over_sequences_of_their_token_means():
    kl = KlController(ADAPTIVE)
    pairs = [list(zip(drawn, behind, strict=True)) for drawn, behind in zip(SAMPLED, REFERENCE, strict=True)]
    mean = sum(sum(abs(a - b) for a, b in pair) / len(pair) for pair in pairs) / 4

    metrics = kl.observe(a_batch())

    assert metrics == pytest.approx({"kl/mean": mean, "kl/coef": 0.5})
    assert kl.coef == pytest.approx(adapted(0.5, kl=mean, target=0.1, num_sequences=4, horizon=40.0))


def test_row_37_a_fixed_coefficient_is_measured_and_stays():
    kl = KlController(AlgorithmConfig(kl_coef=0.5))

    assert kl.observe(a_batch())["kl/mean"] > 0
    assert kl.coef == 0.5


def test_row_38_without_a_reference_there_is_nothing_to_measure():
    batch = dataclasses.replace(a_batch(), reference_logprobs=None)

    assert KlController(AlgorithmConfig()).observe(batch) == {}


def test_row_37_the_coefficient_is_saved_and_restored(tmp_path):
    before, after = KlController(ADAPTIVE), KlController(ADAPTIVE)
    before.observe(a_batch())
    before.save(tmp_path)
    after.load(tmp_path)

    assert after.coef == before.coef != 0.5
