"""Row 62: a run that is one step off goes on after a kill as if nothing had happened."""

import pytest
from processes import Moment, radrl
from small_world import RUN, lines, without_times

KILLED = -9
MOMENTS = (
    Moment(part="completions.jsonl", event="open", count=2),
    Moment(part=".unfinished-4/lookahead", event="open"),
    Moment(part="global_step_6", event="os.rename"),
)


@pytest.mark.slow
def test_row_62_rollouts_written_ahead_survive_a_kill_to_the_bit(world, tmp_path):
    command = ["train", *world.training(trainer__one_step_off="true")]
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert radrl(*command, folder=tmp_path / "whole").code == 0
    for moment in MOMENTS:
        assert radrl(*command, folder=tmp_path / "cut", moment=moment).code == KILLED, moment
    assert radrl(*command, folder=tmp_path / "cut").code == 0

    whole, cut = tmp_path / "whole" / RUN, tmp_path / "cut" / RUN
    metrics = lines(whole / "metrics.jsonl")
    staleness = [step["sample/staleness"] for step in metrics if "sample/staleness" in step]
    assert staleness == [0.0, 1.0, 1.0, 1.0] * 2, "each of the two stages begins on policy"
    assert without_times(lines(cut / "metrics.jsonl")) == without_times(metrics)
    assert lines(cut / "completions.jsonl") == lines(whole / "completions.jsonl")
    weights = "checkpoints/global_step_8/actor/huggingface/model.safetensors"
    assert (cut / weights).read_bytes() == (whole / weights).read_bytes()
