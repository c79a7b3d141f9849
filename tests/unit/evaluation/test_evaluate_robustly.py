"""`radrl evaluate` with perturbed films and probabilities of answers, on an untrained model."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radrl.config.evaluation import EvaluateConfig
from radrl.config.load import load_config
from radrl.data.perturb import AMOUNTS
from radrl.errors import ConfigError
from radrl.evaluate import evaluate
from radrl.models.tiny import build_tiny

NAMES = ("brightness", "contrast", "noise", "crop", "jpeg", "blur", "rotate", "flip")


def perturbations(*args: str):
    return load_config(EvaluateConfig, ["out=x", *args]).config.perturbations


def test_perturbations_are_named_one_by_one_or_all_at_once():
    assert perturbations() == ()
    assert perturbations("robustness=[flip,crop,flip]") == ("flip", "crop")
    assert perturbations("robustness=blur") == ("blur",)
    assert perturbations("robustness=all") == NAMES == tuple(AMOUNTS)
    with pytest.raises(ConfigError, match="robustness"):
        perturbations("robustness=[fog]")
    with pytest.raises(ConfigError, match="robustness_level"):
        perturbations("robustness_level=4")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """What an evaluation of four questions about twins leaves in its folder."""
    folder = tmp_path_factory.mktemp("robust")
    generator = np.random.default_rng(0)
    lines = []
    for number in range(4):
        Image.fromarray(generator.integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / f"{number}.png")
        row = {
            "id": f"q{number}",
            "patient_id": f"p{number // 2}",
            "images": [f"{number}.png"],
            "prompt": "<image>Is there a left pleural effusion?",
            "answer": "yes" if number % 2 else "no",
            "answer_kind": "yes_no",
        }
        lines.append(row | ({"twin_id": f"q{number - 1}"} if number % 2 else {}))
    data = folder / "test.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    model = build_tiny(folder / "model", corpus=[lines[0]["prompt"], "yes no"], hidden_size=64, vision_hidden_size=32)
    config = EvaluateConfig(
        model=str(model),
        data=(str(data),),
        out=str(folder / "out"),
        robustness=("crop", "flip"),
        robustness_level=2,
        closed_probs=True,
        blind=False,
        max_response_length=4,
        resamples=20,
        device="cpu",
    )
    evaluate(config, progress=False)
    return folder / "out"


def test_the_summary_has_a_row_for_every_perturbation_and_one_for_twins(written):
    robustness = json.loads((written / "summary.json").read_text())["robustness"]
    assert list(robustness) == ["crop", "flip", "twins"]
    assert robustness["crop"]["meaning"].startswith("A rectangle of 0.9 of either side")
    assert (robustness["crop"]["level"], robustness["crop"]["num_questions"]) == (2, 4)
    assert (robustness["twins"]["num_pairs"], robustness["twins"]["num_differing"]) == (2, 2)


def test_the_sheet_of_perturbed_films_is_kept_and_the_films_are_not(written):
    assert Image.open(written / "perturbed.png").size == (752, 276)
    assert not list(written.glob("films-*"))


def test_every_pass_is_in_the_record_of_responses(written):
    rows = [json.loads(line) for line in (written / "responses.jsonl").read_text().splitlines()]
    assert [row["pass"] for row in rows].count("crop 2") == 4
    assert {row["pass"] for row in rows} == {"main", "crop 2", "flip 2"}
