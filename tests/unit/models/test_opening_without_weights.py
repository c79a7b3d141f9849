"""Models opened on the meta device: all that the driver, and ranks that receive their weights, have to know of them."""

import pytest
import torch

from radrl.config.learning import LoraConfig, ModelConfig
from radrl.models.freezing import prepare_training, trained_names
from radrl.models.tiny.build import MAKERS


def shapes(adapter):
    return {
        name: (tuple(each.shape), each.dtype) for name, each in adapter.model.named_parameters(remove_duplicate=False)
    }


@pytest.mark.parametrize("family", MAKERS)
def test_a_model_without_its_weights_has_their_names_shapes_and_types(family, open_family):
    whole, empty = open_family(family, dtype="bfloat16"), open_family(family, dtype="bfloat16", weights=False)
    assert shapes(empty) == shapes(whole)
    base = [each for name, each in empty.model.named_parameters() if ".lora_" not in name]
    assert all(each.is_meta for each in base)
    assert len(list(empty.model.parameters())) == len(list(whole.model.parameters())), "the same are tied"
    assert [name for name, _ in empty.model.named_buffers()] == [name for name, _ in whole.model.named_buffers()]


@pytest.mark.parametrize("family", MAKERS)
def test_it_renders_prompts_and_ends_completions_as_the_whole_one(family, open_family, ask):
    whole, empty = open_family(family), open_family(family, weights=False)
    sample = ask("Is there an effusion?") if family == "causal_lm" else ask("<image> Is there one?", num_images=1)
    assert empty.render(sample) == whole.render(sample)
    assert empty.eos_ids == whole.eos_ids
    assert empty.banned_ids == whole.banned_ids
    assert empty.device == torch.device("cpu")


def test_an_adapter_is_attached_to_weights_that_are_not_there(open_family):
    adapter = open_family("qwen2_5_vl", weights=False)
    prepare_training(adapter, ModelConfig(lora=LoraConfig(rank=4)), seed=0)
    assert len(trained_names(adapter.model)) == 2 * 7 * 2, "two factors, seven layers in each of two"


def test_a_folder_of_adapters_is_opened_without_the_weights_of_its_base(open_family, tmp_path, folder_of):
    from radrl.models.load import load_adapter, save_adapter

    adapter = open_family("qwen2_5_vl")
    prepare_training(adapter, ModelConfig(lora=LoraConfig(rank=4)), seed=0)
    save_adapter(adapter, tmp_path / "trained")
    empty = load_adapter(tmp_path / "trained", device="cpu", weights=False)
    assert shapes(empty) == shapes(adapter)


def test_weights_may_stay_in_host_memory_while_images_are_read_for_the_device(open_family):
    adapter = open_family("qwen2_5_vl", on_host=True)
    assert adapter.model.device == torch.device("cpu")
