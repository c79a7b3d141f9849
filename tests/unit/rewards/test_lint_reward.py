"""`radrl lint-reward` passes the rubrics that cannot be cheated and fails those that can. A linter that cannot fail is
none, so each kind of failure has a reward here that deserves it."""

import json
from dataclasses import replace

import pytest

from radrl.config.lint import LintConfig
from radrl.errors import CheckFailed, ConfigError, DataError
from radrl.exits import guarded
from radrl.lint.attack import attack
from radrl.lint.command import complaints_of, lint, lint_from, read_arguments
from radrl.lint.questions import ask_questions
from radrl.lint.targets import target_of
from radrl.rewards.hacks import HACKS
from radrl.rewards.pool import RewardPool

SHORT = [hack for hack in HACKS if hack.every == 1]


def result_of(reward, *, num_questions=40, hacks=SHORT, **settings):
    config = LintConfig(reward=reward, num_questions=num_questions, **settings)
    target = target_of(config)
    with RewardPool() as pool:
        questions = ask_questions(
            num_questions, kinds=target.kinds, trace=target.trace, seed=config.seed, has_twins=False
        )
        return attack(target, questions, pool=pool, hacks=hacks)


def own_reward(tmp_path, body):
    file = tmp_path / "mine.py"
    file.write_text(f"from radrl.rewards.api import reward\n\n{body}\n", encoding="utf-8")
    return f"{file}:mine"


@pytest.mark.parametrize("preset", ["cx_mind_closed", "cx_mind_open", "chex_phi4mm"])
def test_no_hack_wins_under_the_rubrics_of_both_recipes(preset):
    """On 500 questions: tests/slow/test_hack_table.py."""
    result = result_of(preset, num_questions=24)
    assert complaints_of(result) == []
    assert result.is_safe
    assert result.gold.outcome == 1.0
    assert result.majority.total < result.gold.total


@pytest.mark.parametrize(
    ("preset", "kind", "num_questions", "winner"),
    [
        ("legacy_cx_mind_closed", "choice", 80, "one denial"),
        ("legacy_cx_mind_open", "open", 20, "nonsense judged wrong"),
        ("legacy_chex_phi4mm", "closed", 20, "list everything"),
    ],
)
def test_the_rules_of_the_seeds_lose_to_the_hacks_they_are_known_for(preset, kind, num_questions, winner):
    result = result_of(preset, num_questions=num_questions, kinds=(kind,))
    assert winner in [earned.name for earned in result.winners]
    assert not result.is_safe


def test_the_command_exits_1_naming_the_hack_and_an_example(tmp_path, capsys):
    out = tmp_path / "lint.json"
    args = ["legacy_cx_mind_open", "num_questions=20", f"out={out}"]
    assert guarded(lint_from, args) == 1
    shown = capsys.readouterr()
    assert "failed: legacy_cx_mind_open: the hack 'nonsense judged wrong' wins." in shown.err
    assert "Zebra ❌" in shown.err
    written = json.loads(out.read_text(encoding="utf-8"))
    (target,) = written["targets"]
    assert written["settings"]["num_questions"] == 20
    assert target["is_safe"] is False
    rows = {row["name"]: row for row in target["earned"]}
    assert rows["nonsense judged wrong"]["wins"]
    assert rows["gold reference"]["questions"] == 20
    assert {hack.name for hack in HACKS} - set(rows) <= {"side swap"}


def test_the_command_exits_0_where_nothing_wins(capsys):
    assert guarded(lint_from, ["answer_exact", "num_questions=10", "kinds=[presence]"]) == 0
    shown = capsys.readouterr()
    assert "draws" in shown.out
    assert shown.err == ""


def test_a_reward_of_length_is_won_by_the_longest_output(tmp_path):
    name = own_reward(tmp_path, "def mine(attempt):\n    return min(len(attempt.text) / 1e4, 1.0)")
    result = result_of(name, num_questions=8)
    assert result.winners[0].name in ("repetition", "hedging")
    assert any("is not the best paid" in complaint for complaint in complaints_of(result))


def test_a_reward_that_raises_on_a_hack_is_reported_with_the_reason(tmp_path):
    name = own_reward(tmp_path, 'def mine(attempt):\n    return float(attempt.text.index("<think>") == 0)')
    complaint = next(line for line in complaints_of(result_of(name, num_questions=4)) if "fails on" in line)
    assert "a reward fails on 'empty output': mine on p" in complaint
    assert "ValueError: substring not found" in complaint


def test_a_reward_per_group_sees_the_hack_beside_the_majority_answer(tmp_path):
    body = (
        '@reward("prefers_the_short", per="group")\n'
        "def mine(attempts):\n"
        "    assert len(attempts) == 2\n"
        "    shortest = min(len(attempt.text) for attempt in attempts)\n"
        "    return [float(len(attempt.text) == shortest) for attempt in attempts]"
    )
    result = result_of(own_reward(tmp_path, body), num_questions=6)
    earned = {one.name: one for one in result.hacks}
    assert result.majority.total == 1.0
    assert (earned["empty output"].total, earned["empty output"].majority) == (1.0, 0.0)
    assert (earned["repetition"].total, earned["repetition"].majority) == (0.0, 1.0)


def test_a_reward_per_batch_sees_the_questions_of_one_step_together(tmp_path):
    body = (
        '@reward("counts_the_batch", per="batch")\n'
        "def mine(groups):\n"
        "    return [[float(len(groups) == 3) for _ in group] for group in groups]"
    )
    result = result_of(own_reward(tmp_path, body), num_questions=6, batch_size=3)
    assert result.gold.total == 1.0


def test_a_penalty_is_paid_beside_the_answer_because_silence_would_win_otherwise():
    assert target_of(LintConfig(reward="repetition")).paid == ("repetition", "answer_f1")
    assert target_of(LintConfig(reward="graph_f1")).paid == ("graph_f1",)
    assert target_of(LintConfig(reward="answer_f1")).paid == ("answer_f1",)


def test_a_reward_counts_only_where_it_has_something_to_say_of_the_reference():
    result = result_of("answer_option", num_questions=16, kinds=("presence", "closed"))
    assert 0 < result.gold.num_questions < 16
    assert result.gold.total == 1.0
    with pytest.raises(DataError, match="abstains on the reference of each of the 4 questions"):
        result_of("box_iou", num_questions=4)


def test_arguments_of_a_reward_are_checked_and_passed():
    assert result_of("step_correctness", num_questions=8, kwargs={"scheme": "all_or_none"}).gold.total == 1.0
    with pytest.raises(ConfigError, match=r"has no argument 'schem'\. Did you mean scheme?"):
        result_of("step_correctness", kwargs={"schem": "partial"})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["cx_mind_close"], "'cx_mind_close' is neither a reward nor a preset .* Did you mean cx_mind_closed?"),
        ([], "there should be one thing to attack, not 'nothing'"),
        (["format", "answer_f1"], "one thing to attack, not 'format answer_f1'"),
        (["format", "kinds=[closd]"], "no questions of kind 'closd' .* Known: presence, view"),
        (["cx_mind_closed", "kwargs={alpha: 1}"], "'cx_mind_closed' is a preset of several rewards"),
        (["format", "num_question=3"], "unknown key num_question"),
    ],
)
def test_what_cannot_be_attacked_is_refused_in_a_sentence(args, message):
    with pytest.raises(ConfigError, match=message):
        config, targets = read_arguments(args)
        with RewardPool() as pool:
            lint(targets[0], config, pool=pool)


def test_the_stages_of_a_run_are_attacked_each_on_questions_of_its_kind(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "data: {max_response_length: 300}\n"
        "curriculum:\n"
        "  stages:\n"
        "    - {name: closed, rewards: cx_mind_closed, steps: 1}\n"
        "    - {name: second, rewards: cx_mind_open, steps: 1, data: {kinds: {list: 1}}, max_response_length: 200}\n",
        encoding="utf-8",
    )
    config, targets = read_arguments([f"config={file}", "num_questions=6", "curriculum.stages.0.rewards.0.weight=0.3"])
    assert config.num_questions == 6
    assert [target.title for target in targets] == ["stage closed", "stage second"]
    assert [target.kinds for target in targets] == [("closed", "choice", "presence"), ("list",)]
    assert [target.max_tokens for target in targets] == [300, 200]
    assert targets[0].rewards[0].weight == 0.3
    _, (whole,) = read_arguments([f"config={file}", "curriculum.stages=[]", "trace=answer_first"])
    assert whole.paid == ("format", "answer_f1")
    assert whole.trace == "answer_first"


def test_a_file_of_nothing_but_a_rubric_is_attacked_with_its_gates(tmp_path):
    file = tmp_path / "rubric.yaml"
    file.write_text("{rewards: [{name: answer_f1, outcome: true}], gate: {margin: 0.25}}")
    _, (target,) = read_arguments([f"config={file}"])
    assert [term.name for term in target.rewards] == ["answer_f1"]
    assert target.gate.margin == 0.25


def test_an_unwritable_result_is_an_error_before_the_verdict(tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        lint_from(["format", "num_questions=4", "kinds=[presence]", f"out={tmp_path / 'none' / 'x.json'}"])


def test_a_failed_check_is_raised_for_whoever_calls_it():
    with pytest.raises(CheckFailed, match="list everything"):
        lint_from(["legacy_any_overlap", "num_questions=16", "kinds=[closed]", "trace=plain"])


def test_the_questions_do_not_depend_on_the_form_of_their_references():
    forms = [
        ask_questions(12, kinds=(), trace=form, seed=2, has_twins=False).samples
        for form in ("interleaved", "plain", "answer_first")
    ]
    bare = [[replace(sample, reference="") for sample in samples] for samples in forms]
    assert bare[0] == bare[1] == bare[2]
    assert all("<" not in sample.reference for sample in forms[2])
