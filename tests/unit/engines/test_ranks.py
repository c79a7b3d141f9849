"""How weights are held, as far as a single process shows it. Spec rows 52 and 53; the ranks are in `tests/parallel`."""

from contextlib import contextmanager

import pytest
import torch
from builders import a_prompt
from torch import nn

from radrl.config.learning import FsdpConfig, OptimConfig
from radrl.engines.optimizer import Optimizer, clip_gradients
from radrl.engines.parallel import OneProcess, Parallel
from radrl.engines.process_group import take_device
from radrl.engines.ranks import choose_mode
from radrl.engines.sampler import OverResting
from radrl.engines.vllm_sampler import VllmSampler
from radrl.roles import Sampling

ADAPTER = frozenset({"model.layers.0.q_proj.lora_A.default.weight", "model.layers.0.q_proj.lora_B.default.weight"})


@pytest.mark.parametrize(
    ("setting", "learning", "mode", "reason"),
    [
        ("auto", ADAPTER, "replicate", "adapters alone learn"),
        ("auto", ADAPTER | {"lm_head.weight"}, "full", "weights of the model itself learn"),
        ("zero2", ADAPTER, "zero2", "worker.actor.fsdp.mode asks for it"),
    ],
)
def test_row_52_what_learns_decides_how_weights_are_held(setting, learning, mode, reason):
    choice = choose_mode(FsdpConfig(mode=setting), learning)
    assert choice.mode == mode
    assert reason in choice.reason


def test_a_shard_of_no_ranks_is_refused():
    with pytest.raises(ValueError, match="fsdp_size"):
        FsdpConfig(fsdp_size=0)


def test_a_single_rank_holds_all_and_moves_nothing_on_a_cpu():
    module = nn.Linear(2, 2)
    parallel = OneProcess(rests=module)
    assert isinstance(parallel, Parallel)
    with parallel.whole(), parallel.resting():
        assert module.weight.device.type == "cpu"


def test_a_rank_on_the_cpu_needs_no_number():
    assert take_device("cpu", local_rank=5) == torch.device("cpu")


def test_plain_gradient_descent_moves_by_the_rate_times_the_gradient():
    module = nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()
    config = OptimConfig(strategy="sgd", lr=0.5, weight_decay=1.0)
    optimizer = Optimizer(module, config, max_grad_norm=100.0, total_steps=1)
    module(torch.tensor([3.0, -4.0])).sum().backward()
    assert optimizer.step()["actor/grad_norm"] == pytest.approx(5.0)
    torch.testing.assert_close(module.weight.detach(), before - 0.5 * torch.tensor([[3.0, -4.0]]))
    assert optimizer.tensors() == {"weight": {}}


def test_plain_gradient_descent_steps_in_float32_behind_narrower_weights():
    module = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    with torch.no_grad():
        module.weight.fill_(1.0)
    optimizer = Optimizer(module, OptimConfig(strategy="sgd", lr=1e-3), max_grad_norm=100.0, total_steps=8)
    for _ in range(8):
        module(torch.ones(1, dtype=torch.bfloat16)).sum().backward()
        optimizer.step()
    assert float(optimizer.tensors()["weight"]["master"]) == pytest.approx(1 - 8e-3)
    assert float(module.weight.detach()) == pytest.approx(0.9921875), "single steps are below half of the last bit of 1"


def test_gradients_are_clipped_to_their_common_norm():
    weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    assert clip_gradients(weights, most=1.0) == pytest.approx(5.0)
    torch.testing.assert_close(weights[0].grad, torch.tensor([0.6, 0.0]))
    assert clip_gradients(weights[2:], most=1.0) == 0.0


class TellingSampler(VllmSampler):
    """Notes what happens in the place of vLLM."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def restore(self) -> None:
        self._events.append("restored")

    def generate(self, prompts, sampling):
        for _ in prompts:
            self._events.append("written")
            yield ()


class TellingParallel(OneProcess):
    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self._events = events

    @contextmanager
    def resting(self):
        self._events.append("away")
        yield
        self._events.append("back")


def test_row_53_weights_are_back_before_anyone_sees_a_completion():
    """And away only when the engine has what it needs of them."""
    events: list[str] = []
    sampler = OverResting(TellingSampler(events), TellingParallel(events))
    for _ in sampler.generate([a_prompt(0), a_prompt(1)], Sampling(n=1, temperature=1.0, max_tokens=1, seed=0)):
        events.append("seen")  # noqa: PERF401 - the iterator appends too
    assert events == ["restored", "away", "written", "written", "back", "seen", "seen"]
