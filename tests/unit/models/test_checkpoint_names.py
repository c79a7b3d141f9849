"""Names of weights in models and in their checkpoints."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from radrl.models.adapter import ModelAdapter
from radrl.models.checkpoint_names import checkpoint_names
from radrl.models.lora import attach_lora, merged_tensors, save_merged
from radrl.models.tiny.build import MAKERS


def written_names(folder: Path) -> set[str]:
    names: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            names |= set(tensors.keys())
    return names


@pytest.mark.parametrize("family", MAKERS)
def test_names_are_those_that_the_checkpoint_has_row_63(
    open_family: Callable[..., ModelAdapter], folder_of: Callable[[str], Path], family: str, tmp_path: Path
) -> None:
    adapter = open_family(family)
    names = checkpoint_names(adapter.model)
    assert set(names.in_checkpoint.values()) == written_names(folder_of(family))
    save_merged(adapter.model, tmp_path / "again")
    assert set(names.in_checkpoint.values()) == written_names(tmp_path / "again")


@pytest.mark.parametrize("family", MAKERS)
def test_every_weight_has_a_name_both_ways(open_family: Callable[..., ModelAdapter], family: str) -> None:
    model = open_family(family).model
    names = checkpoint_names(model)
    assert names.in_checkpoint.keys() | names.tied == dict(merged_tensors(model)).keys()
    assert not names.in_checkpoint.keys() & names.tied
    assert {names.in_model[written] for written in names.in_checkpoint.values()} == names.in_checkpoint.keys()


@pytest.mark.parametrize("family", MAKERS)
def test_tensors_are_where_their_names_say(
    open_family: Callable[..., ModelAdapter], folder_of: Callable[[str], Path], family: str
) -> None:
    model = open_family(family).model
    state = {name.replace(".base_layer.", "."): tensor for name, tensor in model.state_dict().items()}
    names = checkpoint_names(model).in_model
    for file in folder_of(family).glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            for written in tensors.keys():  # noqa: SIM118 - not a dictionary
                assert tensors.get_tensor(written).equal(state[names[written]]), written


def test_an_attached_adapter_changes_no_name(open_family: Callable[..., ModelAdapter]) -> None:
    adapter = open_family("qwen2_5_vl")
    before = checkpoint_names(adapter.model)
    attach_lora(adapter.model, targets=r".*language_model.*\.(q_proj|up_proj)", rank=2, alpha=4.0)
    assert checkpoint_names(adapter.model) == before


def test_qwens_language_model_is_called_otherwise_in_its_checkpoint(open_family: Callable[..., ModelAdapter]) -> None:
    names = checkpoint_names(open_family("qwen2_5_vl").model)
    assert names.in_checkpoint["model.language_model.norm.weight"] == "model.norm.weight"
    assert names.in_checkpoint["model.visual.merger.ln_q.weight"] == "visual.merger.ln_q.weight"
    assert names.tied == {"lm_head.weight"}
