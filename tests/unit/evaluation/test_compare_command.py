import json
from dataclasses import replace

import pytest
from evaluated_rows import row, rows, write_evaluation
from typer.testing import CliRunner

from radrl.cli import app
from radrl.compare import compare
from radrl.errors import CheckFailed, ConfigError, DataError


@pytest.fixture
def folder(tmp_path):
    write_evaluation(tmp_path / "sft", rows([0, 0, 0, 0, 1, 1, 1, 1, 0, 0]))
    write_evaluation(tmp_path / "rl", rows([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]))
    return tmp_path


def test_two_evaluations_are_compared_in_words_and_in_json(folder, capsys):
    [found] = compare([folder / "sft", folder / "rl"], out=folder / "out" / "c.json", resamples=200)
    assert found.headline.startswith("rl is right on 4 more of 10 questions than sft (40.0 points). The 95% interval, ")
    assert found.headline.endswith("points, excludes 0.")
    content = json.loads((folder / "out" / "c.json").read_text())
    [one] = content["comparisons"]
    assert one["difference"]["value"] == pytest.approx(0.4)
    assert one["paired"]["overall"]["mcnemar"] == {
        "gained": 4, "lost": 0, "p_value": 0.125, "method": "exact binomial",
    }  # fmt: skip
    assert content["intervals"]["resamples"] == 200
    assert found.headline.split(",")[0] in capsys.readouterr().out.replace("\n", " ")


def test_every_further_evaluation_is_compared_with_the_first(folder):
    write_evaluation(folder / "other", rows([0] * 10))
    found = compare([folder / "sft", folder / "rl", folder / "other"], resamples=50)
    assert [(one.before.name, one.after.name) for one in found] == [("sft", "rl"), ("sft", "other")]
    assert found[1].difference.value == pytest.approx(-0.4)


def test_a_difference_that_may_be_chance_is_said_to_show_nothing(folder):
    write_evaluation(folder / "even", rows([1, 0, 0, 0, 0, 1, 1, 1, 0, 0]))
    [found] = compare([folder / "sft", folder / "even"], resamples=200)
    assert found.headline.startswith("even and sft are right on as many of 10 questions")
    assert found.headline.endswith("includes 0: the data do not show a difference.")


@pytest.mark.parametrize(("bound", "passes"), [(-0.1, True), (0.0, True), (0.4, False)])
def test_the_bound_is_held_against_the_lower_limit(folder, bound, passes):
    """4 of 10 patients gained and none lost: the lower limit is above 0 and below 0.4."""
    if passes:
        compare([folder / "sft", folder / "rl"], at_least=bound, resamples=200)
        return
    with pytest.raises(CheckFailed, match=r"accuracy of rl less that of sft has the lower limit 0.*, below 0.4"):
        compare([folder / "sft", folder / "rl"], at_least=bound, resamples=200, out=folder / "c.json")
    assert (folder / "c.json").is_file(), "a comparison that fails its bound is written all the same"


def test_a_difference_without_an_interval_fails_every_bound(tmp_path):
    for name in ("a", "b"):
        write_evaluation(tmp_path / name, [row(n, right=True, patient="p") for n in range(3)])
    with pytest.raises(CheckFailed, match="lower limit none"):
        compare([tmp_path / "a", tmp_path / "b"], at_least=-0.5, resamples=20)


def test_what_the_two_do_not_share_is_warned_of(tmp_path):
    conventions = {"accuracy": "Share of right answers."}
    write_evaluation(tmp_path / "a", rows([1, 0]), data=["a.jsonl"], sampling={"n": 1, "temperature": 0.0})
    other = [replace(rows([1])[0], answer=("no",)), rows([1, 0])[1]]
    write_evaluation(
        tmp_path / "b", other, data=["b.jsonl"], sampling={"n": 1, "temperature": 1.0}, conventions=conventions
    )
    [found] = compare([tmp_path / "a", tmp_path / "b"], resamples=20)
    assert found.warnings == (
        "The data differ: a.jsonl and b.jsonl.",
        "The sampling differs: temperature is 0.0 in a, 1.0 in b.",
        "The gold answer of 1 questions differs, 'q0' for one.",
    )


def test_conventions_that_changed_are_warned_of(tmp_path):
    write_evaluation(tmp_path / "a", rows([1, 0]), conventions={"ece": "15 bins"})
    write_evaluation(tmp_path / "b", rows([1, 0]), conventions={"ece": "10 bins"})
    [found] = compare([tmp_path / "a", tmp_path / "b"], resamples=20)
    assert found.warnings == ("The conventions of ece differ: the same name does not mean the same number.",)


def test_folders_of_the_same_name_are_told_apart_by_their_parents(tmp_path):
    for run in ("run7", "run8"):
        write_evaluation(tmp_path / run / "evaluation" / "rl", rows([1, 0]))
    [found] = compare([tmp_path / run / "evaluation" / "rl" for run in ("run7", "run8")], resamples=20)
    assert (found.before.name, found.after.name) == ("run7/evaluation/rl", "run8/evaluation/rl")


def test_common_questions_are_compared_and_the_others_counted(folder):
    write_evaluation(folder / "short", rows([1, 1, 1]))
    with pytest.raises(DataError, match="not of the same questions"):
        compare([folder / "sft", folder / "short"], resamples=20)
    [found] = compare([folder / "sft", folder / "short"], common=True, resamples=20)
    assert found.difference.value == 1
    assert found.warnings[-1] == "7 completions are left out: only one of the two evaluations has them."


def test_metrics_that_rows_do_not_tell_stand_as_the_summaries_record_them(tmp_path):
    def overall(value):
        return {"metrics": {"macro_f1": {"value": value, "low": None, "high": None}, "accuracy": {"value": 0.5}}}

    write_evaluation(tmp_path / "a", rows([1, 0]), overall=overall(0.4))
    write_evaluation(tmp_path / "b", rows([0, 1]), overall=overall(0.5))
    [found] = compare([tmp_path / "a", tmp_path / "b"], resamples=20)
    recorded = found.to_json()["recorded"]
    assert list(recorded) == ["macro_f1"]
    assert recorded["macro_f1"]["difference"] == pytest.approx(0.1)


def seeds(folder, name, tables):
    for number, rights in enumerate(tables):
        write_evaluation(folder / name / f"seed{number}", rows(rights))
    return folder / name


def test_folders_of_seeds_are_compared_by_their_means(tmp_path, capsys):
    before = seeds(tmp_path, "before", [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    after = seeds(tmp_path, "after", [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    [found] = compare([before, after], out=tmp_path / "c.json", resamples=100)
    assert found.difference.value == pytest.approx(0.75 - 0.25)
    assert "(mean of 3 against 3 training runs)" in found.headline
    assert [(one.grouping, one.group) for one in found.seed_rows] == [("kind", "presence")]
    assert "what 3 runs showed" in capsys.readouterr().out.replace("\n", " ")
    content = json.loads((tmp_path / "c.json").read_text())["comparisons"][0]
    assert content["seeds"]["after"]["std"] == pytest.approx(0.25)
    assert content["paired"] is None


def test_one_folder_of_seeds_is_summarised(tmp_path, capsys):
    side = seeds(tmp_path, "recipe", [[1, 0], [1, 1]])
    assert compare([side], out=tmp_path / "s.json", resamples=50) == ()
    content = json.loads((tmp_path / "s.json").read_text())
    assert (content["mean"], content["num_seeds"]) == (0.75, 2)
    assert "75.0 %" in capsys.readouterr().out


def test_seeds_inside_run_folders_are_found(tmp_path):
    for number in range(2):
        write_evaluation(tmp_path / "recipe" / f"seed{number}" / "evaluation", rows([1, 0]))
    assert compare([tmp_path / "recipe"], resamples=20) == ()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "macro_f1"}, ConfigError, "metric is 'macro_f1'"),
        ({"metric": "graph_f1"}, DataError, "no completion has graph_f1 in both sft and rl"),
    ],
)
def test_a_metric_that_rows_do_not_tell_is_an_error(folder, arguments, error, message):
    with pytest.raises(error, match=message):
        compare([folder / "sft", folder / "rl"], resamples=20, **arguments)


def test_one_evaluation_alone_cannot_be_compared(folder):
    with pytest.raises(DataError, match="nothing to compare it with"):
        compare([folder / "sft"])
    with pytest.raises(ConfigError, match="there is one"):
        compare([folder / "sft"], at_least=0.0)


def test_a_folder_without_an_evaluation_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is no evaluation and holds none"):
        compare([tmp_path / "empty", tmp_path / "empty"])


@pytest.mark.parametrize(("bound", "code"), [("-0.02", 0), ("0.5", 1)])
def test_the_command_leaves_with_code_1_below_the_bound(folder, bound, code):
    arguments = ["compare", str(folder / "sft"), str(folder / "rl"), "--at-least", bound, "--resamples", "50"]
    assert CliRunner().invoke(app, arguments).exit_code == code
