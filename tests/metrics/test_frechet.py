import math

import pytest
import torch

from nacre.metrics.context import Context
from nacre.metrics.frechet import frechet_distance, gaussian_distance, measure


def test_it_agrees_with_the_matrix_square_root():
    from scipy.linalg import sqrtm

    torch.manual_seed(0)
    a, b = torch.randn(200, 12) @ torch.randn(12, 12), 1 + torch.randn(300, 12) @ torch.randn(12, 12)
    c1, c2 = torch.cov(a.double().T), torch.cov(b.double().T)
    root = torch.from_numpy(sqrtm((c1 @ c2).numpy()).real)
    wanted = (a.double().mean(0) - b.double().mean(0)).square().sum() + (c1 + c2 - 2 * root).trace()
    assert frechet_distance(a, b) == pytest.approx(float(wanted), rel=1e-5)


def test_closed_forms():
    eye, zero = torch.eye(3), torch.zeros(3)
    assert gaussian_distance(zero, eye, zero, eye) == pytest.approx(0, abs=1e-8)
    assert gaussian_distance(zero, eye, zero + 2, eye) == pytest.approx(12, abs=1e-8)
    variances = torch.tensor([1.0, 4.0, 9.0])
    assert gaussian_distance(zero, eye, zero, variances.diag()) == pytest.approx(0 + 1 + 4, abs=1e-8)
    one = torch.tensor([[1.0]])
    assert gaussian_distance(zero[:1], one, zero[:1], 0 * one) == pytest.approx(1, abs=1e-4)


def test_units_that_are_always_zero_do_no_harm():
    torch.manual_seed(0)
    a, b = torch.randn(400, 3), 2 * torch.randn(400, 3)
    wide = [torch.cat([x, torch.zeros(400, 5)], 1) for x in (a, b)]
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(a, b), abs=1e-3)
    assert math.isfinite(frechet_distance(1e4 * wide[0], 1e4 * wide[1]))


def context(vae, digits, samples):
    context = Context(vae, digits)
    context.__dict__["generated"] = samples
    return context


def test_better_samples_are_nearer(vae, digits):
    real = digits.examples().x
    noisy = (real + 0.2 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    results = [
        measure(context(vae, digits, x))[0] for x in (real, noisy, vae.sample(1437, seed=0), real[:1].expand_as(real))
    ]
    values = [result.value for result in results]
    assert values == sorted(values)
    assert results[0].value == pytest.approx(results[0].references["real against real"])
    assert results[0].details["classifier_accuracy"] > 0.93


def test_the_protocol_says_what_was_compared(vae, digits):
    context = Context(vae, digits, n=200, seed=3)
    (result,) = measure(context)
    assert result.protocol.startswith("200 samples against 200 of digits:test (few samples), classifier features ")
    assert result.protocol.endswith("seed 3")
    assert f"floor {result.details['floor']:.3g}" in result.protocol
