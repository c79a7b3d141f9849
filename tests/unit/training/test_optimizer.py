"""Spec rows 56 and 57: AdamW in float32, over float32 copies, and in bfloat16 with Kahan's compensation."""

import math

import pytest
import torch
from torch import nn

from radrl.config.learning import OptimConfig
from radrl.engines.checkpoint import Saving, TrainedState
from radrl.engines.kahan import KahanAdamW
from radrl.engines.optimizer import Optimizer
from radrl.engines.parallel import OneProcess
from radrl.errors import ConfigError

NUM_STEPS = 400


class Small(nn.Module):
    """A matrix and a vector."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.matrix = nn.Parameter((0.02 * torch.randn(64, 8, generator=generator)).to(dtype))
        self.vector = nn.Parameter(torch.ones(8, dtype=dtype))


def open_optimizer(module, **settings):
    config = OptimConfig(**{"lr": 1e-6, "weight_decay": 0.0, **settings})
    return Optimizer(module, config, max_grad_norm=1e9, total_steps=1000)


def gradients(module, *, step):
    """A gradient that points the same way most of the time."""
    generator = torch.Generator().manual_seed(step)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.grad = (0.3 + 0.1 * noise).to(parameter.dtype)


def walk(module, optimizer, *, num_steps=NUM_STEPS):
    for step in range(num_steps):
        gradients(module, step=step)
        optimizer.step()


def test_row_56_kahans_compensation_follows_float32_where_plain_bfloat16_stands_still():
    exact, compensated, plain = Small(), Small(torch.bfloat16), Small(torch.bfloat16)
    exact.load_state_dict(plain.state_dict())
    start = exact.matrix.detach().clone()
    walk(exact, open_optimizer(exact))
    rule = open_optimizer(compensated, strategy="adamw_bf16")
    walk(compensated, rule)
    stalling = torch.optim.AdamW(plain.parameters(), lr=1e-6, weight_decay=0.0)
    for step in range(NUM_STEPS):
        gradients(plain, step=step)
        stalling.step()

    moved = float((exact.matrix.detach() - start).mean())
    together = compensated.matrix.detach().float() + rule.tensors()["matrix"]["compensation"].float()
    assert moved == pytest.approx(-NUM_STEPS * 1e-6, rel=0.1)
    assert float((plain.matrix.detach().float() - start).mean()) == pytest.approx(0.0, abs=0.02 * -moved)
    assert float((together - start).mean()) == pytest.approx(moved, rel=0.02)
    assert float((together - exact.matrix.detach()).abs().max()) < 0.1 * -moved
    assert float((compensated.matrix.detach().float() - start).mean()) == pytest.approx(moved, rel=0.1)


def test_a_step_of_kahan_adamw_is_that_of_float32_adamw_and_keeps_what_it_rounds_off():
    weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.bfloat16))
    rule = KahanAdamW([weight], lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1)
    weight.grad = torch.tensor([[0.5, -0.5]], dtype=torch.bfloat16)

    rule.step()

    # The first step of Adam is the rate in the gradient's sign; the decay takes 0.1 * 1e-3 of the weight.
    wanted = torch.tensor([[1 - 1e-3 - 1e-4, -2 + 1e-3 + 2e-4]])
    assert weight.tolist() == [[1.0, -2.0]]
    assert torch.allclose(weight + rule.state[weight]["compensation"].float(), wanted, atol=1e-5)


def test_row_56_bfloat16_weights_learn_on_float32_copies():
    exact, narrow = Small(), Small(torch.bfloat16)
    exact.load_state_dict(narrow.state_dict())
    over_copies, over_weights = open_optimizer(narrow), open_optimizer(exact)
    for step in range(NUM_STEPS):
        gradients(exact, step=step)
        for parameter, wide in zip(narrow.parameters(), exact.parameters(), strict=True):
            wide.grad = wide.grad.to(torch.bfloat16).float()
            (parameter * wide.grad.to(torch.bfloat16)).sum().backward()
            assert parameter.grad is None, "a gradient waits in float32 behind its copy"
        over_copies.step()
        over_weights.step()

    copies = over_copies.tensors()["matrix"]["master"]
    assert torch.equal(copies, exact.matrix)
    assert torch.equal(narrow.matrix, copies.to(torch.bfloat16))


def test_gradients_of_micro_batches_are_added_in_float32_behind_bfloat16_weights():
    module = Small(torch.bfloat16)
    optimizer = open_optimizer(module, lr=1.0)
    for share in (1.0, 2**-9, 2**-9):
        (module.vector * share).sum().backward()

    norm = optimizer.step()["actor/grad_norm"]

    assert norm == pytest.approx((1 + 2**-8) * math.sqrt(8), rel=1e-6)


@pytest.mark.parametrize("strategy", ["adamw", "adamw_bf16"])
def test_matrices_decay_and_vectors_do_not(strategy):
    module = Small()
    matrix, vector = module.matrix.detach().clone(), module.vector.detach().clone()
    optimizer = open_optimizer(module, strategy=strategy, lr=0.1, weight_decay=0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)

    optimizer.step()

    assert torch.allclose(module.matrix, matrix * (1 - 0.1 * 0.5))
    assert torch.equal(module.vector, vector)


@pytest.mark.parametrize("strategy", ["adamw", "adamw_bf16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_row_57_a_gradient_that_is_not_finite_changes_neither_weights_nor_moments(strategy, dtype):
    module = Small(dtype)
    optimizer = open_optimizer(module, strategy=strategy, lr=0.1)
    walk(module, optimizer, num_steps=1)
    before = {name: tensor.clone() for name, tensor in flat(module, optimizer).items()}
    (module.matrix * math.nan).sum().backward()

    metrics = optimizer.step()

    assert metrics["actor/skipped_steps"] == 1.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in flat(module, optimizer).items())


def flat(module, optimizer):
    state = {f"{name}/{key}": t for name, each in optimizer.tensors().items() for key, t in each.items()}
    return {**module.state_dict(), **state}


@pytest.mark.parametrize("strategy", ["adamw", "adamw_bf16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_row_69_a_checkpoint_goes_on_to_the_bit(tmp_path, strategy, dtype):
    straight = Small(dtype)
    rule = open_optimizer(straight, strategy=strategy, lr=1e-3)
    walk_backward(straight, rule, steps=range(3))
    saved(straight, rule).take(tmp_path).write()
    resumed = Small(dtype)
    again = open_optimizer(resumed, strategy=strategy, lr=1e-3)
    saved(resumed, again).load(tmp_path)

    walk_backward(straight, rule, steps=range(3, 6))
    walk_backward(resumed, again, steps=range(3, 6))

    expected = flat(straight, rule)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in flat(resumed, again).items())


def saved(module, optimizer):
    return TrainedState(module, optimizer, parallel=OneProcess(), saving=Saving())


def walk_backward(module, optimizer, *, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        loss = sum((each.float() * torch.randn(each.shape, generator=generator)).sum() for each in module.parameters())
        loss.backward()
        optimizer.step()


def test_weights_that_do_not_learn_are_not_in_a_checkpoint(tmp_path):
    module = Small()
    module.vector.requires_grad_(False)
    optimizer = open_optimizer(module)
    saved(module, optimizer).take(tmp_path).write()
    module.vector.data.fill_(7.0)
    module.matrix.data.fill_(7.0)

    saved(module, optimizer).load(tmp_path)

    assert torch.equal(module.matrix, Small().matrix)
    assert module.vector.unique().tolist() == [7.0]
    assert optimizer.tensors().keys() == {"matrix"}


def test_a_step_refuses_weights_that_began_to_learn_on_the_way():
    module = Small()
    module.vector.requires_grad_(False)
    optimizer = open_optimizer(module)
    module.vector.requires_grad_(True)

    with pytest.raises(ConfigError, match=r"changed which weights learn: 1 began \(vector\) and 0 ceased"):
        optimizer.step()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the moments are on the CPU anyway")
@pytest.mark.parametrize("strategy", ["adamw", "adamw_bf16"])
def test_row_53_moments_wait_on_the_cpu_and_a_step_is_the_same(strategy):
    stays, waits = Small(torch.bfloat16).cuda(), Small(torch.bfloat16).cuda()
    resident, offloaded = (
        open_optimizer(stays, strategy=strategy),
        open_optimizer(waits, strategy=strategy, offload=True),
    )
    walk_on_gpu(stays, resident)
    walk_on_gpu(waits, offloaded)

    assert torch.equal(stays.matrix, waits.matrix)
    assert {tensor.device.type for tensor in offloaded.tensors()["matrix"].values() if tensor.ndim} <= {"cpu", "cuda"}
    assert offloaded.tensors()["matrix"]["exp_avg"].device.type == "cpu"


def walk_on_gpu(module, optimizer):
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for each in module.parameters():
            (each * torch.randn(each.shape, generator=generator).to(each)).sum().backward()
        optimizer.step()
