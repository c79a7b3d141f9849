import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reward_builders import NAMED, NORMAL, OPEN, PRESENCE, SAMPLES, attempt, completions, rubric, trace

from radrl.config.schema import RewardConfig
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import reward_metrics
from radrl.rewards.scoring import Call

FILES = Path(__file__).parent / "foreign_files"
OBEYS = RewardConfig(name=f"{FILES}/misbehaving.py:obeys", weight=0.5)
OBEYS_TRL = RewardConfig(name=f"{FILES}/misbehaving.py:obeys_trl", interface="trl")


@pytest.fixture
def pool():
    with RewardPool(timeout_s=1.0) as made:
        yield made


def failures(pool, term, *texts):
    (group,) = rubric(term, pool=pool).score([completions(PRESENCE, *texts)])
    return [rollout.reward.failures.get(term.key, "") for rollout in group.rollouts]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("hang", "TimeoutError: no score within 1 s"),
        ("exit", "worker died with exit code 3"),
        ("crash", f"worker died with exit code {-signal.SIGSEGV}"),
        ("raise", "KeyError: 'severity'"),
        ("leave", "SystemExit: goodbye"),
        ("nan", "RewardError: the score is nan"),
        ("text", "RewardError: it returned '1.0'"),
    ],
)
def test_what_goes_wrong_fails_on_its_own_rollout_and_the_others_are_scored(pool, order, reason):
    (group,) = rubric(OBEYS, pool=pool).score([completions(PRESENCE, "fine", order, "fine")])
    assert [rollout.reward.parts["obeys"] for rollout in group.rollouts] == [1.0, None, 1.0]
    assert [rollout.reward.failures.get("obeys", "")[: len(reason)] for rollout in group.rollouts] == ["", reason, ""]
    metrics = reward_metrics([group])
    assert metrics["reward/obeys/failed_frac"] == pytest.approx(1 / 3)
    assert metrics["reward/obeys/timeout_frac"] == pytest.approx(1 / 3 if order == "hang" else 0.0)
    assert metrics["reward/obeys/mean"] == 1.0


def test_a_regular_expression_that_holds_the_interpreter_is_stopped_too(pool):
    assert failures(pool, OBEYS, "hang in C", "fine")[0].startswith("TimeoutError")


@pytest.mark.parametrize(("order", "reason"), [("exit", "worker died"), ("hang", "TimeoutError: no score within 1 s")])
def test_in_a_list_too_only_the_completion_to_blame_fails(pool, order, reason):
    given = failures(pool, OBEYS_TRL, "fine", order, "fine")
    assert (given[0], given[2]) == ("", "")
    assert given[1].startswith(reason)


def test_a_group_filter_sees_the_outcome_and_not_what_a_broken_reward_left_out(pool):
    right, wrong = PRESENCE.reference, trace(("fluid", "left pleural effusion ✅"), ("summary", "yes"))
    made = rubric(RewardConfig(name="answer_exact", outcome=True, weight=0.0), OBEYS, pool=pool)
    (group,) = made.score([completions(PRESENCE, right, "exit", wrong)])
    assert group.outcomes == (1.0, 0.0, 0.0)
    assert [rollout.reward.total for rollout in group.rollouts] == [0.5, 0.0, 0.5]


def everything(num_workers):
    """Results of rewards of every scope, ours and foreign, over several groups."""
    terms = [
        RewardConfig(name="answer_exact", outcome=True),
        RewardConfig(name="format"),
        RewardConfig(name="step_correctness"),
        RewardConfig(name="graph_f1"),
        RewardConfig(name=f"{FILES}/own_rewards.py:mentions", kwargs={"word": "effusion"}),
        RewardConfig(name=f"{FILES}/own_rewards.py:rank_by_length"),
        RewardConfig(name=f"{FILES}/own_rewards.py:above_mean"),
        RewardConfig(name=f"{FILES}/easyr1_rewards.py:compute_score", interface="easyr1_batch"),
        RewardConfig(name=f"{FILES}/trl_rewards.py:matches_answer", interface="trl"),
    ]
    with RewardPool(num_workers=num_workers) as pool:
        made = rubric(*terms, pool=pool)
        groups = [completions(sample, sample.reference, "plain", "an effusion") for sample in SAMPLES]
        settled = made.settle(made.score(groups), update=True)
    return [rollout.reward for group in settled for rollout in group.rollouts]


def test_the_results_are_the_same_whatever_the_number_of_workers():
    none, one, three = everything(0), everything(1), everything(3)
    assert none == one == three
    assert none[0].parts["above_mean"] == 1.0
    assert [result.parts["rank_by_length"] for result in none[:3]] == [2.0, 0.0, 1.0]


def test_workers_load_neither_torch_nor_the_running_program(tmp_path):
    (tmp_path / "probe.py").write_text(
        "import sys\n"
        "def probe(attempt):\n"
        "    raise ValueError([n for n in ('torch', 'transformers', 'only_in_program') if n in sys.modules])\n"
    )
    (tmp_path / "only_in_program.py").write_text("")
    program = (
        "import only_in_program\n"
        "from radrl.config.schema import RewardConfig\n"
        "from radrl.rewards.pool import RewardPool\n"
        "from radrl.rewards.scoring import Call\n"
        "from reward_builders import PRESENCE, attempt\n"
        "term = RewardConfig(name='probe.py:probe')\n"
        "with RewardPool() as pool:\n"
        "    call = Call(term=term, groups=((attempt(PRESENCE, 'x'),),))\n"
        "    print(pool.score([call], {'probe': pool.bind(term)})[0][0].failure)\n"
    )
    (tmp_path / "program.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout.startswith("ValueError: [] ("), ended.stderr


def test_what_a_reward_prints_goes_to_the_file_and_not_to_the_terminal(tmp_path, capfd):
    run = tmp_path / "run"
    with RewardPool(printed_to=run / "logs" / "rewards.txt") as pool:
        failures(pool, OBEYS, "print")
        assert not run.exists()
        run.mkdir()
        failures(pool, OBEYS, "print")
    assert capfd.readouterr() == ("", "")
    assert (run / "logs" / "rewards.txt").read_text() == "printed by a reward\n"


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_ended(pids):
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its run"
        os.sched_yield()


def workers() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.name == "pebble_pool_worker"]


def test_closing_ends_the_workers_and_a_later_call_starts_new_ones(pool):
    assert failures(pool, OBEYS, "fine") == [""]
    before = workers()
    pool.close()
    wait_until_ended(before)
    assert failures(pool, OBEYS, "fine") == [""]
    assert set(workers()).isdisjoint(before)


def test_an_error_in_the_run_ends_the_workers():
    with pytest.raises(ZeroDivisionError), RewardPool(num_workers=2) as pool:
        assert failures(pool, OBEYS, "fine") == [""]
        running = workers()
        raise ZeroDivisionError
    assert len(running) == 2
    wait_until_ended(running)


def test_the_workers_of_a_killed_run_end_too(tmp_path):
    program = (
        "import multiprocessing\n"
        "from radrl.config.schema import RewardConfig\n"
        "from radrl.rewards.pool import RewardPool\n"
        "from radrl.rewards.scoring import Call\n"
        "from reward_builders import PRESENCE, attempt\n"
        f"term = RewardConfig(name={OBEYS.name!r})\n"
        "pool = RewardPool(num_workers=2)\n"
        "calls = [Call(term=term, groups=((attempt(PRESENCE, text),),)) for text in ('fine', 'hang')]\n"
        "pool.score(calls[:1], {'obeys': pool.bind(term)})\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "pool.score(calls[1:], {'obeys': pool.bind(term)})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    running = [int(pid) for pid in run.stdout.readline().split()]
    run.kill()
    run.wait()
    run.stdout.close()
    assert len(running) == 2
    wait_until_ended(running)


def test_registered_rewards_need_no_worker(pool):
    rubric(RewardConfig(name="graph_f1"), pool=pool).score([completions(OPEN, OPEN.reference)])
    assert workers() == []


def test_several_attempts_at_once_share_the_sum_of_their_deadlines(pool):
    term = RewardConfig(name="trl_rewards.py:scaled", interface="trl")
    late = pool._unanswered(TimeoutError(), num_attempts=4)
    assert late.failure == "TimeoutError: no score within 4 s; its worker was stopped"
    assert math.isclose(pool.timeout_s, 1.0)
    assert term.key == "scaled"


def test_a_path_means_the_same_after_a_change_of_folder(pool, tmp_path, monkeypatch):
    assert failures(pool, OBEYS, "fine") == [""]
    (tmp_path / "here.py").write_text("def one(attempt):\n    return 1.0\n")
    monkeypatch.chdir(tmp_path)
    assert failures(pool, RewardConfig(name="here.py:one"), "x") == [""]


def test_calls_come_back_in_their_order(pool):
    term = RewardConfig(name=f"{FILES}/trl_rewards.py:scaled", interface="trl")
    calls = [
        Call(term=term, groups=((attempt(sample, "a" * size),),))
        for size, sample in enumerate((NAMED, NORMAL, OPEN), start=1)
    ]
    assert [[one.value for one in scored] for scored in pool.score(calls, {"scaled": pool.bind(term)})] == [
        [1.0],
        [2.0],
        [3.0],
    ]
