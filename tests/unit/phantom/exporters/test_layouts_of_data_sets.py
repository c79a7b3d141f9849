"""From `radrl phantom --layout NAME` to the rows that training reads."""

import json

import pytest

from radrl.config.data import DataConfig
from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import adapter_named
from radrl.data.convert import convert
from radrl.data.load import load_samples
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld

WORLD = PhantomWorld(
    seed=1,
    size_px=48,
    difficulty=0.05,
    style="short",
    kinds={"presence": 1, "list": 1, "view": 1, "difference": 1, "abstain": 1},
)
LAYOUTS = ("mimic_cxr_vqa", "medical_diff_vqa", "mimic_cxr_jpg", "chexpert", "chexpert_plus")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_world_in_the_layout_of_a_data_set_converts_to_rows_that_training_reads(tmp_path, layout):
    export(WORLD, tmp_path / "set", splits={"train": 12, "val": 6}, layout=layout)
    conversion = convert(
        tmp_path / "set", tmp_path / "rows", adapter=adapter_named(layout), choices=Choices(uncertain="positive")
    )
    assert {"train", "val"} <= set(conversion.rows)
    assert set(conversion.dropped) <= {"no report", "no findings in the report"}
    samples = load_samples([str(tmp_path / "rows" / "train.jsonl")], DataConfig())
    assert len(samples) == sum(conversion.rows["train"].values())
    assert all(sample.images for sample in samples)
    account = json.loads((tmp_path / "rows" / "conversion.json").read_text(encoding="utf-8"))
    assert account["data_set"] == layout
