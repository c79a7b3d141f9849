"""A linear probe must find what easy worlds show and lose it in hard ones: else `difficulty` says nothing."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radrl.phantom.render import develop, draw_layer, exposed, lay_film
from radrl.phantom.sampling import draw_fact, draw_patient
from radrl.phantom.scene import FINDINGS
from radrl.phantom.world import PhantomWorld

SIZE_PX = 128
PATCH_PX = 8
NUM_TRAIN = 1000
NUM_TEST = 300
EXEMPT = {"pneumonia", "fracture"}
"""Pneumonia looks like any consolidation; a fracture's gap is about a pixel wide."""

pytestmark = pytest.mark.slow


def _features(name: str, *, difficulty: float, first: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each patch; every other film has the finding, on any side and in any zone."""
    world = PhantomWorld(seed=1, size_px=SIZE_PX, difficulty=difficulty)
    rng = np.random.default_rng(first)
    rows: list[np.ndarray] = []
    for index in range(first, first + number):
        patient = draw_patient(world, index, split="train")
        film = lay_film(patient.anatomy, patient.studies[0].technique, size_px=SIZE_PX, difficulty=difficulty)
        fact = replace(draw_fact(world, rng, name=name, split="train"), certainty="present")
        layers = (draw_layer(film, fact),) if index % 2 else ()
        pixels = develop(film, exposed(film, layers)).astype(np.float32)
        side = SIZE_PX // PATCH_PX
        patches = pixels.reshape(side, PATCH_PX, side, PATCH_PX)
        rows.append(np.concatenate([patches.mean(axis=(1, 3)).ravel(), patches.std(axis=(1, 3)).ravel()]))
    return np.stack(rows), np.arange(first, first + number) % 2


def _auroc(name: str, *, difficulty: float) -> float:
    train, train_labels = _features(name, difficulty=difficulty, first=0, number=NUM_TRAIN)
    test, test_labels = _features(name, difficulty=difficulty, first=NUM_TRAIN, number=NUM_TEST)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
    return float(roc_auc_score(test_labels, probe.fit(train, train_labels).decision_function(test)))


@pytest.mark.parametrize("name", [name for name in FINDINGS if name not in EXEMPT])
def test_a_probe_finds_an_easy_finding_and_loses_a_hard_one(name: str):
    assert _auroc(name, difficulty=0.3) >= 0.9
    assert _auroc(name, difficulty=0.9) <= 0.75
