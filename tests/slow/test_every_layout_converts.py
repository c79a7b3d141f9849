"""Every layout that the phantom writes becomes rows that training reads."""

import pytest

from radrl.config.data import DataConfig
from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import NAMES, adapter_named
from radrl.data.convert import convert
from radrl.data.load import load_samples
from radrl.phantom.export import export
from radrl.phantom.layouts import LAYOUTS
from radrl.phantom.world import PhantomWorld

KINDS = {
    "presence": 3, "view": 1, "location": 1, "open": 2, "list": 1, "closed": 2, "difference": 1, "report": 1,
    "rex_presence": 1,
}  # fmt: skip
WORLD = PhantomWorld(seed=2, size_px=48, difficulty=0.05, style="short", kinds=KINDS, questions_per_study=2)
ANSWERS_LOST = {"row cannot be read", "answer cannot be read", "box outside the film", "film not found"}
"""Reasons for which nothing that the phantom wrote may be left out."""


@pytest.mark.slow
@pytest.mark.parametrize("layout", NAMES)
def test_a_phantom_in_a_data_sets_layout_becomes_rows_that_training_reads(tmp_path, layout):
    assert layout in LAYOUTS
    source = tmp_path / "source"
    export(WORLD, source, splits={"train": 40, "val": 12, "test": 12}, layout=layout)
    conversion = convert(source, tmp_path / "rows", adapter=adapter_named(layout), choices=Choices())
    assert not ANSWERS_LOST & set(conversion.dropped)
    files = [str(tmp_path / "rows" / f"{split}.jsonl") for split in conversion.rows]
    samples = load_samples(files, DataConfig())
    assert len(samples) == conversion.num_rows > 0
    assert sum(conversion.patients.values()) == len({sample.patient_id for sample in samples})
