"""The adversarial costs against their formulas, and their limits where the discriminator is sure."""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from nacre.losses.adversarial import (
    GAMES,
    GENERATOR_COSTS,
    discriminator_cost,
    maximum_likelihood,
    minimax,
    non_saturating,
    wasserstein_critic,
    wasserstein_generator,
)

SURE = torch.tensor([-1e4, -100.0, -20.0, 0.0, 20.0, 100.0, 1e4])


def gradient(cost, logits):
    leaf = logits.clone().requires_grad_()
    (result,) = torch.autograd.grad(cost(leaf), leaf)
    return result


def logits(n: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def quantiles(law: Normal, n: int = 100_000) -> torch.Tensor:
    """Nodes whose plain mean is the expectation under `law`, up to O(1 / n)."""
    return law.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def gaussian(mean: float, sd: float) -> Normal:
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(sd, dtype=torch.float64))


def test_the_discriminators_cost_is_the_sum_of_two_cross_entropies():
    real, fake = logits(7), logits(11, 1)
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    assert torch.allclose(discriminator_cost(real, fake), -d_real.log().mean() - (1 - d_fake).log().mean(), rtol=1e-12)


def test_the_discriminators_gradient_is_its_error():
    real, fake = logits(7), logits(11, 1)
    assert torch.allclose(gradient(lambda x: discriminator_cost(x, fake), real), -torch.sigmoid(-real) / 7, rtol=1e-12)
    assert torch.allclose(gradient(lambda x: discriminator_cost(real, x), fake), torch.sigmoid(fake) / 11, rtol=1e-12)


def test_the_optimal_discriminator_costs_log_4_minus_twice_the_jensen_shannon_divergence():
    p, q = gaussian(0.0, 1.0), gaussian(1.5, 0.7)
    grid = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
    log_p, log_q = p.log_prob(grid), q.log_prob(grid)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    integrand = 0.5 * log_p.exp() * (log_p - log_m) + 0.5 * log_q.exp() * (log_q - log_m)
    jsd = torch.trapezoid(integrand, grid)
    assert 0.1 < jsd < math.log(2)

    x, y = quantiles(p), quantiles(q)
    cost = discriminator_cost(p.log_prob(x) - q.log_prob(x), p.log_prob(y) - q.log_prob(y))
    assert torch.allclose(cost, math.log(4) - 2 * jsd, atol=1e-5)
    for worse in (lambda v: 0.1 * v.sin(), lambda v: -0.1 * v, lambda v: 0 * v + 0.1):
        other = discriminator_cost(p.log_prob(x) - q.log_prob(x) + worse(x), p.log_prob(y) - q.log_prob(y) + worse(y))
        assert other > cost + 1e-4


def test_equal_distributions_cost_log_4():
    assert torch.allclose(discriminator_cost(torch.zeros(3), torch.zeros(5)), torch.tensor(4.0).log())


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("minimax", lambda d: (1 - d).log(), lambda x: -torch.sigmoid(x)),
        ("non-saturating", lambda d: -d.log(), lambda x: -torch.sigmoid(-x)),
        ("maximum-likelihood", lambda d: -d / (1 - d), lambda x: -x.exp()),
    ],
)
def test_a_generators_cost_and_gradient_are_the_papers(name, value, slope):
    cost, fake = GENERATOR_COSTS[name], logits(9).clamp(-9, 9)
    assert torch.allclose(cost(fake), value(torch.sigmoid(fake)).mean(), rtol=1e-9)
    assert torch.allclose(gradient(cost, fake), slope(fake) / 9, rtol=1e-12)


def test_every_cost_falls_as_the_fakes_look_more_real():
    for cost in GENERATOR_COSTS.values():
        assert (gradient(cost, logits(50)) < 0).all()


@pytest.mark.parametrize("name", GENERATOR_COSTS)
def test_a_generators_cost_is_finite_however_sure_the_discriminator_is(name):
    for logit in SURE:
        assert GENERATOR_COSTS[name](logit).isfinite() and gradient(GENERATOR_COSTS[name], logit).isfinite()


def test_the_discriminators_cost_is_finite_however_sure_it_is():
    for real in SURE:
        for fake in SURE:
            assert discriminator_cost(real, fake).isfinite()
            assert gradient(lambda x, fake=fake: discriminator_cost(x, fake), real).isfinite()
            assert gradient(lambda x, real=real: discriminator_cost(real, x), fake).isfinite()


def test_sure_logits_keep_their_exact_cost():
    """Where a probability would round to 0 or 1, the logit's cost is the logit itself."""
    assert non_saturating(torch.tensor(-100.0)) == 100 and minimax(torch.tensor(100.0)) == -100
    assert torch.allclose(minimax(torch.tensor(-20.0)), logsigmoid(torch.tensor(20.0)))


def test_only_the_minimax_gradient_vanishes_where_the_discriminator_rejects():
    rejected = torch.tensor([-20.0])
    assert gradient(minimax, rejected).abs() < 1e-8
    assert torch.allclose(gradient(non_saturating, rejected), torch.tensor([-1.0]))


def test_maximum_likelihood_goes_on_as_its_tangent_beyond_the_bound():
    far = torch.tensor([2.0, 3.0, 8.0], dtype=torch.float64)
    expected = -(math.exp(2) * torch.tensor([1.0, 2.0, 7.0], dtype=torch.float64)).mean()
    assert torch.allclose(maximum_likelihood(far, bound=2.0), expected)
    assert torch.allclose(
        gradient(lambda x: maximum_likelihood(x, bound=2.0), far), torch.tensor(-math.exp(2) / 3).double()
    )


def test_maximum_likelihood_cost_has_the_likelihoods_gradient_under_the_optimal_discriminator():
    """For x = mu + 1.2 e and data N(1, 0.8^2) both gradients by mu are -(1 - mu) / 1.2^2; the other costs' are not."""
    p, mu, sd = gaussian(1.0, 0.8), torch.tensor(0.3, dtype=torch.float64, requires_grad=True), 1.2
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    likelihood = -torch.trapezoid(p.log_prob(grid).exp() * Normal(mu, sd).log_prob(grid), grid)
    (expected,) = torch.autograd.grad(likelihood, mu)
    assert torch.allclose(expected, torch.tensor(-(1.0 - 0.3) / sd**2).double(), rtol=1e-6)

    fixed = gaussian(0.3, sd)
    noise = quantiles(gaussian(0.0, 1.0))
    found = {}
    for name, cost in GENERATOR_COSTS.items():
        x = mu + sd * noise
        (found[name],) = torch.autograd.grad(cost(p.log_prob(x) - fixed.log_prob(x)), mu)
    assert torch.allclose(found["maximum-likelihood"], expected, rtol=1e-3)
    assert not torch.allclose(found["minimax"], expected, rtol=0.1)
    assert not torch.allclose(found["non-saturating"], expected, rtol=0.1)


def test_wasserstein_costs_of_a_linear_critic():
    a = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    real, fake = torch.randn(4, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    assert torch.allclose(wasserstein_critic(real @ a, fake @ a), a @ (fake.mean(0) - real.mean(0)))
    assert torch.allclose(wasserstein_generator(fake @ a), -a @ fake.mean(0))


def test_the_critics_cost_of_a_shift_is_minus_its_length():
    """W1 between x and x + t is |t|, which the 1-Lipschitz critic -t'x / |t| attains."""
    x, shift = torch.randn(50, 2, dtype=torch.float64), torch.tensor([3.0, 4.0], dtype=torch.float64)
    critic = -shift / shift.norm()
    assert torch.allclose(wasserstein_critic(x @ critic, (x + shift) @ critic), torch.tensor(-5.0).double())


def test_smoothing_moves_the_optimum_to_one_minus_s():
    """The cost of a real score alone is least where D(x) = 1 - s."""
    real, far = torch.linspace(-6, 6, 100_001, dtype=torch.float64), torch.tensor([-1e3], dtype=torch.float64)
    costs = torch.stack([discriminator_cost(part, far, smoothing=0.1) for part in real.split(1)[::50]])
    best = real[::50][costs.argmin()]
    assert torch.sigmoid(best) == pytest.approx(0.9, abs=1e-3)


def test_least_squares_costs_and_the_optimal_score():
    """At D = p / (p + q) the discriminator's cost is least: its gradient vanishes for equal densities at 1/2."""
    real, fake = logits(7), logits(11, 1)
    game = GAMES["least-squares"]
    assert torch.allclose(game.discriminator(real, fake), ((real - 1) ** 2).mean() + (fake**2).mean())
    assert torch.allclose(game.generator(fake), ((fake - 1) ** 2).mean())
    half = torch.full((5,), 0.5, dtype=torch.float64)
    slope = gradient(lambda x: game.discriminator(x, half), half) + gradient(
        lambda x: game.discriminator(half, x), half
    )
    assert torch.allclose(slope, torch.zeros(5, dtype=torch.float64))


def test_the_hinge_costs_nothing_beyond_the_margin():
    game = GAMES["hinge"]
    beyond, inside = torch.tensor([1.5, 3.0]), torch.tensor([0.25])
    assert (
        game.discriminator(beyond, -beyond) == 0
        and not gradient(lambda x: game.discriminator(x, -beyond), beyond).any()
    )
    assert game.discriminator(inside, -inside) == 2 * 0.75
    assert torch.equal(game.generator(beyond), -beyond.mean())


def test_a_relativistic_pair_sees_only_differences():
    real, fake = logits(9), logits(9, 1)
    game = GAMES["relativistic"]
    for cost in (game.discriminator, game.generator):
        assert torch.allclose(cost(real + 5, fake + 5), cost(real, fake))
    assert torch.allclose(game.discriminator(real, fake), game.generator(fake, real))
    assert torch.allclose(game.discriminator(real, real), torch.tensor(2.0).double().log())


@pytest.mark.parametrize("name", GAMES)
def test_every_game_pulls_its_players_apart(name):
    """The discriminator wants real scores up and made ones down; the generator wants made ones up."""
    game, real, fake = GAMES[name], torch.zeros(4), torch.zeros(4)
    assert (gradient(lambda x: game.discriminator(x, fake), real) < 0).all()
    assert (gradient(lambda x: game.discriminator(real, x), fake) >= 0).all()
    assert (gradient(lambda x: game.generator(*((real,) if game.paired else ()), x), fake) < 0).all()


@pytest.mark.parametrize("name", GAMES)
def test_a_constant_matters_only_where_the_game_says_so(name):
    game, real, fake = GAMES[name], logits(9), logits(9, 1)
    moved = game.discriminator(real + 1, fake + 1)
    assert torch.allclose(moved, game.discriminator(real, fake)) != game.shifts
