import re

import pytest
from made_up_run import write_run

from radrl.report.build import build_report
from radrl.report.phases import floor_points, phase_charts
from radrl.report.series import Point, StepMetrics


def a_step(number, **values):
    names = {name.replace("__", "/"): value for name, value in values.items()}
    return StepMetrics(step=number, stage="closed", values={"timing_s/step": 4.0, **names})


STEPS = (
    a_step(1, timing_s__gen=2.0, timing_s__update_actor=1.0, perf__floor_s_gen=0.5, perf__floor_s_update_actor=0.5),
    a_step(2, timing_s__gen=1.0, timing_s__update_actor=2.0, perf__floor_s_gen=0.25, perf__floor_s_update_actor=1.0),
)


def test_the_table_holds_mean_seconds_floor_and_their_ratio():
    charts = phase_charts(STEPS, span=(1, 2))
    rows = {row.key: (row.seconds, row.floor_s, row.ratio) for row in charts.rows}
    assert rows == {"gen": (1.5, 0.375, 4.0), "update_actor": (1.5, 0.75, 2.0)}


def test_the_floor_of_a_step_is_the_sum_of_its_phases_floors():
    assert floor_points(STEPS, ["gen", "update_actor"]) == (Point(x=1, y=1.0), Point(x=2, y=1.25))


def test_every_phase_of_every_step_is_a_part_of_a_bar_as_high_as_its_seconds():
    drawing = str(phase_charts(STEPS, span=(1, 2)).seconds)
    heights = {
        style: [float(height) for height in re.findall(rf'class="{style}"[^>]*height="([\d.]+)"', drawing)]
        for style in ("phase-gen", "phase-update-actor")
    }
    first, second = heights["phase-gen"]
    assert first == pytest.approx(2 * second, abs=0.2)
    assert heights["phase-update-actor"] == pytest.approx([second, first], abs=0.2)
    assert drawing.count('class="floor"') == 2


def test_only_phases_with_a_floor_have_a_curve_of_ratios():
    steps = [
        a_step(1, timing_s__gen=2.0, timing_s__adv=0.1, perf__floor_ratio_gen=4.0),
        a_step(2, timing_s__gen=2.0, timing_s__adv=0.1, perf__floor_ratio_gen=3.0),
    ]
    assert [name for name, _ in phase_charts(steps, span=(1, 2)).ratios] == ["Writing answers"]


def test_a_run_without_timings_has_no_charts_and_one_without_floors_has_bars_alone(tmp_path):
    assert phase_charts([StepMetrics(step=1, stage="", values={})], span=(1, 2)) is None
    page = build_report(write_run(tmp_path)).read_text(encoding="utf-8")
    assert "Seconds a step" in page
    assert 'class="floor"' not in page
