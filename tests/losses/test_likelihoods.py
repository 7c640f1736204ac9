"""Divergences and log-likelihoods against torch.distributions, against sampling, and at their optima."""

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from nacre.losses.divergences import gaussian_kl
from nacre.losses.likelihoods import bernoulli_nll, gaussian_log_density, gaussian_nll, squared_error


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


def test_squared_error_is_a_sum_over_an_examples_values():
    prediction, x = doubles(3, 2, 4), doubles(3, 2, 4)
    once = squared_error(prediction, x)
    assert torch.allclose(once, torch.stack([(p - v).norm() ** 2 for p, v in zip(prediction, x, strict=True)]))
    assert torch.allclose(squared_error(torch.cat([prediction] * 2, 1), torch.cat([x] * 2, 1)), 2 * once)
