"""Divergences and log-likelihoods against torch.distributions, against sampling, and at their optima."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal, kl_divergence

from nacre.losses.divergences import gaussian_kl, geometric_js_terms, mmd
from nacre.losses.likelihoods import (
    bernoulli_nll,
    continuous_bernoulli_mean,
    continuous_bernoulli_nll,
    discretised_logistic_nll,
    gaussian_log_density,
    gaussian_nll,
    mixture_log_density,
    squared_error,
)


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_gaussian_kl_is_the_distributions():
    mean, logvar = doubles(5, 3), doubles(5, 3)
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(gaussian_kl(mean, logvar), expected, rtol=1e-12)


def test_gaussian_kl_is_the_mean_log_ratio_of_samples():
    mean, logvar = doubles(1, 3), doubles(1, 3)
    z = mean + (logvar / 2).exp() * doubles(200_000, 3)
    ratio = gaussian_log_density(z, mean, logvar) - gaussian_log_density(z)
    error = (ratio.mean() - gaussian_kl(mean, logvar)[0]).abs()
    assert error < 4 * ratio.std() / 200_000**0.5


def test_gaussian_kl_is_zero_at_the_prior_only():
    zeros = torch.zeros(1, 4)
    assert gaussian_kl(zeros, zeros) == 0
    for mean, logvar in [(zeros + 0.1, zeros), (zeros, zeros + 0.1), (zeros, zeros - 0.1)]:
        assert gaussian_kl(mean, logvar) > 0


def test_bernoulli_nll_is_the_distributions_sum_over_values():
    logits, x = doubles(4, 1, 3, 5), (doubles(4, 1, 3, 5) > 0).double()
    expected = -Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    assert torch.allclose(bernoulli_nll(logits, x), expected, rtol=1e-12)


def test_bernoulli_nll_of_a_grey_value_is_the_expectation_over_its_draws():
    logits, x = doubles(6, 1), torch.rand(6, 1, dtype=torch.float64)
    ones, zeros = bernoulli_nll(logits, torch.ones_like(x)), bernoulli_nll(logits, torch.zeros_like(x))
    assert torch.allclose(bernoulli_nll(logits, x), x[:, 0] * ones + (1 - x[:, 0]) * zeros, rtol=1e-12)


def test_bernoulli_nll_is_least_at_the_values_own_log_odds():
    x = torch.rand(3, 4, dtype=torch.float64)
    logits = x.logit().requires_grad_()
    (gradient,) = torch.autograd.grad(bernoulli_nll(logits, x).sum(), logits)
    assert gradient.abs().max() < 1e-12


def test_bernoulli_nll_is_finite_at_sure_logits():
    for logit in (-1e4, 1e4):
        value = bernoulli_nll(torch.full((1, 2), logit), torch.tensor([[0.0, 1.0]]))
        assert value == pytest.approx(1e4)


def test_gaussian_nll_is_the_distributions_sum_over_values():
    mean, x = doubles(4, 2, 3), doubles(4, 2, 3)
    for logvar in (doubles(4, 2, 3), doubles(())):
        expected = -Normal(mean, (logvar / 2).exp()).log_prob(x).sum((1, 2))
        assert torch.allclose(gaussian_nll(mean, logvar, x), expected, rtol=1e-12)


def test_the_best_shared_variance_is_the_mean_squared_error():
    mean, x = doubles(8, 5), doubles(8, 5)
    logvar = (x - mean).square().mean().log().requires_grad_()
    best = gaussian_nll(mean, logvar, x).mean()
    (gradient,) = torch.autograd.grad(best, logvar)
    assert gradient.abs() < 1e-12
    assert gaussian_nll(mean, logvar + 0.1, x).mean() > best < gaussian_nll(mean, logvar - 0.1, x).mean()


def test_gaussian_log_density_is_the_distributions_over_the_last_dimension():
    x, mean, logvar = doubles(2, 7, 3), doubles(7, 3), doubles(3)
    expected = Normal(mean, (logvar / 2).exp()).log_prob(x).sum(-1)
    assert torch.allclose(gaussian_log_density(x, mean, logvar), expected, rtol=1e-12)
    assert torch.allclose(gaussian_log_density(x), Normal(0.0, 1.0).log_prob(x).sum(-1), rtol=1e-6)


def test_mixture_log_density_is_the_mean_of_its_components_densities():
    x, mean, logvar = doubles(9, 3), doubles(4, 3), doubles(4, 3)
    each = gaussian_log_density(x[:, None], mean, logvar)  # (9, 4)
    assert torch.allclose(mixture_log_density(x, mean, logvar), each.exp().mean(1).log(), rtol=1e-9)


def test_narrow_components_survive_single_precision_and_autocast():
    mean = 3 * torch.randn(50, 40)
    x, logvar = mean + 0.01 * torch.randn(50, 40), torch.full((50, 40), 2 * math.log(0.01))
    with torch.autocast("cpu", torch.bfloat16):
        found = mixture_log_density(x, mean, logvar)
    assert found.dtype == torch.float32
    assert torch.allclose(found, gaussian_log_density(x, mean, logvar) - math.log(50), atol=1e-3)


def test_squared_error_is_a_sum_over_an_examples_values():
    prediction, x = doubles(3, 2, 4), doubles(3, 2, 4)
    once = squared_error(prediction, x)
    assert torch.allclose(once, torch.stack([(p - v).norm() ** 2 for p, v in zip(prediction, x, strict=True)]))
    assert torch.allclose(squared_error(torch.cat([prediction] * 2, 1), torch.cat([x] * 2, 1)), 2 * once)


def test_geometric_js_by_integration():
    """(1 - a) KL(q || g) + a KL(p || g) with g ~ q^a p^(1 - a), summed over a fine grid."""
    grid = torch.linspace(-15, 15, 60_001, dtype=torch.float64)
    mean, logvar = torch.tensor([[0.7]]).double(), torch.tensor([[-0.9]]).double()
    log_q, log_p = Normal(mean[0], (logvar[0] / 2).exp()).log_prob(grid), Normal(0.0, 1.0).log_prob(grid)
    for skew in (0.0, 0.3, 0.5, 1.0):
        log_g = skew * log_q + (1 - skew) * log_p
        log_g = log_g - torch.logsumexp(log_g, 0) - (grid[1] - grid[0]).log()
        from_q, from_p = ((log.exp() * (log - log_g)).sum() * (grid[1] - grid[0]) for log in (log_q, log_p))
        expected = (1 - skew) * from_q + skew * from_p
        assert geometric_js_terms(mean, logvar, skew).item() == pytest.approx(expected.item(), abs=1e-8)


def test_mmd_is_unbiased_and_sees_a_shift():
    values = torch.stack([mmd(doubles(20, 3), doubles(20, 3)) for _ in range(800)])
    assert values.mean().abs() < 4 * values.std() / 800**0.5
    assert mmd(doubles(200, 3), doubles(200, 3) + 1) > 5 * values.std()


def test_mmd_by_its_formula():
    x, y = doubles(4, 2), doubles(3, 2)

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return 4 / (4 + (a - b).square().sum())

    within_x = sum(kernel(x[i], x[j]) for i in range(4) for j in range(4) if i != j) / 12
    within_y = sum(kernel(y[i], y[j]) for i in range(3) for j in range(3) if i != j) / 6
    across = sum(kernel(a, b) for a in x for b in y) / 12
    expected = within_x + within_y - 2 * across
    assert torch.allclose(mmd(x, y, scales=(1.0,)), torch.as_tensor(expected), rtol=1e-10)


def test_continuous_bernoulli_is_the_distributions():
    logits = torch.cat([doubles(50) * 3, torch.tensor([0.0, 1e-4, -1e-3, 0.0999, 0.1001]).double()])[:, None]
    x = torch.rand_like(logits)
    expected = ContinuousBernoulli(logits=logits, lims=(0.4999, 0.5001))
    assert torch.allclose(continuous_bernoulli_nll(logits, x), -expected.log_prob(x).sum(1), atol=1e-7)
    assert torch.allclose(continuous_bernoulli_mean(logits), expected.mean, atol=1e-6)
    zero = torch.zeros(1, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(continuous_bernoulli_nll(zero, torch.full((1, 1), 0.3)).sum(), zero)
    assert gradient.item() == pytest.approx(0.2)  # the mean, 1/2, minus x


def test_discretised_logistic_sums_to_one_and_is_a_difference_of_cdfs():
    levels = (torch.arange(256).double() / 255)[:, None]
    for mean, logscale in ((0.3, -2.0), (0.99, -4.0), (0.5, 1.0)):
        nll = discretised_logistic_nll(torch.tensor([[mean]]).double(), torch.tensor(logscale).double(), levels)
        p = (-nll).exp()
        assert p.sum().item() == pytest.approx(1.0, abs=1e-10)
        edges = (torch.arange(1, 256).double() - 0.5) / 255
        cdf = torch.cat([torch.zeros(1), ((edges - mean) / math.exp(logscale)).sigmoid(), torch.ones(1)])
        assert torch.allclose(p, cdf.diff(), atol=1e-9)
    far = discretised_logistic_nll(torch.zeros(1, 1), torch.tensor(-7.0), torch.full((1, 1), 0.9))
    assert torch.isfinite(far).all()
