"""What a discriminator learns between two known densities."""

import math

import torch

from nacre.explain.optimal_discriminator import (
    DATA,
    GRID,
    MODEL,
    Gaussians,
    divergence,
    expected_cost,
    integral,
    numbers,
    overpaid,
    trained,
)
from nacre.losses.adversarial import discriminator_cost

LOG_P, LOG_Q = DATA.log_prob(GRID), MODEL.log_prob(GRID)
OPTIMUM = math.log(4) - 2 * divergence(LOG_P, LOG_Q)


def test_the_densities_are_densities_and_the_samples_theirs():
    for law in (DATA, MODEL):
        density = law.log_prob(GRID).exp()
        assert math.isclose(integral(density), 1, rel_tol=1e-9)
        x = law.sample(100_000)[:, 0].double()
        mean, square = integral(density * GRID), integral(density * GRID.square())
        assert abs(x.mean() - mean) < 0.03 and abs(x.square().mean() - square) < 0.05


def test_the_divergence_lies_between_0_and_log_2():
    assert abs(divergence(LOG_P, LOG_P)) < 1e-12
    far = [Gaussians((1.0,), (mean,), (0.3,)).log_prob(GRID) for mean in (-4.0, 4.0)]
    assert math.isclose(divergence(*far), math.log(2), rel_tol=1e-9)


def test_the_optimal_discriminator_costs_log_4_minus_twice_the_divergence():
    row = numbers("", LOG_P - LOG_Q, 0.0)
    assert math.isclose(row["exact cost"], OPTIMUM, rel_tol=1e-9)
    assert math.isclose(row["E_q[D / (1 - D)]"], 1, rel_tol=1e-9)
    assert row["excess"] == row["error of D"] == row["error of log ratio"] == 0


def test_any_other_costs_more_by_twice_its_divergence_from_the_optimal_one():
    for other in (torch.zeros_like(GRID), GRID.sin(), 3 * (LOG_P - LOG_Q), 0.5 * GRID - 2):
        excess = integral(overpaid(other, LOG_P, LOG_Q))
        assert excess > 0
        assert math.isclose(expected_cost(other, LOG_P, LOG_Q) - OPTIMUM, excess, rel_tol=1e-9)


def test_a_table_of_logits_learns_the_ratio_of_frequencies():
    """With a free logit for each of 12 cells the cost is least at log(share of real / share of fake)."""
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randint(12, (n,), generator=generator) for n in (3000, 2000))
    logits = torch.zeros(12, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=300, tolerance_grad=1e-10, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        cost = discriminator_cost(logits[real], logits[fake])
        cost.backward()
        return cost

    optimizer.step(closure)
    shares = [x.bincount(minlength=12).double() / len(x) for x in (real, fake)]
    assert torch.allclose(logits.detach(), (shares[0] / shares[1]).log(), atol=1e-6)


def test_a_short_training_comes_near_from_above():
    logit, _ = trained(250, 0)
    row = numbers("", logit, 0.0)
    assert OPTIMUM < row["exact cost"] < OPTIMUM + 0.01
    assert row["error of D"] < 0.05 and row["error of log ratio"] < 0.5
    assert row["JSD bound"] < divergence(LOG_P, LOG_Q)


def test_few_samples_are_memorised():
    logit, cost = trained(300, 0, samples=8)
    assert cost < OPTIMUM < expected_cost(logit, LOG_P, LOG_Q) - 0.1


def test_training_leaves_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trained(1, 0)
    assert torch.equal(torch.rand(2), expected)
