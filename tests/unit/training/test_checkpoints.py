"""Spec rows 69, 70 and 72: checkpoints that are whole at every moment, while the run goes on."""

import errno
import json
import os
import socket
import threading
from contextlib import contextmanager

import pytest
import torch
from builders import a_sample
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from radrl.checkpoints import TRACKER, Checkpoints, saved_steps
from radrl.config.learning import ActorConfig, LoraConfig, ModelConfig, OptimConfig
from radrl.engines.checkpoint import Saving, StateFiles, copied
from radrl.engines.learner import PolicyLearner
from radrl.engines.process_group import Membership, process_group
from radrl.errors import CheckpointError, Interrupted
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.run import Run

ALL = LoraConfig(rank=0)
"""All weights learn."""


class Part:
    """Holds one number, which is written when the test says so."""

    def __init__(self):
        self.value = 0
        self.may_write = threading.Event()
        self.may_write.set()
        self.error = None

    def save(self, folder):
        value = self.value

        def write():
            assert self.may_write.wait(30)
            if self.error:
                (folder / "value.txt").write_text("half")
                raise self.error
            (folder / "value.txt").write_text(str(value))

        return write

    def load(self, folder):
        self.value = int((folder / "value.txt").read_text())


@contextmanager
def held_back(part):
    """What is saved in the block is written after it."""
    part.may_write.clear()
    try:
        yield
    finally:
        part.may_write.set()


@pytest.fixture
def part():
    return Part()


@pytest.fixture
def checkpoints(tmp_path, part):
    return Checkpoints(tmp_path / "checkpoints", parts={"part": part})


def names(folder):
    return {path.name for path in folder.iterdir()}


def tracker(folder):
    return json.loads((folder / TRACKER).read_text())


def test_the_next_step_runs_while_a_checkpoint_is_written_and_does_not_change_it(checkpoints, part):
    part.value = 2
    with held_back(part):
        checkpoints.begin(2)
        part.value = 3
        checkpoints.check()
        assert names(checkpoints.folder) == {".unfinished-2"}
        assert saved_steps(checkpoints.folder) == []
    checkpoints.finish()

    assert names(checkpoints.folder) == {"global_step_2", TRACKER}
    again = Part()
    assert Checkpoints(checkpoints.folder, parts={"part": again}).restore() == 2
    assert again.value == 2


def test_one_checkpoint_is_written_at_a_time(checkpoints, part):
    with held_back(part):
        checkpoints.begin(1)
        releasing = threading.Timer(0.05, part.may_write.set)
        releasing.start()
        checkpoints.begin(2)
        assert saved_steps(checkpoints.folder)[0] == 1
    checkpoints.finish()
    assert saved_steps(checkpoints.folder) == [1, 2]


def test_a_write_that_fails_in_the_background_ends_the_run_at_the_next_opportunity(tmp_path, part):
    run = Run(tmp_path, parts={"part": part}, save_freq=1)
    run.restore()
    run.save_if_due(1, is_last=False)
    run.checkpoints.finish()
    part.error = OSError(errno.ENOSPC, "No space left on device")
    run.save_if_due(2, is_last=False)

    with pytest.raises(CheckpointError, match=r"step 2 could not be written.*No space left on device.*free some space"):
        run.save_if_due(3, is_last=False)

    assert names(tmp_path / "checkpoints") == {"global_step_1", TRACKER}
    assert tracker(tmp_path / "checkpoints")["last_global_step"] == 1
    run.close()


def test_a_run_that_ends_otherwise_still_finishes_its_checkpoint(tmp_path, part):
    run = Run(tmp_path, parts={"part": part}, save_freq=1)
    run.restore()
    with held_back(part):
        run.save_if_due(1, is_last=False)
    run.close()
    assert saved_steps(tmp_path / "checkpoints") == [1]


@pytest.mark.parametrize("is_stopped", [True, False], ids=["asked to stop", "at its end"])
def test_a_run_waits_for_the_checkpoint_that_it_ends_with(tmp_path, part, is_stopped):
    run = Run(tmp_path, parts={"part": part}, save_freq=1)
    run.restore()
    part.may_write.clear()
    threading.Timer(0.05, part.may_write.set).start()
    if is_stopped:
        run.stop_signal = 15
        with pytest.raises(Interrupted):
            run.save_if_due(4, is_last=False)
    else:
        run.save_if_due(4, is_last=True)
    assert saved_steps(tmp_path / "checkpoints") == [4]


def test_row_70_nothing_is_deleted_before_the_new_one_is_whole(tmp_path, part):
    checkpoints = Checkpoints(tmp_path, parts={"part": part}, limit=1)
    checkpoints.save(1)
    with held_back(part):
        checkpoints.begin(2)
        assert names(tmp_path) == {".unfinished-2", "global_step_1", TRACKER}
    checkpoints.finish()
    assert names(tmp_path) == {"global_step_2", TRACKER}

    part.error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(CheckpointError):
        checkpoints.save(3)
    assert names(tmp_path) == {"global_step_2", TRACKER}


def test_row_70_the_best_is_kept_until_a_better_one_is_whole(tmp_path, part):
    checkpoints = Checkpoints(tmp_path, parts={"part": part}, limit=1)
    for step, score in ((1, 0.5), (2, 0.9), (3, 0.4)):
        checkpoints.observe(step, score)
        checkpoints.save(step)
    assert saved_steps(tmp_path) == [2, 3]

    checkpoints.observe(4, 0.95)
    with held_back(part):
        checkpoints.begin(4)
        # A validation in the meantime, of a step that may never be saved.
        checkpoints.observe(5, 0.99)
        assert saved_steps(tmp_path) == [2, 3]
        assert tracker(tmp_path)["best_global_step"] == 2
    checkpoints.finish()
    assert saved_steps(tmp_path) == [4]
    assert (tracker(tmp_path)["best_global_step"], tracker(tmp_path)["best_val_reward_score"]) == (4, 0.95)


def test_row_70_the_best_is_a_step_that_was_saved(tmp_path, part):
    checkpoints = Checkpoints(tmp_path, parts={"part": part}, limit=1)
    checkpoints.observe(2, 0.5)
    checkpoints.save(2)
    checkpoints.observe(3, 0.9)
    checkpoints.save(4)

    assert tracker(tmp_path) == {
        "best_global_step": 2,
        "best_val_reward_score": 0.5,
        "last_global_step": 4,
        "last_actor_path": str(tmp_path / "global_step_4" / "actor"),
    }
    assert saved_steps(tmp_path) == [2, 4]


def test_what_a_kill_left_of_a_deletion_is_no_checkpoint_and_is_removed(tmp_path, part):
    checkpoints = Checkpoints(tmp_path, parts={"part": part})
    checkpoints.save(1)
    checkpoints.save(2)
    (tmp_path / "global_step_1").rename(tmp_path / ".surplus-1")

    assert Checkpoints(tmp_path, parts={"part": part}).restore() == 2
    assert names(tmp_path) == {"global_step_2", TRACKER}


def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path, part, monkeypatch):
    events = []
    real_fsync, real_replace = os.fsync, type(tmp_path).replace
    monkeypatch.setattr("os.fsync", lambda descriptor: (events.append("fsync"), real_fsync(descriptor))[1])

    def replace(path, target):
        events.append(f"{path.name} -> {target.name}")
        return real_replace(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", replace)
    Checkpoints(tmp_path, parts={"part": part}).save(1)

    named = events.index(".unfinished-1 -> global_step_1")
    # Three files, the folder of the part, and the checkpoint's.
    assert events[:named] == ["fsync"] * 5
    assert events[named + 1] == "fsync"
    assert events[-2:] == [f".{TRACKER}.unfinished -> {TRACKER}", "fsync"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    corpus = [a_sample().question, a_sample().reference]
    return build_tiny(tmp_path_factory.mktemp("tiny"), corpus=corpus, hidden_size=64, vision_hidden_size=32)


def a_learner(tiny, saving, *, lora=ALL, dtype="auto"):
    settings = ModelConfig(lora=lora)
    adapter = load_adapter(tiny, device="cpu", dtype=dtype)
    prepare_training(adapter, settings, seed=1)
    config = ActorConfig(model=settings, optim=OptimConfig(lr=1e-2))
    return PolicyLearner(adapter, config, total_updates=10, saving=saving)


def take_step(learner):
    prompt = learner.adapter.render(a_sample())
    target = learner.adapter.reference_ids(prompt.sample)
    learner.fit([prompt], [target], num_tokens=len(target))


def all_tensors(learner):
    found = dict(learner.adapter.model.state_dict())
    for name, held in learner.optimizer.tensors().items():
        found |= {f"{name}.{kind}": each for kind, each in held.items()}
    return {name: each.clone() for name, each in found.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("lora", [ALL, LoraConfig(rank=2, alpha=4.0)], ids=["all weights", "LoRA"])
def test_row_69_what_is_written_in_the_background_is_the_state_before_the_next_step(tiny, tmp_path, lora, dtype):
    """On a CPU the next step changes the very memory that torch's own staging would have handed on."""
    learner = a_learner(tiny, Saving(in_background=True), lora=lora, dtype=dtype)
    take_step(learner)
    before = all_tensors(learner)
    writing = learner.save(tmp_path)
    take_step(learner)
    after = all_tensors(learner)
    writing()

    resumed = a_learner(tiny, Saving(), lora=lora, dtype=dtype)
    resumed.load(tmp_path)
    found = all_tensors(resumed)
    assert all(torch.equal(found[name], each) for name, each in before.items())
    assert not all(torch.equal(found[name], each) for name, each in after.items())
    opened = load_adapter(tmp_path / "huggingface", device="cpu", dtype=dtype).model.state_dict()
    assert all(torch.equal(each, before[name]) for name, each in opened.items())
    take_step(resumed)
    assert all(torch.equal(each, after[name]) for name, each in all_tensors(resumed).items())


def test_copies_share_no_memory():
    live = {"a": torch.ones(3), "b": {"c": torch.ones(2)}}
    taken = copied(live)
    live["a"].add_(1)
    live["b"]["c"].add_(1)
    assert (taken["a"].tolist(), taken["b"]["c"].tolist()) == ([1.0] * 3, [1.0] * 2)


def num_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_row_72_a_checkpoint_of_the_model_alone_is_much_smaller_and_no_run_goes_on_from_it(tiny, tmp_path):
    for name, saving in (("whole", Saving()), ("model", Saving(model_only=True, in_background=True))):
        learner = a_learner(tiny, saving)
        checkpoints = Checkpoints(tmp_path / name, parts={"actor": learner})
        checkpoints.save(1)
    actor = tmp_path / "model" / "global_step_1" / "actor"

    assert names(actor) == {"huggingface"}
    assert num_bytes(actor) < 0.4 * num_bytes(tmp_path / "whole" / "global_step_1" / "actor")
    weights = load_adapter(actor / "huggingface", device="cpu").model.state_dict()
    assert all(torch.equal(each, weights[key]) for key, each in learner.adapter.model.state_dict().items())
    with pytest.raises(CheckpointError, match=r"holds a model and no optimizer .*give .*actor/huggingface as worker"):
        Checkpoints(tmp_path / "model", parts={"actor": learner}).restore()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_row_69_shards_on_a_gpu_are_written_from_their_copies_in_host_memory(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    alone = Membership(rank=0, num_ranks=1, local_rank=0, host="127.0.0.1", port=port, timeout_s=60.0)
    with process_group(alone, device=torch.device("cuda")):
        module = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)).cuda()
        wanted = {name: each.detach().cpu().clone() for name, each in module.state_dict().items()}
        fully_shard(module, mesh=init_device_mesh("cuda", (1,)))
        files, taken = StateFiles(), copied(module.state_dict())
        with torch.no_grad():
            for weight in module.parameters():
                weight.zero_()
        files.save(tmp_path / "state", taken)
        files.load(tmp_path / "state", module.state_dict())
        found = {name: each.full_tensor().cpu() for name, each in module.state_dict().items()}
    assert all(torch.equal(found[name], each) for name, each in wanted.items())
