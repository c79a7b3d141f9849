"""Spec row 71: vLLM opens what was exported, and writes what the trained model writes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from vllm_builders import disturb, open_engine

from radrl.config.schema import Config
from radrl.engines.native import NativeSampler
from radrl.engines.parity_probe import trainer_logprobs
from radrl.engines.sync import MergedSync
from radrl.engines.vllm_sampler import VllmSampler
from radrl.export.command import export
from radrl.export.source import Source
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter, save_adapter
from radrl.roles import Sampling
from radrl.types import Prompt

pytestmark = pytest.mark.vllm


class AsOpened(MergedSync):
    """Leaves the engine with the weights that it has read from the folder."""

    def push(self) -> None:
        pass


def test_row_71_vllm_opens_an_exported_folder_and_writes_what_the_trained_model_writes(
    lora_policy: ModelAdapter, config: Config, render: Callable[[ModelAdapter], list[Prompt]], tmp_path: Path
) -> None:
    disturb(lora_policy, deviation=0.1)
    save_adapter(lora_policy, tmp_path / "trained")
    export(Source(folder=tmp_path / "trained"), tmp_path / "out", dtype="float32")

    exported = load_adapter(tmp_path / "out", device="cpu")
    engine = open_engine(exported, config)
    sampler = VllmSampler(exported, engine, AsOpened(exported.model, engine))
    sampler.publish(0)
    greedy = Sampling(n=1, temperature=0.0, max_tokens=20, seed=0)
    prompts = render(lora_policy)
    written = [completion for (completion,) in sampler.generate(prompts, greedy)]
    wanted = [each for (each,) in NativeSampler(lora_policy, max_sequences=8).generate(prompts, greedy)]

    assert [each.token_ids for each in written] == [each.token_ids for each in wanted]
    sampled = torch.tensor([value for each in written for value in each.logprobs])
    torch.testing.assert_close(sampled, trainer_logprobs(lora_policy, written), atol=1e-4, rtol=0)
