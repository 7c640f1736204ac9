"""The sliced Wasserstein distance against scipy and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

import nacre
from nacre.metrics import evaluate
from nacre.metrics.sliced_wasserstein import directions, sliced_wasserstein


def points(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 75), (64, 9), (1, 4)])
def test_on_a_line_it_is_that_of_scipy(n, m):
    a, b = points(n, 1, 0), 2 * points(m, 1, 1) + 1
    wanted = wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
    line = torch.ones(1, 1, dtype=torch.float64)
    assert sliced_wasserstein(a, b, line, 1) == pytest.approx(wanted, rel=1e-12)
    assert sliced_wasserstein(b, a, line, 1) == pytest.approx(wanted, rel=1e-12)


def test_unequal_sizes_are_those_of_repeated_points():
    a, b, lines = points(30, 3, 0), points(45, 3, 1), directions(3, 20)
    repeated = sliced_wasserstein(a.repeat_interleave(3, 0), b.repeat_interleave(2, 0), lines)
    assert sliced_wasserstein(a, b, lines) == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("d", [2, 7])
def test_two_normals_of_one_covariance(d):
    """SW_2(N(0, I), N(m, I)) = |m| / sqrt(d); a shift of the same points is exact but for the directions."""
    a = points(200, d, 0)
    shift = torch.linspace(-1, 2, d, dtype=torch.float64)
    lines = directions(d, 5_000)
    wanted = float(shift.norm()) / math.sqrt(d)
    assert sliced_wasserstein(a, a + shift, lines) == pytest.approx(wanted, rel=1e-9 if d == 2 else 0.02)
    fresh = sliced_wasserstein(points(4000, d, 1), points(4000, d, 2) + shift, directions(d, 200))
    assert fresh == pytest.approx(wanted, rel=0.1)
    assert sliced_wasserstein(a, 3 * a, lines) == pytest.approx(2 * float(a.square().mean().sqrt()), rel=0.03)


def test_it_is_a_metric():
    a, b, c = points(40, 3, 0), points(40, 3, 1) + 1, points(40, 3, 2) * 2
    lines = directions(3, 50)
    assert sliced_wasserstein(a, a, lines) == 0
    assert sliced_wasserstein(a, b, lines) == sliced_wasserstein(b, a, lines)
    assert sliced_wasserstein(a, c, lines) <= sliced_wasserstein(a, b, lines) + sliced_wasserstein(b, c, lines)
    assert directions(3, 50).norm(dim=0).numpy() == pytest.approx(1)


def test_a_perfect_sampler_has_the_ratio_one_and_a_collapsed_one_does_not():
    ring = nacre.load_data("ring")
    (perfect,) = evaluate(ring.density.sample(2000, seed=55), "ring", ["sliced_wasserstein"], n=2000)
    assert 0.4 < perfect.details["ratio"] < 2.5 and len(perfect.details["floors"]) == 5
    assert perfect.interval[0] < perfect.value < perfect.interval[1]
    (collapsed,) = evaluate(
        ring.density.sample(4000, seed=55)[:1].expand(2000, 2), "ring", ["sliced_wasserstein"], n=2000
    )
    assert collapsed.details["ratio"] > 10 and collapsed.value > collapsed.details["order_1"] > 0


def test_tables_are_measured_in_deviations_of_their_columns():
    x = np.random.default_rng(0).normal((0, 100), (1, 50), (500, 2)).astype(np.float32)
    moved = x + np.array([1.0, 0.0], np.float32)
    values = [
        evaluate(samples, data, ["sliced_wasserstein"])[0].value
        for samples, data in ((moved, x), (moved * [1, 10], x * [1, 10]))
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    assert values[0] == pytest.approx(
        1 / math.sqrt(2) / x[:, 0].std(), rel=0.05
    )  # the scale is that of the training rows


def test_images_are_refused(vae):
    with pytest.raises(nacre.NacreError, match="the data are images"):
        evaluate(vae, "digits", ["sliced_wasserstein"])
