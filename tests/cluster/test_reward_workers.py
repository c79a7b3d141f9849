"""Reward workers and the reader of graphs on a real Ray cluster."""

import os
import signal
import sys
from pathlib import Path

import pytest
import ray
from ray import cloudpickle

from radrl.cluster.reward_workers import GRAPHS, GraphReader, RewardWorkers, SharedExtractor
from radrl.config.schema import GateConfig, RewardConfig
from radrl.graph.extract import extract
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.pool import RewardPool
from radrl.rewards.rubric import Rubric
from radrl.types import AnswerKind, Completion, Prompt, Sample

cloudpickle.register_pickle_by_value(sys.modules[__name__])

REWARDS = """
import os
import pathlib
import signal

from radrl.graph.extract import extract

HERE = pathlib.Path(__file__).parent


def obeys(attempt):
    order = attempt.text
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "die once" and not (HERE / "died").exists():
        (HERE / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "hang":
        while True:
            pass
    if order == "raise":
        raise KeyError("severity")
    if order == "print":
        print("printed by a reward")
    return 1.0


def process(attempt):
    return float(os.getpid())


def facts(attempt, *, weights: str):
    return float(len(extract(attempt.text, extractor=f"rexkg:{weights}").triplets))
"""
REFERENCE = "<think>no left pleural effusion</think><answer>no</answer>"
SAMPLE = Sample(
    id="q0", patient_id="p0", kind="presence", question="Is there an effusion?", answer=frozenset({"no"}),
    answer_kind=AnswerKind.YES_NO, reference=REFERENCE, options=("left pleural effusion",),
)  # fmt: skip


class CountingBackend:
    """Reads as the rules do, and notes every text that it reads."""

    name, version = "counting", "1"

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def __call__(self, texts: list[str]) -> list[KnowledgeGraph]:
        with self.notes.open("a") as file:
            file.writelines(f"{text}\n" for text in texts)
        return [extract(text) for text in texts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rewards")
    (made / "own.py").write_text(REWARDS)
    (made / "weights").mkdir()
    return made


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return folder / "own.py"


@pytest.fixture(scope="module")
def pool(ray_here: None, folder: Path):
    """Two workers for all tests, which is what takes time; each test leaves it with two that can be asked."""
    notes = folder / "read.txt"

    def start(num_workers: int) -> RewardWorkers:
        printed_to = folder / "logs" / "rewards.txt"
        return RewardWorkers(num_workers, printed_to=printed_to, open_graphs=lambda _: CountingBackend(notes))

    with RewardPool(num_workers=2, timeout_s=2.0, start=start) as made:
        yield made


def written(*texts: str) -> list[Completion]:
    prompt = Prompt(sample=SAMPLE, text="?", token_ids=(1,), num_image_tokens=0)
    return [
        Completion(
            prompt=prompt, index=index, text=text, token_ids=(5,), token_texts=(text,), logprobs=(-0.1,), stop="eos",
            policy_version=0, temperature=1.0,
        )
        for index, text in enumerate(texts)
    ]  # fmt: skip


def scored(pool: RewardPool, term: RewardConfig, *texts: str) -> list[tuple[float | None, str]]:
    """Value and failure of each completion."""
    terms = (RewardConfig(name="answer_exact", outcome=True), term)
    (group,) = Rubric(terms, GateConfig(), max_tokens=8, pool=pool).score([written(*texts)])
    rewards = [rollout.reward for rollout in group.rollouts]
    return [(reward.parts[term.key], reward.failures.get(term.key, "")) for reward in rewards]


def test_a_worker_that_dies_is_asked_about_again_and_in_the_end_is_a_failure_of_its_rollout(pool, file):
    obeys = RewardConfig(name=f"{file}:obeys")

    given = scored(pool, obeys, "fine", "die once", "die", "raise", "fine")

    assert [value for value, _ in given] == [1.0, 1.0, None, None, 1.0]
    assert given[2][1] == "worker died"
    assert given[3][1].startswith("KeyError: 'severity'")
    assert scored(pool, obeys, "fine") == [(1.0, "")]


def test_a_worker_that_hangs_is_ended_at_its_deadline_and_another_takes_its_place(pool, file):
    obeys = RewardConfig(name=f"{file}:obeys")

    given = scored(pool, obeys, "hang", "fine")

    assert given[0] == (None, "TimeoutError: no score within 2 s; its worker was stopped")
    assert given[1] == (1.0, "")
    assert scored(pool, obeys, "fine", "fine") == [(1.0, ""), (1.0, "")]


def test_a_worker_killed_from_outside_between_two_steps_is_replaced(pool, file):
    process = RewardConfig(name=f"{file}:process")
    before = {int(value) for value, _ in scored(pool, process, *"abcd")}
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    after = scored(pool, process, *"abcd")

    assert [failure for _, failure in after] == [""] * 4
    assert {int(value) for value, _ in after}.isdisjoint(before)


def test_the_scores_are_those_of_this_process_and_of_workers_on_this_machine(pool, file):
    terms = [
        RewardConfig(name="answer_exact", outcome=True),
        RewardConfig(name="graph_f1"),
        RewardConfig(name="step_correctness"),
        RewardConfig(name="group_length"),
        RewardConfig(name=f"{file}:obeys"),
    ]
    groups = [written(REFERENCE, "an effusion"), written("plain", REFERENCE)]

    def results(at: RewardPool):
        return Rubric(terms, GateConfig(), max_tokens=8, pool=at).score(groups)

    with RewardPool(num_workers=0) as here:
        assert results(pool) == results(here)


def test_a_report_is_read_once_for_all_workers_whatever_happens_to_them(pool, file, folder):
    facts = RewardConfig(name=f"{file}:facts", kwargs={"weights": str(folder / "weights")})
    alone = [float(len(extract(text).triplets)) for text in ("Left pleural effusion.", "No edema.")]
    assert alone[0] > 0

    first = scored(pool, facts, "Left pleural effusion.", "No edema.", "Left pleural effusion.")
    scored(pool, RewardConfig(name=f"{file}:obeys"), "die")
    again = scored(pool, facts, "No edema.", "Left pleural effusion.")

    assert [value for value, _ in first] == [alone[0], alone[1], alone[0]]
    assert [value for value, _ in again] == [alone[1], alone[0]]
    assert sorted((folder / "read.txt").read_text().splitlines()) == ["Left pleural effusion.", "No edema."]


def test_the_reader_of_graphs_comes_back_when_it_is_killed(pool, file):
    assert scored(pool, RewardConfig(name=f"{file}:obeys"), "fine") == [(1.0, "")]
    reader = ray.get_actor(GRAPHS)
    shared = SharedExtractor(reader, "rexkg:any")
    os.kill(ray.get(reader.process.remote()), signal.SIGKILL)

    assert shared(["Right pneumothorax."]) == [extract("Right pneumothorax.")]
    assert (shared.name, shared.version) == ("counting", "1")


def test_a_reader_opens_each_back_end_once_and_asks_it_about_new_texts_alone(tmp_path):
    opened = []

    def open_graphs(spec: str) -> CountingBackend:
        opened.append(spec)
        return CountingBackend(tmp_path / "read.txt")

    reader = GraphReader(open_graphs)
    for texts in (["No edema."], ["No edema.", "Clear."], ["Clear."]):
        assert reader.read("a", texts) == [extract(text) for text in texts]

    assert opened == ["a"]
    assert (tmp_path / "read.txt").read_text().splitlines() == ["No edema.", "Clear."]


def test_what_rewards_print_goes_to_the_file_of_the_run(pool, file, folder):
    scored(pool, RewardConfig(name=f"{file}:obeys"), "print")

    assert (folder / "logs" / "rewards.txt").read_text() == "printed by a reward\n"


def test_closing_ends_workers_and_reader_and_a_later_call_starts_new_ones(pool, file):
    process = RewardConfig(name=f"{file}:process")
    before = {int(value) for value, _ in scored(pool, process, "a")}

    pool.close()

    with pytest.raises(ValueError, match=GRAPHS):
        ray.get_actor(GRAPHS)
    assert {int(value) for value, _ in scored(pool, process, "a")}.isdisjoint(before)
