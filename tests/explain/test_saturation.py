"""The generator's gradients against closed forms, and against the divergences that they descend."""

import math

import pytest
import torch

from nacre.explain.saturation import (
    GENERATOR_COSTS,
    by_probability,
    divergences,
    expected_pull,
    formulas,
    listened,
    normal_logits,
    sampled_pull,
    slopes,
)

PROBABILITIES = torch.cat([torch.logspace(-6, -0.31, 40), 1 - torch.logspace(-6, -0.31, 40)]).double()


@pytest.mark.parametrize("name", GENERATOR_COSTS)
def test_the_slopes_by_the_logit_are_the_formulas(name):
    logits = torch.logit(PROBABILITIES)
    logits = logits[logits <= 10] if name == "maximum-likelihood" else logits
    assert torch.allclose(slopes(name, logits), formulas(name, logits), rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("minimax", lambda d: -1 / (1 - d)),
        ("non-saturating", lambda d: -1 / d),
        ("maximum-likelihood", lambda d: -1 / (1 - d) ** 2),
    ],
)
def test_the_slopes_by_the_probability_are_the_formulas(name, formula):
    d = PROBABILITIES[torch.logit(PROBABILITIES) <= 10]
    assert torch.allclose(by_probability(name, d), formula(d), rtol=1e-6, atol=0)


def test_beyond_its_bound_the_maximum_likelihood_slope_is_constant():
    assert torch.allclose(
        slopes("maximum-likelihood", torch.tensor([10.5, 13.8]).double()), torch.tensor(-math.exp(10)).double()
    )


@pytest.mark.parametrize("t", [0.3, 1.0, 2.5, 5.0])
def test_under_the_best_discriminator_each_cost_descends_its_divergence(t):
    """2 JSD, KL(q || p) - 2 JSD and KL(p || q): the last pulls with force t, the first two add up to it."""
    above, below, h = divergences(t + 1e-4), divergences(t - 1e-4), 2e-4
    pulls = {name: expected_pull(name, t) for name in GENERATOR_COSTS}
    for name, pull in pulls.items():
        assert math.isclose(pull, (above[name] - below[name]) / h, rel_tol=1e-5), name
    assert math.isclose(pulls["maximum-likelihood"], t, rel_tol=1e-9)
    assert math.isclose(pulls["minimax"] + pulls["non-saturating"], t, rel_tol=1e-9)


def test_batches_see_the_expected_pull_where_the_densities_overlap():
    for name in GENERATOR_COSTS:
        assert math.isclose(sampled_pull(name, 0.5, 1000), expected_pull(name, 0.5), rel_tol=0.02)


def test_far_away_a_batch_hardly_feels_the_maximum_likelihood_pull():
    assert sampled_pull("maximum-likelihood", 5.0, 256) < 0.1 * expected_pull("maximum-likelihood", 5.0)
    assert math.isclose(sampled_pull("non-saturating", 5.0, 256), expected_pull("non-saturating", 5.0), rel_tol=0.02)


def test_the_share_of_samples_listened_to():
    assert math.isclose(listened(torch.full((7,), 3.0)), 1, rel_tol=1e-6)
    assert math.isclose(listened(torch.eye(8)[2]), 1 / 8, rel_tol=1e-6)
    for sd in (0.5, 1.0):  # log-normal weights: E[w]^2 / E[w^2] = exp(-sd^2)
        weights = slopes("maximum-likelihood", normal_logits(-4.0, sd)).abs()
        assert math.isclose(listened(weights), math.exp(-(sd**2)), rel_tol=0.01)
