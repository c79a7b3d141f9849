"""Rows shared by several ranks give what one rank gives with whole rows. Row 54 of the checklist."""

from pathlib import Path

import pytest
import torch
from small_models import build_family, completions_of, open_family, prompts_of, rollouts_of
from torch import distributed
from world import World

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.config.learning import ActorConfig, AlgorithmConfig, FsdpConfig, OptimConfig
from radrl.engines.actor import PolicyActor
from radrl.engines.balance import divide
from radrl.engines.learner import PolicyLearner
from radrl.engines.mesh import data_rank_of, num_data_ranks, open_sequence
from radrl.engines.ranks import open_parallel
from radrl.errors import ConfigError
from radrl.models.forward import score_completions
from radrl.models.packing import plan
from radrl.models.row_slices import RowSlice, SequenceParallel
from radrl.models.shards import whole
from radrl.models.ulysses import share_rows

CASES = [
    ("qwen2_5_vl", "dense"),
    ("qwen2_5_vl", "varlen"),
    ("qwen3_vl", "dense"),
    pytest.param("qwen3_vl", "varlen", marks=pytest.mark.slow),
    pytest.param("causal_lm", "dense", marks=pytest.mark.slow),
    ("causal_lm", "varlen"),
    pytest.param("gemma3", "dense", marks=pytest.mark.slow),
]


@pytest.fixture(scope="session")
def world_of_four(tmp_path_factory):
    ranks = World(4, tmp_path_factory.mktemp("world"))
    yield ranks
    ranks.stop()


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    folders: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in folders:
            folders[family] = build_family(tmp_path_factory.mktemp("parallel"), family)
        return folders[family]

    return build


def scores_and_gradients(folder: Path, attention: str, *, micro_batch_tokens: int, ulysses_size: int = 1):
    """Log-probabilities, entropies and gradients of a loss that no token's share of is another's."""
    adapter = open_family(folder, attention=attention)
    if ulysses_size > 1:
        share_rows(adapter, open_sequence(ulysses_size=ulysses_size))
    prompts, groups = prompts_of(adapter, folder), completions_of(adapter)
    num_tokens = sum(len(ids) for group in groups for ids in group)
    weights = torch.randn(2, num_tokens, generator=torch.Generator().manual_seed(2))
    logprobs, entropies = torch.full((2, num_tokens), float("nan"))
    micro_batches = plan(
        prompts,
        groups,
        row_tokens=min(71, micro_batch_tokens),
        micro_batch_tokens=micro_batch_tokens,
        is_one_row=attention == "varlen",
    )
    for micro_batch in micro_batches:
        index = list(micro_batch.token_index)
        scores = score_completions(adapter, micro_batch, temperature=0.7, entropy_learns=True)
        loss = (scores.logprobs * weights[0, index]).sum() + (scores.entropy * weights[1, index]).sum()
        # A sequence's mean is in every one of its tokens' gradients.
        (loss + scores.logprobs.mean().exp()).backward()
        logprobs[index], entropies[index] = scores.logprobs.detach(), scores.entropy.detach()
    gradients = {name: each.grad for name, each in adapter.model.named_parameters() if each.grad is not None}
    return logprobs, entropies, gradients, [micro_batch.width for micro_batch in micro_batches]


@pytest.mark.parametrize(("family", "attention"), CASES)
@pytest.mark.parametrize(
    "micro_batch_tokens",
    [pytest.param(71, id="many passes"), pytest.param(400, id="few passes", marks=pytest.mark.slow)],
)
def test_two_ranks_that_share_rows_compute_what_one_does_row_54(
    folder_of, world, family, attention, micro_batch_tokens
):
    folder = folder_of(family)
    logprobs, entropies, gradients, widths = scores_and_gradients(
        folder, attention, micro_batch_tokens=micro_batch_tokens
    )
    first, second = world.run(shared, folder, attention, micro_batch_tokens, 2)

    assert micro_batch_tokens == 400 or any(width % 2 for width in widths)
    for found in (first, second):
        torch.testing.assert_close(found[0], logprobs, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found[1], entropies, atol=1e-5, rtol=1e-5)
    assert first[2].keys() == second[2].keys() == gradients.keys()
    for name, gradient in gradients.items():
        total = first[2][name] + second[2][name]
        assert (total - gradient).abs().max() <= 1e-5 * gradient.abs().max() + 1e-7, name
    assert any(not torch.equal(each, gradients[name]) for name, each in first[2].items()), "one rank did it all"


@pytest.mark.slow
def test_four_ranks_share_two_heads_of_keys_row_54(folder_of, world_of_four):
    folder = folder_of("qwen2_5_vl")
    config = open_family(folder).family.language_model.config
    assert (config.num_attention_heads, config.num_key_value_heads) == (4, 2)
    logprobs, _, gradients, _ = scores_and_gradients(folder, "varlen", micro_batch_tokens=400)
    ranks = world_of_four.run(shared, folder, "varlen", 400, 4)

    torch.testing.assert_close(ranks[3][0], logprobs, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients.items():
        total = sum(rank[2][name] for rank in ranks)
        assert (total - gradient).abs().max() <= 1e-5 * gradient.abs().max() + 1e-7, name


def shared(folder: Path, attention: str, micro_batch_tokens: int, size: int):
    return scores_and_gradients(folder, attention, micro_batch_tokens=micro_batch_tokens, ulysses_size=size)


class _OneOfMany(PolicyLearner):
    """Takes its own part of what every rank is given whole, as a driver would divide it."""

    data_rank = 0
    data_size = 1

    def learn(self, steps, objective, *, epochs):
        own = [divide(step, self.data_size).batches[self.data_rank] for step in steps]
        return super().learn(own, objective, epochs=epochs)


def updated(folder: Path, policy_loss: str, *, mode: str = "auto", ulysses_size: int = 1):
    """Weights and metrics after an update in two steps of plain SGD."""
    adapter = open_family(folder, attention="varlen")
    config = ActorConfig(
        optim=OptimConfig(lr=0.1, strategy="sgd"),
        fsdp=FsdpConfig(mode=mode),
        global_batch_size=2,
        micro_batch_tokens=97,
        max_grad_norm=1e9,
        ulysses_size=ulysses_size,
    )
    algorithm = AlgorithmConfig(policy_loss=policy_loss, correction="truncate")
    learner = _OneOfMany(adapter, config, total_updates=2, parallel=open_parallel(adapter, config))
    if distributed.is_initialized():
        learner.data_rank = data_rank_of(distributed.get_rank(), ulysses_size=ulysses_size)
        learner.data_size = num_data_ranks(distributed.get_world_size(), ulysses_size=ulysses_size)
    batch = assign_credit(pack(rollouts_of(adapter, folder)), algorithm)
    metrics = PolicyActor(learner, config, algorithm).update(batch)
    return {name: whole(each.detach()) for name, each in adapter.model.named_parameters()}, metrics


def updated_by_rank(folder: Path, policy_loss: str, mode: str):
    return updated(folder, policy_loss, mode=mode, ulysses_size=2)


@pytest.mark.parametrize(
    ("policy_loss", "mode"),
    [
        ("clip", "replicate"),
        ("gspo", "full"),
        pytest.param("gspo_token", "replicate", marks=pytest.mark.slow),
        pytest.param("gspo", "replicate", marks=pytest.mark.slow),
        pytest.param("clip", "zero2", marks=pytest.mark.slow),
    ],
)
def test_weights_after_sgd_and_metrics_are_those_of_one_rank_row_54(folder_of, world, policy_loss, mode):
    folder = folder_of("qwen3_vl")
    check_equal(folder, policy_loss, world.run(updated_by_rank, folder, policy_loss, mode))


@pytest.mark.parametrize("mode", ["replicate", "full"])
@pytest.mark.slow
def test_two_pairs_that_share_rows_each_have_a_part_of_every_step_row_54(folder_of, world_of_four, mode):
    folder = folder_of("qwen3_vl")
    check_equal(folder, "gspo", world_of_four.run(updated_by_rank, folder, "gspo", mode))


def check_equal(folder: Path, policy_loss: str, ranks) -> None:
    weights, metrics = updated(folder, policy_loss)
    start = {name: each.detach() for name, each in open_family(folder).model.named_parameters()}

    assert any(not torch.allclose(weights[name], start[name], atol=1e-4) for name in weights)
    for found, found_metrics in ranks:
        for name, weight in weights.items():
            torch.testing.assert_close(found[name], weight, atol=1e-5, rtol=1e-5, msg=name)
        assert found_metrics.keys() == metrics.keys()
        for name in metrics.keys() - {"perf/pack_efficiency"}:
            assert found_metrics[name] == pytest.approx(metrics[name], rel=1e-4, abs=1e-6), name


def test_heads_that_cannot_be_dealt_out_are_refused(folder_of):
    adapter = open_family(folder_of("qwen2_5_vl"))
    with pytest.raises(ConfigError, match="ulysses_size is 3, and the model's 4 attention heads cannot be dealt out"):
        share_rows(adapter, _alone(rank=0, size=3))


def test_positions_that_go_by_the_length_of_a_sequence_are_refused(folder_of):
    adapter = open_family(folder_of("phi4_multimodal"))
    with pytest.raises(ConfigError, match=r"Phi4Multimodal.* chooses its rotary frequencies by the length"):
        share_rows(adapter, _alone(rank=0, size=2))


def test_ranks_that_cannot_be_grouped_are_refused():
    with pytest.raises(ConfigError, match="ulysses_size is 2, and 3 ranks cannot be put in groups of so many"):
        num_data_ranks(3, ulysses_size=2)


def test_neighbours_share_rows():
    assert [data_rank_of(rank, ulysses_size=2) for rank in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rank", "columns", "which", "places"),
    [(0, [10, 11, 12], [0, 2], [2, 3]), (1, [13, 14, 0], [1, 3], [1, 4])],
)
def test_columns_of_rows_of_five_places_on_two_ranks(rank, columns, which, places):
    """Row 54: an odd row is padded. Flat places 2, 4, 5 and 9 are (0, 2), (0, 4), (1, 0) and (1, 4)."""
    own = RowSlice(sequence=_alone(rank=rank, size=2), num_places=5)

    assert own.columns(torch.tensor([[10, 11, 12, 13, 14]]), dim=1).tolist() == [columns]
    found = own.own_places(torch.tensor([2, 4, 5, 9]))
    assert [each.tolist() for each in found] == [which, places]


def test_rows_shorter_than_the_number_of_ranks_leave_some_with_padding_alone():
    own = RowSlice(sequence=_alone(rank=3, size=4), num_places=5)

    assert own.width == 2
    assert own.columns(torch.ones(1, 5), dim=1).tolist() == [[0.0, 0.0]]


def _alone(*, rank: int, size: int) -> SequenceParallel:
    """A place among ranks that exchange nothing."""
    return SequenceParallel(rank=rank, size=size, group=distributed.ProcessGroup(rank, size))
