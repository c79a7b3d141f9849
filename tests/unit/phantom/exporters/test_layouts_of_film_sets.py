"""From `radrl phantom --layout NAME` to the rows that training reads, for sets that ship films and not questions."""

import pytest

from radrl.config.data import DataConfig
from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import adapter_named
from radrl.data.convert import convert
from radrl.data.load import load_samples
from radrl.phantom.export import export
from radrl.phantom.world import PhantomWorld

WORLD = PhantomWorld(
    seed=3, size_px=48, difficulty=0.05, style="short", twins=True, kinds={"presence": 1, "difference": 1, "abstain": 2}
)
"""With twins, earlier films and films coned down, of which the last show too little for the study's labels."""


@pytest.mark.parametrize(
    "layout", ["nih", "vindr_cxr", "openi", "openi_kaggle", "padchest", "padchest_gr", "rsna", "cxr_lt"]
)
def test_a_world_in_the_layout_of_a_data_set_converts_to_rows_that_training_reads(tmp_path, layout):
    if layout in ("vindr_cxr", "rsna"):
        pytest.importorskip("pydicom")
    export(WORLD, tmp_path / "set", splits={"train": 6, "test": 3}, layout=layout)
    choices = Choices(kinds=("presence",) if layout == "rsna" else ("open", "report", "grounding"))
    conversion = convert(tmp_path / "set", tmp_path / "rows", adapter=adapter_named(layout), choices=choices)
    assert dict(conversion.dropped) == {}
    files = [str(tmp_path / "rows" / f"{split}.jsonl") for split in conversion.rows]
    samples = load_samples(files, DataConfig())
    assert len(samples) == conversion.num_rows
    assert all(sample.images for sample in samples)
