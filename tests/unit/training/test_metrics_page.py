"""Row 75: docs/reference/metrics.md names every metric that is written, and none that never is."""

import itertools
import re
from pathlib import Path

import pytest
from metric_runs import imitate, learn, make_world
from test_trackers import a_run

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
ABOVE, BELOW = PAGE.split("## Names of the recipes")

ELSEWHERE = {
    "perf/max_memory_allocated_gb": "needs a GPU",
    "perf/mfu_{phase}": "needs a device that is in the table of makers' figures",
    "perf/imbalance": "several ranks",
    **{f"global_seqlen/{name}": "several ranks" for name in ("min", "max", "minmax_diff", "mean")},
    **{f"global_seqlen/balanced_{name}": "several ranks" for name in ("min", "max")},
}
"""Names of the page that a process without a GPU does not write."""


def names_in(text: str) -> list[str]:
    """Names of the first column, alternatives written out; what is in lone braces is a placeholder."""
    names: list[str] = []
    for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            parts = re.split(r"(\{[^}]*,[^}]*\})", name)
            choices = [part[1:-1].split(",") if "," in part else [part] for part in parts]
            names += ["".join(chosen) for chosen in itertools.product(*choices)]
    return names


DOCUMENTED = names_in(ABOVE)


def covers(documented: str, name: str) -> bool:
    """Whether a name is one that the page means."""
    pattern = re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(documented))
    return re.fullmatch(pattern, name) is not None


@pytest.fixture(scope="module")
def emitted(tmp_path_factory) -> set[str]:
    folder = tmp_path_factory.mktemp("metrics")
    world = make_world(folder)
    written = [
        *learn(world, folder / "grpo"),
        *learn(world, folder / "decoupled", ratio_mode="decoupled"),
        *learn(world, folder / "remax", adv_estimator="remax"),
        *learn(world, folder / "gae", adv_estimator="gae"),
        *imitate(world, folder / "sft"),
    ]
    assert any("reward/letters/mean" in line for line in written), "the runs' own reward works"
    return {name for line in written for name in line}


def test_row_75_every_metric_that_is_written_is_on_the_page(emitted):
    assert sorted(name for name in emitted if not any(covers(one, name) for one in DOCUMENTED)) == []


def test_row_75_every_metric_of_the_page_is_written(emitted):
    expected = [one for one in DOCUMENTED if one not in ELSEWHERE and one != "tracker/{name}/failed"]
    assert [one for one in expected if not any(covers(one, name) for name in emitted)] == []
    assert set(ELSEWHERE) <= set(DOCUMENTED)


def test_row_75_a_name_stands_on_the_page_once():
    assert sorted({name for name in DOCUMENTED if DOCUMENTED.count(name) > 1}) == []


def test_row_75_a_failing_tracker_is_counted_under_the_name_of_the_page(tmp_path):
    run = a_run(tmp_path, "console")
    run.trackers[0].num_failed = 2
    run.log(1, {"a": 1.0}, stage="only")
    assert '"tracker/console/failed": 2.0' in (tmp_path / "metrics.jsonl").read_text()
    assert "tracker/{name}/failed" in DOCUMENTED


RECIPES = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", BELOW, re.MULTILINE)


@pytest.mark.parametrize(("there", "here"), RECIPES)
def test_row_75_every_name_of_the_recipes_has_one_here_that_is_written(there, here, emitted):
    assert any(covers(one, here) or one == here for one in DOCUMENTED)
    is_elsewhere = any(covers(one, here) for one in ELSEWHERE)
    assert is_elsewhere or any(covers(here, name) for name in emitted)


OF_CX_MIND = [
    *(f"critic/{name}/{what}" for name in ("score", "rewards", "advantages", "returns", "values")
      for what in ("mean", "max", "min")),
    *(f"critic/{name}" for name in ("kl", "kl_coef", "vf_loss", "vf_clipfrac", "vpred_mean", "grad_norm", "lr")),
    *(f"actor/{name}" for name in ("pg_loss", "kl_loss", "kl_coef", "entropy_loss", "ppo_kl", "grad_norm", "lr")),
    "actor/pg_clipfrac_higher", "actor/pg_clipfrac_lower",
    *(f"{which}_length/{what}" for which in ("response", "prompt") for what in ("mean", "max", "min", "clip_ratio")),
    *(f"global_seqlen/{what}" for what in
      ("min", "max", "minmax_diff", "balanced_min", "balanced_max", "mean")),
    *(f"timing_s/{phase}" for phase in
      ("gen", "reward", "old", "ref", "values", "adv", "update_critic", "update_actor", "testing", "step")),
    *(f"timing_per_token_ms/{phase}" for phase in
      ("gen", "ref", "values", "adv", "update_critic", "update_actor")),
    *(f"perf/{name}" for name in ("mfu_actor", "mfu_critic", "max_memory_allocated_gb", "max_memory_reserved_gb",
      "cpu_memory_used_gb", "total_num_tokens", "time_per_step", "throughput")),
    "val/reward_score", "val/overall_reward",
]  # fmt: skip
OF_MS_SWIFT = [
    *(f"completions/{name}" for name in ("mean_length", "min_length", "max_length", "clipped_ratio")),
    *("rewards/{ClassName}/mean", "rewards/{ClassName}/std", "reward", "reward_std", "kl", "clip_ratio"),
]


@pytest.mark.parametrize("name", [*OF_CX_MIND, *OF_MS_SWIFT])
def test_row_75_every_name_of_the_recipes_is_on_the_page(name):
    assert name in DOCUMENTED or name in dict(RECIPES)
