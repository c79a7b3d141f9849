"""The same three steps in one process and on clusters of workers, rollouts replayed: losses, gradients, weights."""

from pathlib import Path

import pytest
from cluster_world import a_config, completions, metrics, train_in, warm_up_in, weights

from radrl.errors import PluginError
from radrl.train import run_training, run_warm_up

COMMAND = ["radrl", "train"]
NUMBERS = ("actor/pg_loss", "actor/grad_norm", "actor/ppo_kl", "actor/kl_loss")
LORA = {"worker.actor.model.lora": {"rank": 4}, "worker.actor.optim.lr": 0.1, "algorithm.kl_coef": 0.05}
TWO = {"trainer.n_gpus_per_node": 2}


@pytest.fixture(scope="module")
def in_process(world, tmp_path_factory):
    """One process, by whose rollouts the others learn."""
    out = tmp_path_factory.mktemp("in-process") / "run"
    run_training(a_config(world, out), command=COMMAND)
    return out


def replaying(of: Path, **changes: object) -> dict[str, object]:
    return {"trainer.debug": "replay", "trainer.replay_file": str(of / "completions.jsonl"), **changes}


def assert_same(out: Path, of: Path) -> None:
    """Losses, gradients and, after steps of plain gradient descent, weights."""
    own, other = metrics(out), metrics(of)
    assert len(own) == len(other) == 3
    for mine, theirs in zip(own, other, strict=True):
        assert theirs["actor/grad_norm"] > 0
        for name in NUMBERS:
            if name in theirs:
                assert mine[name] == pytest.approx(theirs[name], abs=1e-5, rel=1e-5), name
    mine, theirs = weights(out), weights(of)
    assert mine.keys() == theirs.keys()
    assert max(float((mine[name] - theirs[name]).abs().max()) for name in mine) < 1e-5


def test_row_49_one_worker_learns_what_one_process_does(ray_here, world, in_process, tmp_path):
    out = tmp_path / "run"
    run_training(a_config(world, out, replaying(in_process, **{"trainer.ray_address": "local"})), command=COMMAND)
    assert_same(out, in_process)


def test_row_52_two_workers_with_shards_of_the_weights_learn_what_one_process_does(two, world, in_process, tmp_path):
    assert_same(train_in(two, a_config(world, tmp_path / "run", replaying(in_process, **TWO))), in_process)


def test_row_54_two_workers_that_share_rows_learn_what_one_process_does(two, world, in_process, tmp_path):
    config = a_config(world, tmp_path / "run", replaying(in_process, **TWO, **{"worker.actor.ulysses_size": 2}))
    assert_same(train_in(two, config), in_process)


def test_two_workers_with_an_adapter_and_a_reference_learn_what_one_process_does(two, world, tmp_path):
    run_training(a_config(world, tmp_path / "of", LORA), command=COMMAND)
    config = a_config(world, tmp_path / "run", replaying(tmp_path / "of", **TWO, **LORA))
    assert_same(train_in(two, config), tmp_path / "of")
    assert any(step["actor/kl_loss"] > 0 for step in metrics(tmp_path / "run"))


@pytest.mark.slow
def test_two_workers_write_what_one_process_does_and_their_samplers_are_probed(two, world, in_process, tmp_path):
    """Draws follow from the prompt's position in the whole call, whichever worker it is with."""
    out = train_in(two, a_config(world, tmp_path / "run", TWO))
    own, other = completions(out), completions(in_process)
    assert [(each["id"], each["index"], each["completion_ids"]) for each in own] == [
        (each["id"], each["index"], each["completion_ids"]) for each in other
    ]
    assert metrics(out)[0]["mismatch/probe_mean_abs"] < 1e-5
    assert metrics(out)[0]["mismatch/probe_tokens"] == metrics(in_process)[0]["mismatch/probe_tokens"]
    assert metrics(out)[0]["global_seqlen/balanced_max"] >= metrics(out)[0]["global_seqlen/balanced_min"] > 0


@pytest.mark.slow
def test_a_sampler_of_a_users_own_writes_in_every_worker(two, world, tmp_path):
    name = f"{world.samplers}:Counting"
    out = train_in(two, a_config(world, tmp_path / "run", {**TWO, "worker.rollout.name": name}))
    notes = [file.read_text().splitlines() for file in out.glob("asked-*.txt")]
    assert sorted(notes) == [["0 2"] * 3, ["2 2"] * 3]


def test_a_class_that_is_no_sampler_is_refused_with_what_it_lacks(two, world, tmp_path):
    config = a_config(world, tmp_path / "run", {**TWO, "worker.rollout.name": f"{world.samplers}:NoSampler"})
    with pytest.raises(
        PluginError, match=r"makes a NoSampler, which is no radrl\.roles\.Sampler: it lacks generate, publish\."
    ):
        train_in(two, config)


@pytest.mark.slow
def test_row_49_a_sampler_apart_is_sent_the_weights_and_writes_what_one_process_does(ray_here, world, tmp_path):
    """Two ranks train shards of the weights with an adapter beside them, and a third process samples."""
    apart = {"worker.rollout.placement": "apart", "worker.rollout.num_gpus": 1}
    run_training(a_config(world, tmp_path / "of", LORA), command=COMMAND)
    run_training(a_config(world, tmp_path / "run", {**TWO, **LORA, **apart}), command=COMMAND)
    own, other = completions(tmp_path / "run"), completions(tmp_path / "of")
    assert [each["completion_ids"] for each in own] == [each["completion_ids"] for each in other]
    assert [each["policy_version"] for each in own] == [each["policy_version"] for each in other]
    assert_same(tmp_path / "run", tmp_path / "of")
    assert metrics(tmp_path / "run")[1]["mismatch/probe_mean_abs"] < 1e-5


@pytest.mark.slow
def test_a_warm_up_by_two_workers_learns_what_one_process_does(two, world, tmp_path):
    longer = {"data.max_response_length": 96}
    run_warm_up(a_config(world, tmp_path / "of", longer), command=["radrl", "sft"])
    warm_up_in(two, a_config(world, tmp_path / "run", {**TWO, **longer}))
    for mine, theirs in zip(metrics(tmp_path / "run"), metrics(tmp_path / "of"), strict=True):
        assert mine["sft/loss"] == pytest.approx(theirs["sft/loss"], abs=1e-5)
        assert mine["actor/grad_norm"] == pytest.approx(theirs["actor/grad_norm"], abs=1e-5, rel=1e-5)
    mine, theirs = weights(tmp_path / "run"), weights(tmp_path / "of")
    assert max(float((mine[name] - theirs[name]).abs().max()) for name in theirs) < 1e-5
