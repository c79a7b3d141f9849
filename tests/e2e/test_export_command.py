"""Spec rows 71 and 72: `radrl export` on a run, and runs that keep the model alone."""

import json

import pytest
import torch
from processes import radrl
from small_world import RUN, lines
from transformers import AutoModelForImageTextToText, AutoProcessor

from radrl.models.load import load_adapter


def test_row_71_the_best_checkpoint_of_a_run_becomes_a_folder_that_transformers_opens(undisturbed, tmp_path):
    ended = radrl("export", str(undisturbed), "out", "--best", folder=tmp_path)

    assert ended.code == 0, ended.output
    assert "wrote out" in ended.output
    assert "of the largest logit (bound 5e-02)" in ended.output
    best = json.loads((undisturbed / "checkpoints/checkpoint_tracker.json").read_text())["best_global_step"]
    trained = load_adapter(undisturbed / f"checkpoints/global_step_{best}/actor/huggingface", device="cpu").model
    opened = AutoModelForImageTextToText.from_pretrained(tmp_path / "out")
    assert opened.dtype == torch.bfloat16
    weights = opened.state_dict()
    assert all(torch.equal(weights[name], each.bfloat16()) for name, each in trained.named_parameters())
    assert AutoProcessor.from_pretrained(tmp_path / "out").chat_template
    validations = [record for record in lines(undisturbed / "metrics.jsonl") if "val/reward_score" in record]
    score = next(record["val/reward_score"] for record in validations if record["step"] == best)
    card = (tmp_path / "out/README.md").read_text()
    assert f"saved after step {best}" in card
    assert f"- val/reward_score: {score:.4g}" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "out"], "nowhere is no run (a folder with checkpoints/)"),
        (["RUN", "RUN"], "holds what is to be exported"),
        (["RUN", "out", "--step", "5"], "no checkpoint of step 5, only of 6, 8. Name one."),
        (["RUN", "out", "--adapter"], "--adapter asks for LoRA adapters, and the model has none"),
        (["RUN", "out", "--dtype", "int8"], "--dtype is int8. Give bfloat16 or float32."),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(undisturbed, tmp_path, arguments, message):
    ended = radrl("export", *(str(undisturbed) if each == "RUN" else each for each in arguments), folder=tmp_path)
    assert ended.code == 2
    assert message in ended.output
    assert "Traceback" not in ended.output
    assert list(tmp_path.iterdir()) == []


def test_row_72_a_run_that_keeps_the_model_alone_is_exported_and_not_resumed(world, tmp_path):
    short = {"curriculum__stages__0__steps": 1, "curriculum__stages__1__steps": 1}
    command = ["train", *world.training(trainer__save_model_only="true", **short)]
    assert radrl(*command, folder=tmp_path).code == 0
    assert {path.name for path in (tmp_path / RUN / "checkpoints/global_step_2/actor").iterdir()} == {"huggingface"}
    assert radrl("export", str(RUN), "out", "--dtype", "float32", folder=tmp_path).code == 0

    again = radrl(*command, folder=tmp_path)
    assert again.code == 2
    assert "holds a model and no optimizer (trainer.save_model_only)" in again.output
    assert "Traceback" not in again.output
