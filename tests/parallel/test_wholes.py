"""Shards are put together many at a time, to what putting them together one by one gives."""

import pytest
import torch
from scenes import merged_in_runs, wholes
from test_equal_to_one_process import FULL, LORA, SGD


@pytest.mark.parametrize("mesh_shape", [(2,), (1, 2), (2, 1)], ids=["a line", "one copy", "two copies"])
def test_tensors_of_every_kind_come_whole_with_one_exchange_a_kind(world, mesh_shape):
    """float32 along rows, bfloat16 along rows; what is divided otherwise is put together by torch, one by one."""
    for together, one_by_one, num_exchanges in world.run(wholes, mesh_shape):
        for number, (found, expected) in enumerate(zip(together, one_by_one, strict=True)):
            assert found.dtype == expected.dtype, number
            assert torch.equal(found, expected), number
        assert num_exchanges == 2


@pytest.mark.parametrize("args", [(SGD,), (LORA, FULL, SGD)], ids=["all weights", "LoRA over a sharded base"])
def test_row_63_merged_weights_do_not_depend_on_how_many_come_at_once(world, replay, args):
    """An adapted weight is merged in float32 with its factors, which always come with it, and rounded once."""
    recipe = replay.recipe(*args)
    alone, _ = merged_in_runs(recipe, 1 << 30)
    one_by_one, of_all = (world.run(merged_in_runs, recipe, at_once) for at_once in (1, 1 << 30))
    for (few, few_sizes), (many, many_sizes) in zip(one_by_one, of_all, strict=True):
        assert max(few_sizes) == (len(("weight", "bias", "A", "B")) if LORA in args else 1)
        assert many_sizes == [sum(few_sizes)]
        assert few.keys() == many.keys() == alone.keys()
        for name, expected in alone.items():
            assert many[name].dtype == torch.bfloat16
            assert torch.equal(few[name], expected), name
            assert torch.equal(many[name], expected), name
