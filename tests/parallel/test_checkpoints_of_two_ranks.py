"""Spec row 69: what some ranks saved, another number of ranks goes on from."""

import pytest
import torch
from safetensors import safe_open
from saving import go_on, learn_and_save, load_small, refused_on_rank, save_small, small_state
from test_equal_to_one_process import ADAMW, ADAMW_BF16, FULL, LORA, SGD, assert_close

from radrl.engines.checkpoint import Saving
from radrl.models.load import load_adapter

NOW, LATER = Saving(), Saving(in_background=True)


def assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    assert [name for name, each in wanted.items() if not torch.equal(found[name], each)] == []


def num_bytes(folder):
    return sum(file.stat().st_size for file in (folder / "state").glob("*.distcp"))


@pytest.mark.parametrize(
    "saving", [pytest.param(NOW, id="at once"), pytest.param(LATER, id="in the background", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "args",
    [
        pytest.param((ADAMW,), id="full shard"),
        pytest.param((ADAMW_BF16,), id="full shard, Kahan's AdamW", marks=pytest.mark.slow),
        pytest.param((LORA, ADAMW), id="LoRA, replicated", marks=pytest.mark.slow),
        pytest.param((LORA, FULL, ADAMW), id="LoRA over a sharded base", marks=pytest.mark.slow),
    ],
)
def test_row_69_two_ranks_become_one_and_one_becomes_two(world, replay, tmp_path, args, saving):
    recipe = replay.recipe(*args)
    of_one, of_two = (replay.steps(recipe, num_ranks=num) for num in (1, 2))
    by_one, _ = learn_and_save(recipe, of_one, tmp_path / "by one", saving)
    by_two = world.run(learn_and_save, recipe, of_two, tmp_path / "by two", saving, timeout_s=180)

    assert_equal(go_on(recipe, of_one, tmp_path / "by two")[0], by_two[0][0])
    for found, _ in world.run(go_on, recipe, of_two, tmp_path / "by one"):
        assert_equal(found, by_one)
    for (found, learnt), (wanted, uninterrupted) in zip(
        world.run(go_on, recipe, of_two, tmp_path / "by two"), by_two, strict=True
    ):
        assert_equal(found, wanted)
        assert_equal(learnt.weights, uninterrupted.weights)


@pytest.mark.slow
def test_row_69_a_step_after_the_change_is_the_step_without_it(world, replay, tmp_path):
    recipe = replay.recipe(SGD)
    of_one, of_two = (replay.steps(recipe, num_ranks=num) for num in (1, 2))
    _, alone = learn_and_save(recipe, of_one, tmp_path / "by one", LATER)
    world.run(learn_and_save, recipe, of_two, tmp_path / "by two", LATER)

    found = [go_on(recipe, of_one, tmp_path / "by two")[1]]
    found += [learnt for _, learnt in world.run(go_on, recipe, of_two, tmp_path / "by one")]
    for learnt in found:
        for name, weight in alone.weights.items():
            assert_close(learnt.weights[name], weight)


@pytest.mark.slow
def test_row_69_float32_shards_and_float32_copies_behind_bfloat16_weights_become_each_other(world, replay, tmp_path):
    recipe = replay.recipe(ADAMW, "trainer.dtype=bfloat16")
    of_one, of_two = (replay.steps(recipe, num_ranks=num) for num in (1, 2))
    by_one, _ = learn_and_save(recipe, of_one, tmp_path / "by one", LATER)
    (by_two, _), _ = world.run(learn_and_save, recipe, of_two, tmp_path / "by two", LATER, timeout_s=180)
    names = [name.removesuffix(".master") for name in by_one if name.endswith(".master")]
    assert names
    assert {by_two[f"model.{name}"].dtype for name in names} == {torch.float32}

    one, _ = go_on(recipe, of_one, tmp_path / "by two")
    assert_equal({name: one[f"{name}.master"] for name in names}, {name: by_two[f"model.{name}"] for name in names})
    assert all(torch.equal(one[f"model.{name}"], one[f"{name}.master"].bfloat16()) for name in names)
    (two, _), _ = world.run(go_on, recipe, of_two, tmp_path / "by one")
    assert_equal({name: two[f"model.{name}"] for name in names}, {name: by_one[f"{name}.master"] for name in names})
    for folder in ("by one", "by two"):
        opened = load_adapter(tmp_path / folder / "huggingface", device="cpu", dtype="bfloat16").model
        assert opened.config.dtype == torch.bfloat16
        with safe_open(tmp_path / folder / "huggingface" / "model.safetensors", framework="pt") as file:
            assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}  # noqa: SIM118


@pytest.mark.parametrize("args", [(ADAMW,), (LORA, ADAMW)], ids=["shards", "the same on all ranks"])
def test_row_69_every_number_is_written_once(world, replay, tmp_path, args):
    recipe = replay.recipe(*args)
    learn_and_save(recipe, replay.steps(recipe, num_ranks=1), tmp_path / "by one", NOW)
    world.run(learn_and_save, recipe, replay.steps(recipe, num_ranks=2), tmp_path / "by two", NOW)

    by_one, by_two = num_bytes(tmp_path / "by one"), num_bytes(tmp_path / "by two")
    num_files = len(list((tmp_path / "by two" / "state").glob("*.distcp")))
    # Every piece has a header of about a kilobyte.
    assert num_files == 2
    assert by_one * 0.9 < by_two < by_one * 1.6 if args == (ADAMW,) else by_two < by_one * 1.05


def test_the_huggingface_folder_of_two_ranks_holds_their_weights(world, replay, tmp_path):
    recipe = replay.recipe(ADAMW)
    (saved, _), _ = world.run(learn_and_save, recipe, replay.steps(recipe, num_ranks=2), tmp_path / "by two", LATER)

    opened = load_adapter(tmp_path / "by two" / "huggingface", device="cpu").model
    assert_equal({f"model.{name}": each for name, each in opened.named_parameters()}, model_of(saved, opened))


def model_of(state, model):
    names = [f"model.{name}" for name, _ in model.named_parameters()]
    return {name: state[name] for name in names}


@pytest.mark.parametrize("is_sharded", [True, False], ids=["shards", "plain"])
def test_row_69_a_small_module_is_read_back_at_any_number_of_ranks(world, tmp_path, is_sharded):
    wanted = small_state(1, is_sharded=False)
    world.run(_save, tmp_path / "two", is_sharded)
    save_small(tmp_path / "one", is_sharded=False)

    found = [load_small(tmp_path / "two", is_sharded=False)]
    found += world.run(_load, tmp_path / "one", is_sharded) + world.run(_load, tmp_path / "two", is_sharded)
    for state in found:
        for part, tensors in wanted.items():
            assert tensors.keys() == state[part].keys()
            assert all(torch.equal(state[part][name], each) for name, each in tensors.items())


def test_every_rank_hears_that_the_disk_of_one_refused(world, tmp_path):
    assert world.run(refused_on_rank, 1, tmp_path / "refused") == ["IsADirectoryError"] * 2


def _save(folder, is_sharded):
    save_small(folder, is_sharded=is_sharded)


def _load(folder, is_sharded):
    return load_small(folder, is_sharded=is_sharded)
