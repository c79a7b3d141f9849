import base64
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_run import write_image
from PIL import Image

from radrl.report.charts import Layer, LineChart, Share, draw_lines, draw_strip, draw_track
from radrl.report.images import make_thumbnail
from radrl.report.labels import Label, reward_label
from radrl.report.rollouts import RolloutEntry
from radrl.report.selection import choose_rollouts
from radrl.report.series import Point, StageStart, StepMetrics, rollout_points, smooth, stage_starts, thin
from radrl.report.strips import reward_strips


def entry(number: int, *, step: int = 1, id: str = "q", kind: str = "open", outcome: float = 0.0) -> RolloutEntry:  # noqa: A002
    return RolloutEntry(
        number=number,
        offset=0,
        step=step,
        stage="open",
        kind=kind,
        id=id,
        index=0,
        outcome=outcome,
        rewards={"format": 1.0, "graph_f1": None},
        num_tokens=10,
    )


def test_the_interval_of_a_step_is_over_its_questions_not_its_rollouts() -> None:
    entries = [
        entry(n, id=name, outcome=value) for n, (name, value) in enumerate([("a", 0), ("a", 0), ("b", 1), ("b", 1)])
    ]
    (point,) = rollout_points(entries, "outcome/mean")
    half = 1.96 * math.sqrt(0.5) / math.sqrt(2)
    assert (point.y, point.low, point.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def test_one_question_alone_has_no_interval_and_an_abstained_part_no_point() -> None:
    assert rollout_points([entry(1, outcome=1.0)], "outcome/mean") == (Point(x=1, y=1.0),)
    assert rollout_points([entry(1)], "reward/graph_f1/mean") == ()
    assert rollout_points([entry(1)], "response_length/mean") == (Point(x=1, y=10.0),)


def test_thinning_keeps_the_mean_and_narrows_the_interval() -> None:
    points = [Point(x=x, y=1.0, low=0.8, high=1.2) for x in range(4)]
    assert thin(points, limit=4) == tuple(points)
    (only,) = thin(points, limit=1)
    assert (only.x, only.y, only.low) == pytest.approx((1.5, 1.0, 1.0 - 0.2 / 2))


def test_smoothing_leaves_a_constant_alone() -> None:
    assert {point.y for point in smooth([Point(x=x, y=0.25) for x in range(50)])} == {0.25}


def test_stages_start_where_the_name_changes_and_one_stage_has_no_mark() -> None:
    steps = [
        StepMetrics(step=step, stage=stage, values={}) for step, stage in ((1, "closed"), (2, "closed"), (3, "open"))
    ]
    assert stage_starts(steps) == (StageStart(step=1, stage="closed"), StageStart(step=3, stage="open"))
    assert stage_starts(steps[:2]) == ()


def test_the_choice_takes_every_kind_the_worst_and_the_best() -> None:
    entries = [entry(n, kind=kind, outcome=n / 100) for n in range(100) for kind in ("open",)]
    entries += [entry(200, kind="presence", outcome=0.5)]
    chosen = choose_rollouts(entries, limit=6)
    outcomes = [one.outcome for one in chosen if one.kind == "open"]
    assert len(chosen) == 6
    assert {one.kind for one in chosen} == {"open", "presence"}
    assert {min(outcomes), max(outcomes)} == {0.0, 0.99}


def test_the_choice_is_the_same_every_time_and_a_smaller_one_is_its_beginning() -> None:
    entries = [entry(n, step=n // 4, outcome=(n * 7 % 10) / 10) for n in range(60)]
    assert choose_rollouts(entries, limit=20)[:8] == choose_rollouts(entries, limit=8)
    assert len(choose_rollouts(entries, limit=1000)) == 60


def test_a_chart_describes_itself_to_a_screen_reader_and_escapes_names() -> None:
    chart = LineChart(
        title="Correct <answers>",
        points=(Point(x=1, y=0.25), Point(x=9, y=0.5)),
        stages=(StageStart(step=1, stage="<script>"), StageStart(step=5, stage="open")),
        is_share=True,
    )
    drawing = draw_lines(chart)
    assert 'aria-label="Correct &lt;answers&gt;: 25% at step 1, 50% at step 9"' in drawing
    assert "<script>" not in drawing
    assert "<title>Step 9: 50%</title>" in drawing


@pytest.mark.parametrize("values", [[0.0], [1e-9, 1e-9], [-3.0, 5.0], [1e6, 2e6]])
def test_a_chart_of_any_range_has_finite_coordinates(values: list[float]) -> None:
    drawing = draw_lines(LineChart(title="x", points=tuple(Point(x=at, y=y) for at, y in enumerate(values))))
    assert "nan" not in drawing
    assert "inf" not in drawing


def test_a_track_places_value_and_whisker_in_percent() -> None:
    drawing = draw_track([("after", "After", Share(value=0.5, low=0.25, high=0.75))])
    assert 'cx="50.00%"' in drawing
    assert 'x1="25.00%" x2="75.00%"' in drawing
    assert "After: 50.0% (25.0 to 75.0)" in drawing


def test_a_large_film_is_scaled_down_and_a_small_one_left_at_its_size(tmp_path: Path) -> None:
    assert decoded(write_image(tmp_path / "large.png", seed=0, size=600)).size == (256, 256)
    assert decoded(write_image(tmp_path / "small.png", seed=0, size=64)).size == (64, 64)


def test_a_16_bit_film_keeps_its_contrast(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.linspace(0, 60_000, 64 * 64).reshape(64, 64).astype(np.uint16)).save(path)
    grey = np.asarray(decoded(path))
    assert grey.min() < 10
    assert grey.max() > 245
    assert 100 < np.median(grey) < 155


def test_a_file_that_is_no_picture_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert make_thumbnail(tmp_path / "broken.png") is None
    assert make_thumbnail(tmp_path / "missing.png") is None


def decoded(path: Path) -> Image.Image:
    thumbnail = make_thumbnail(path)
    assert thumbnail is not None
    return Image.open(io.BytesIO(base64.b64decode(thumbnail.uri.split(",")[1])))


def test_strips_say_how_often_a_reward_was_silent_slow_or_held_back() -> None:
    def step(number: int, **values: float) -> StepMetrics:
        return StepMetrics(step=number, stage="", values={f"reward/r/{name}": value for name, value in values.items()})

    steps = [
        step(1, abstained_frac=0.5, failed_frac=0.25, timeout_frac=0.25, gate_mean=1.0),
        step(2, abstained_frac=0.0, failed_frac=0.25, timeout_frac=0.0, gate_mean=0.0),
    ]
    silent, gated = reward_strips(steps, "reward/r/mean", span=(1, 2))
    assert silent.reading == (
        "Answers without a score: it was too slow on 12%, failed on 12%, had nothing to say on 25%"
    )
    assert gated.reading == "Counted on 50% of the answers; its gate held back the rest"
    assert reward_strips([step(1, abstained_frac=0.0, gate_mean=1.0)], "reward/r/mean", span=(1, 2)) == ()


def test_the_layers_of_a_strip_stand_on_each_other_and_fill_no_more_than_the_band() -> None:
    points = (Point(x=1, y=0.5), Point(x=2, y=0.5))
    drawing = draw_strip(
        [Layer(style="late", points=points), Layer(style="failed", points=points)], span=(1, 2), label=""
    )
    assert re.findall(r'class="(?:late|failed)" x="[^"]+" y="([^"]+)" width="[^"]+" height="([^"]+)"', drawing) == [
        ("9.0", "8.0"),
        ("9.0", "8.0"),
        ("1.0", "8.0"),
        ("1.0", "8.0"),
    ]


def test_a_stage_shows_as_much_of_its_name_as_fits_and_all_of_it_on_pointing() -> None:
    chart = LineChart(
        title="x",
        points=(Point(x=40, y=0.5),),
        stages=tuple(StageStart(step=step, stage=f"a rather long name {step}") for step in (1, 2, 90)),
        span=(1, 100),
    )
    drawing = draw_lines(chart)
    names = re.findall(r'class="stage-name"[^>]*>([^<]*)<', drawing)
    assert names == ["", "2 a rather long name 2", "3 a r\u2026"]
    assert drawing.count("<title>a rather long name") == 3


def test_charts_of_one_run_share_their_axis_whatever_their_points() -> None:
    drawing = draw_lines(LineChart(title="x", points=(Point(x=50, y=0.5), Point(x=100, y=0.5)), span=(0, 100)))
    assert 'points="194.0,' in drawing


def test_a_reward_is_described_by_hand_by_its_documentation_or_by_its_name() -> None:
    assert reward_label("format").title == "Form of the answer"
    assert reward_label("mine", registered="format") == replace(reward_label("format"), title="Mine")
    assert reward_label("math").note.startswith("0.1 for the form")
    assert reward_label("of_a_user") == Label(title="Of a user")
    assert reward_label("math/accuracy") == Label(title="Math: accuracy", note="Reported, never paid.")
