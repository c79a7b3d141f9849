import pytest
import torch

from radrl.models.forward import states_at


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_state_that_many_tokens_share_collects_its_gradient_the_same_to_the_bit_every_time(two_threads):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(1020, 64, generator=generator, requires_grad=True)
    weights = torch.randn(1000, 64, generator=generator)
    sources = torch.full((1000,), 19)

    gradients = []
    for _ in range(200):
        (gradient,) = torch.autograd.grad((states_at(hidden, sources) * weights).sum(), hidden)
        gradients.append(gradient)

    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
    assert torch.allclose(gradients[0][19], weights.sum(0), atol=1e-4)
