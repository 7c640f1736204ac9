"""The gradient penalties against critics whose gradient is known."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from nacre.losses.penalties import gradient_penalty, input_gradient, r1

A = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.5, -0.75])


def linear(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1) @ A


@pytest.mark.parametrize("n", [1, 3, 64])
@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
def test_the_penalty_of_a_linear_critic_is_exact_for_every_batch_size(n, shape):
    penalty = gradient_penalty(linear, torch.randn(n, *shape), torch.randn(n, *shape))
    assert torch.allclose(penalty, (A.norm() - 1).square(), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 3, 64])
def test_r1_of_a_linear_critic_is_exact_for_every_batch_size(n):
    assert torch.allclose(r1(linear, torch.randn(n, 1, 2, 3)), A.square().sum(), rtol=1e-6)


def test_a_unit_critic_costs_nothing():
    penalty = gradient_penalty(lambda x: linear(x) / A.norm(), torch.randn(5, 6), torch.randn(5, 6))
    assert penalty < 1e-10


def test_the_norm_is_taken_per_example():
    """The critic |x|^2 / 2 has the gradient x, so that the penalty is the mean of (|x| - 1)^2 over examples."""
    x = torch.randn(10, 2, 3) * torch.linspace(0.1, 3, 10)[:, None, None]
    norms = x.flatten(1).norm(dim=1)
    penalty = gradient_penalty(lambda v: 0.5 * v.flatten(1).square().sum(1), x, x)
    assert torch.allclose(penalty, (norms - 1).square().mean(), rtol=1e-5)
    assert not torch.allclose(penalty, (x.flatten().norm() - 1).square(), rtol=0.1)


def test_the_penalty_looks_uniformly_between_real_and_fake():
    """One u in [0, 1] per example, shared by all its values; for f = |x|^2 / 2 the mean is c^2 / 3 - c + 1."""
    seen = []

    def critic(x):
        seen.append(x)
        return 0.5 * x.flatten(1).square().sum(1)

    n, c = 40_000, 2.0
    real, fake = torch.zeros(n, 2, 2), torch.full((n, 2, 2), c / 2)
    penalty = gradient_penalty(critic, real, fake)
    u = 1 - seen[0].flatten(1) / (c / 2)
    assert torch.allclose(u, u[:, :1].expand_as(u), atol=1e-6)
    assert 0 <= u.min() and u.max() <= 1
    assert abs(u[:, 0].mean() - 0.5) < 4 * (1 / 12 / n) ** 0.5 and abs(u[:, 0].var() - 1 / 12) < 0.002
    assert torch.allclose(penalty, torch.tensor(c**2 / 3 - c + 1), atol=0.01)


def test_r1_of_a_quadratic_critic():
    """For f = x'Qx / 2 + b'x the penalty is the mean of |Qx + b|^2."""
    q, b, x = torch.randn(4, 4), torch.randn(4), torch.randn(9, 4)
    q = q + q.T
    expected = (x @ q + b).square().sum(1).mean()
    assert torch.allclose(r1(lambda v: 0.5 * ((v @ q) * v).sum(1) + v @ b, x), expected, rtol=1e-5)


@pytest.mark.parametrize("penalty", [lambda f, x: gradient_penalty(f, x, x), r1])
def test_a_critic_without_gradient_gives_finite_gradients(penalty):
    critic = nn.Linear(3, 1)
    nn.init.zeros_(critic.weight)
    value = penalty(critic, torch.randn(4, 3))
    value.backward()
    assert value.isfinite() and critic.weight.grad.isfinite().all()


def test_a_critic_without_gradient_costs_one():
    value = gradient_penalty(lambda x: 0 * x.sum(1), torch.randn(4, 3), torch.randn(4, 3))
    assert torch.allclose(value, torch.tensor(1.0), atol=1e-5)


def test_the_penalty_reaches_the_critic_and_not_its_inputs():
    critic = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    real, fake = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    (gradient_penalty(critic, real, fake) + r1(critic, real)).backward()
    assert real.grad is None and fake.grad is None
    assert critic[0].weight.grad.abs().sum() > 0 and critic[2].weight.grad.abs().sum() > 0


def test_gradients_are_float32_under_a_bf16_critic():
    assert input_gradient(lambda x: linear(x).bfloat16(), torch.randn(2, 6)).dtype == torch.float32


@pytest.fixture
def doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("penalty", ["gradient penalty", "r1"])
def test_the_penaltys_gradient_by_the_critic_agrees_with_finite_differences(doubles, penalty):
    torch.manual_seed(3)
    critic = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))
    parameters = {k: 2 * v.detach() for k, v in critic.named_parameters()}
    real, fake = torch.randn(5, 3), torch.randn(5, 3)

    def value(p):
        torch.manual_seed(7)

        def f(x):
            return functional_call(critic, p, (x,))

        return gradient_penalty(f, real, fake) if penalty == "gradient penalty" else r1(f, real)

    leaves = {k: v.clone().requires_grad_() for k, v in parameters.items()}
    found = torch.autograd.grad(value(leaves), list(leaves.values()), allow_unused=True)
    step = 1e-3
    for (key, at), gradient in zip(parameters.items(), found, strict=True):
        for i in range(at.numel()):
            bump = torch.zeros(at.numel())
            bump[i] = step
            bump = bump.view_as(at)
            difference = value({**parameters, key: at + bump}) - value({**parameters, key: at - bump})
            exact = 0.0 if gradient is None else gradient.flatten()[i].item()  # the last bias has no gradient
            assert difference.item() / (2 * step) == pytest.approx(exact, abs=1e-3, rel=1e-3), key
