"""How weights get from the policy to the sampler, and the probe that sees when they do not."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from radrl.config.rollouts import ProbeConfig
from radrl.engines.native import NativeSampler
from radrl.engines.parity_probe import ProbedSampler, trainer_logprobs
from radrl.engines.sync import AdapterSync, Learnt, MergedSync, choose_sync, learnt_by
from radrl.errors import ConfigError, SyncError
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.lora import attach_lora, lora_layers
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import AnswerKind, Prompt, Sample

LORA = Learnt(model_type="qwen2_5_vl", num_adapters=1, rank=16, adapts_outside=False, trains_base=False)
FULL = replace(LORA, num_adapters=0, rank=0, trains_base=True)
SAMPLING = Sampling(n=2, temperature=1.0, max_tokens=8, seed=0, is_for_training=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=["Is there fluid?"], vocab_size=320)


@pytest.fixture
def policy(folder: Path) -> ModelAdapter:
    return load_adapter(folder, device="cpu")


@pytest.fixture
def lora_policy(policy: ModelAdapter) -> ModelAdapter:
    attach_lora(policy.model, targets=r".*language_model.*\.(q_proj|up_proj)", rank=2, alpha=4.0)
    for layer in lora_layers(policy.model).values():
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.3)
    return policy


@pytest.fixture
def prompts(policy: ModelAdapter) -> list[Prompt]:
    sample = Sample(
        id="s1",
        patient_id="p1",
        kind="open",
        question="Is there fluid?",
        answer=frozenset(),
        answer_kind=AnswerKind.SET,
        reference="yes",
    )
    return [policy.render(sample)]


class Receiver:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.weights: dict[str, Tensor] = {}
        self.adapters: list[dict[str, Tensor]] = []
        self.folders: list[Path] = []

    def load_weights(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        self.weights = {name: tensor.clone() for name, tensor in tensors}

    def load_adapter(self, folder: Path) -> None:
        self.folders.append(folder)
        self.adapters.append(load_file(folder / "adapter_model.safetensors"))


@pytest.mark.parametrize(
    ("learnt", "kind", "reason"),
    [
        (LORA, "adapter", "all that learns"),
        (FULL, "merged", "no adapter"),
        (replace(LORA, trains_base=True), "merged", "beside the adapter"),
        (replace(LORA, num_adapters=2), "merged", "2 adapters"),
        (replace(LORA, adapts_outside=True), "merged", "outside the decoder"),
    ],
)
def test_vllm_gets_weights_the_cheapest_way_that_delivers_all_row_63(learnt: Learnt, kind: str, reason: str) -> None:
    choice = choose_sync("vllm", "auto", learnt)
    assert choice.kind == kind
    assert reason in choice.reason


def test_the_native_sampler_shares_weights_whatever_learns() -> None:
    assert choose_sync("native", "auto", replace(FULL, model_type="phi4_multimodal")).kind == "shared"


def test_merging_can_be_asked_for_and_losing_weights_cannot() -> None:
    assert choose_sync("vllm", "merged", LORA).kind == "merged"
    with pytest.raises(ConfigError, match="the policy has no adapter"):
        choose_sync("vllm", "adapter", FULL)


def test_a_model_that_vllm_has_under_other_names_is_refused() -> None:
    with pytest.raises(ConfigError, match="'phi4_multimodal' model"):
        choose_sync("vllm", "auto", replace(LORA, model_type="phi4_multimodal"))


def test_what_learns_is_read_off_the_policy(policy: ModelAdapter) -> None:
    decoder = policy.family.language_model
    assert learnt_by(policy.model, decoder=decoder) == replace(FULL, rank=0)
    attach_lora(policy.model, targets=r".*language_model.*\.q_proj", rank=4, alpha=8.0)
    assert learnt_by(policy.model, decoder=decoder) == replace(LORA, rank=4)


def test_an_adapter_in_the_image_encoder_is_outside_the_decoder(policy: ModelAdapter) -> None:
    attach_lora(policy.model, targets=r".*visual.*\.(up_proj|down_proj)", rank=2, alpha=4.0)
    assert learnt_by(policy.model, decoder=policy.family.language_model).adapts_outside


def test_merged_tensors_carry_checkpoint_names_and_leave_the_policy_alone_row_63(
    lora_policy: ModelAdapter, folder: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in lora_policy.model.state_dict().items()}
    receiver, saved = Receiver(), load_file(folder / "model.safetensors")
    MergedSync(lora_policy.model, receiver).push()
    assert receiver.weights.keys() == saved.keys()
    for name, tensor in saved.items():
        if "q_proj.weight" in name or (name.endswith("layers.0.mlp.up_proj.weight") and "visual" not in name):
            assert not receiver.weights[name].equal(tensor), name
        elif "up_proj" not in name:
            assert receiver.weights[name].equal(tensor), name
    assert all(tensor.equal(before[name]) for name, tensor in lora_policy.model.state_dict().items())


def test_a_merged_tensor_is_the_weight_and_the_scaled_product(lora_policy: ModelAdapter) -> None:
    receiver = Receiver()
    MergedSync(lora_policy.model, receiver).push()
    layer = lora_layers(lora_policy.model)["model.language_model.layers.0.self_attn.q_proj"]
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    expected = layer.get_base_layer().weight + 2.0 * (up @ down)
    torch.testing.assert_close(receiver.weights["model.layers.0.self_attn.q_proj.weight"], expected)


def test_tensors_that_an_engine_fuses_follow_each_other(policy: ModelAdapter) -> None:
    names = [name for name, _ in MergedSync(policy.model, Receiver()).tensors()]
    for fused in (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")):
        places = [place for place, name in enumerate(names) if ".layers.1." in name and any(f in name for f in fused)]
        assert places == list(range(places[0], places[0] + len(places)))


def test_an_adapter_goes_as_a_whole_folder_and_the_last_one_is_removed(
    lora_policy: ModelAdapter, tmp_path: Path
) -> None:
    receiver = Receiver()
    sync = AdapterSync(lora_policy.model, receiver, root=tmp_path)
    sync.push()
    layer = next(iter(lora_layers(lora_policy.model).values()))
    with torch.no_grad():
        layer.lora_B["default"].weight.add_(1.0)
    sync.push()
    first, second = receiver.adapters
    changed = [name for name in first if not first[name].equal(second[name])]
    assert len(changed) == 1
    assert changed[0].endswith("lora_B.weight")
    assert list(receiver.folders[1].parent.iterdir()) == [receiver.folders[1]]


class Copying:
    """A native sampler over weights of its own, which publishing copies, or not."""

    def __init__(self, policy: ModelAdapter, *, copies: bool) -> None:
        self.policy = policy
        self.own = load_adapter(policy.model.name_or_path, device="cpu")
        self.copies = copies
        self.sampler = NativeSampler(self.own, max_sequences=8)
        self.generate = self.sampler.generate

    def publish(self, version: int) -> None:
        if self.copies:
            self.own.model.load_state_dict(self.policy.model.state_dict())
        self.sampler.publish(version)


def probed(policy: ModelAdapter, *, copies: bool, **settings: object) -> ProbedSampler:
    config = ProbeConfig.model_validate(settings)
    return ProbedSampler(
        Copying(policy, copies=copies),
        partial(trainer_logprobs, policy),
        config,
        sync="copied weights",
        dtype=torch.float32,
    )


def update(policy: ModelAdapter) -> None:
    """Change all weights, as a large step would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


def test_a_sync_that_skips_the_copy_is_named_by_the_probe_row_63(policy: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = probed(policy, copies=False)
    sampler.publish(0)
    list(sampler.generate(prompts, SAMPLING))
    update(policy)
    sampler.publish(1)
    with pytest.raises(SyncError, match=r"of version 1, which went to the sampler as copied weights"):
        list(sampler.generate(prompts, SAMPLING))


def test_a_sync_that_copies_passes_and_says_how_close_it_was(policy: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = probed(policy, copies=True)
    update(policy)
    sampler.publish(1)
    list(sampler.generate(prompts, SAMPLING))
    metrics = sampler.take({})
    assert metrics["mismatch/probe_mean_abs"] < 1e-5
    assert metrics["mismatch/probe_tokens"] >= 1
    assert sampler.take({}) == {}


def test_the_first_syncs_are_probed_and_then_every_so_many(policy: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = probed(policy, copies=True, first=2, every=4)
    probes: list[int] = []
    for version in range(10):
        sampler.publish(version)
        for _ in range(2):
            list(sampler.generate(prompts, SAMPLING))
            if sampler.take({}):
                probes.append(version)
    assert probes == [0, 1, 4, 8]


def test_a_resumed_run_is_probed_at_once_and_logs_what_an_uninterrupted_one_does(
    policy: ModelAdapter, prompts: list[Prompt]
) -> None:
    resumed = probed(policy, copies=True, first=2, every=4)
    resumed.publish(5)
    list(resumed.generate(prompts, SAMPLING))
    assert resumed.take({}) == {}
    stale = probed(policy, copies=False, first=2, every=4)
    update(policy)
    stale.publish(5)
    with pytest.raises(SyncError, match="of version 5"):
        list(stale.generate(prompts, SAMPLING))


def test_validation_leaves_the_probe_to_the_rollouts_that_are_learnt_from(
    policy: ModelAdapter, prompts: list[Prompt]
) -> None:
    sampler = probed(policy, copies=True)
    sampler.publish(1)
    list(sampler.generate(prompts, replace(SAMPLING, is_for_training=False)))
    assert sampler.take({}) == {}
    list(sampler.generate(prompts, SAMPLING))
    assert sampler.take({}).keys() >= {"mismatch/probe_mean_abs"}


def test_row_62_rollouts_written_while_the_policy_learns_are_not_compared_with_its_weights(
    policy: ModelAdapter, prompts: list[Prompt]
) -> None:
    sampler = probed(policy, copies=True)
    sampler.publish(1)
    update(policy)
    list(sampler.generate(prompts, replace(SAMPLING, is_beside=True)))
    assert sampler.take({}) == {}


def test_probes_can_be_left_out(policy: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = probed(policy, copies=False, first=0, every=0)
    update(policy)
    sampler.publish(1)
    assert len(list(sampler.generate(prompts, SAMPLING))) == 1


def test_log_probabilities_that_are_no_numbers_are_an_error(policy: ModelAdapter, prompts: list[Prompt]) -> None:
    sampler = probed(policy, copies=True)
    with torch.no_grad():
        policy.family.head_weight.fill_(float("nan"))
    with pytest.raises(SyncError, match="differ by nan"):
        sampler._compare(next(NativeSampler(sampler._sampler.own, max_sequences=8).generate(prompts, SAMPLING)))  # pyright: ignore[reportAttributeAccessIssue]
