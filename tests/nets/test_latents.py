"""Latent distributions against torch.distributions, and gradient estimators against enumeration."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, LogNormal, Normal, OneHotCategorical, kl_divergence

from nacre.nets import latents

HALF = torch.tensor(0.5)


def pair(name: str, h: torch.Tensor):
    """The latents by name with torch's q(z|x) and p(z)."""
    made = latents.make_latents(name, 3, categories=4)
    if name == "categorical":
        logits = h.view(len(h), 3, 4)
        return made, Independent(OneHotCategorical(logits=logits), 1), Independent(
            OneHotCategorical(logits=torch.zeros_like(logits)), 1)  # fmt: skip
    if name == "bernoulli":
        return made, Independent(Bernoulli(logits=h), 1), Independent(Bernoulli(logits=torch.zeros_like(h)), 1)
    mean, logvar = h.chunk(2, dim=1)
    kind = LogNormal if name == "log-normal" else Normal
    return made, Independent(kind(mean, (logvar / 2).exp()), 1), Independent(
        kind(torch.zeros_like(mean), torch.ones_like(mean)), 1)  # fmt: skip


WIDTHS = {"normal": 6, "log-normal": 6, "categorical": 12, "bernoulli": 3}


@pytest.mark.parametrize("name", WIDTHS)
def test_divergence_and_ratio_are_the_distributions(name):
    h = torch.randn(5, WIDTHS[name], dtype=torch.float64)
    made, q, p = pair(name, h)
    z = made.draw_exactly(h)
    assert (made.width, made.size) == (WIDTHS[name], z.shape[1])
    shaped = z.view(5, 3, 4) if name == "categorical" else z
    assert torch.allclose(made.log_ratio(z, h), p.log_prob(shaped) - q.log_prob(shaped))
    assert torch.allclose(made.kl(h).sum(1), kl_divergence(q.base_dist, p.base_dist).flatten(1).sum(1))
    assert made.kl(h).shape == (5, 3)


@pytest.mark.parametrize("name", WIDTHS)
def test_exact_draws_have_the_distributions_mean(name):
    h = torch.randn(1, WIDTHS[name], dtype=torch.float64)
    made, q, p = pair(name, h)
    z = made.draw_exactly(h.expand(40_000, -1))
    error = 5 * z.std(0) / 200
    assert ((z.mean(0) - q.base_dist.mean.flatten()).abs() <= error).all()
    prior = made.prior(40_000, torch.device("cpu"))
    assert ((prior.double().mean(0) - p.base_dist.mean.flatten()).abs() <= 5 * prior.std(0) / 200).all()


def test_the_temperature_falls_by_equal_factors():
    made = latents.Categorical(2, 3, temperature=(1.0, 0.25))
    found = [made.temperature_at(torch.tensor(p)).item() for p in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([1.0, 0.5, 0.25])


def test_relaxed_draws_become_discrete_as_the_temperature_falls():
    h = torch.randn(200, 12)
    for name in ("categorical", "bernoulli"):
        made = latents.make_latents(name, 3, categories=4, temperature=(1.0, 0.01))
        x = h if name == "categorical" else h[:, :3]
        warm, cold = (made.draw(x, torch.tensor(p)) for p in (0.0, 1.0))
        assert (warm - warm.round()).abs().mean() > 10 * (cold - cold.round()).abs().mean()


@pytest.mark.parametrize("options", [{"straight_through": True}, {"rao_blackwell": 3}])
def test_straight_through_draws_are_one_hot_with_the_right_frequencies(options):
    made = latents.Categorical(1, 3, **options)
    h = torch.tensor([[0.0, 1.0, -1.0]]).expand(30_000, 3)
    z = made.draw(h, HALF)
    assert torch.allclose(z.sum(1), torch.ones(30_000)) and torch.allclose(z.max(1).values, torch.ones(30_000))
    assert torch.allclose(z.mean(0), h[0].softmax(0), atol=0.015)


def test_noise_given_the_winner_is_that_of_draws_which_it_won():
    """The mean of conditional noise equals that of plain noise, kept where the same category won."""
    logits = torch.tensor([[[0.5, -0.5, 0.0]]], dtype=torch.float64).log_softmax(-1)
    free = logits + latents.gumbel(logits.expand(400_000, 1, 3))
    for winner in range(3):
        hard = torch.eye(3, dtype=torch.float64)[winner].view(1, 1, 3)
        given = latents.conditional_gumbel(logits, hard, 100_000)
        assert (given.argmax(-1) == winner).all()
        kept = free[free.argmax(-1) == winner]
        assert torch.allclose(given.mean((0, 1, 2)), kept.mean(0), atol=0.03)
        assert torch.allclose(given.std((0, 1, 2)), kept.std(0), atol=0.03)


def gradients(made, cost, h: torch.Tensor, n: int) -> torch.Tensor:
    """Single-draw gradients of E[cost(z)] with respect to h, shape (n, width)."""
    rows = h.expand(n, -1).clone().requires_grad_()
    return torch.autograd.grad(cost(made.draw(rows, torch.tensor(1.0))).sum(), rows)[0]


def test_gradient_estimators_against_enumeration():
    """Of a linear cost the straight-through gradient is right on average only as tau grows; the relaxed one at low tau.

    The exact gradient is that of sum_k q_k c_k. Rao-Blackwellisation leaves the mean of the straight-through estimator
    and lowers its variance.
    """
    h = torch.tensor([[0.3, -0.4, 0.1]], dtype=torch.float64)
    costs = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def cost(z: torch.Tensor) -> torch.Tensor:
        return z @ costs

    probabilities = h[0].softmax(0)
    exact = probabilities * (costs - probabilities @ costs)
    n = 200_000
    relaxed = gradients(latents.Categorical(1, 3, temperature=(0.1, 0.1)), cost, h, n)
    error = 5 * relaxed.std(0) / n**0.5
    assert ((relaxed.mean(0) - exact).abs() < error + 0.02).all()
    plain = gradients(latents.Categorical(1, 3, temperature=(0.5, 0.5), straight_through=True), cost, h, n)
    smooth = gradients(latents.Categorical(1, 3, temperature=(0.5, 0.5), rao_blackwell=20), cost, h, n)
    assert torch.allclose(plain.mean(0), smooth.mean(0), atol=5 * float(plain.std(0).max()) / n**0.5)
    assert smooth.var(0).sum() < 0.6 * plain.var(0).sum()
    cosine = torch.cosine_similarity(plain.mean(0), exact, 0)
    assert cosine > 0.95 and math.isfinite(float(cosine))
