import pytest
import torch

import nacre
from nacre.metrics.density_coverage import balls, density_coverage


def test_it_is_the_definition():
    real, generated, k = torch.randn(40, 3).double(), 0.5 + torch.randn(30, 3).double(), 4
    radius = torch.cdist(real, real).sort(1).values[:, k]
    inside = torch.cdist(real, generated) <= radius[:, None]
    wanted = float(inside.sum()) / (k * 30), float(inside.any(1).double().mean())
    assert density_coverage(real, generated, k) == pytest.approx(wanted, abs=1e-12)


def test_one_distribution_has_the_expectations_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    real, generated = torch.randn(2000, 8, generator=generator), torch.randn(2000, 8, generator=generator)
    density, coverage = density_coverage(real, generated)
    assert density == pytest.approx(1, abs=0.06)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.015)


def test_an_outlier_does_not_raise_coverage_as_it_raises_recall():
    from nacre.metrics.precision_recall import precision_recall

    real = torch.randn(500, 2)
    generated = torch.cat([real[:1].repeat(496, 1), torch.tensor([[9.0, 9], [-9, -9], [9, -9], [-9, 9]])])
    assert precision_recall(real, generated)[1] > 0.9
    assert density_coverage(real, generated)[1] < 0.05


def test_a_copy_of_the_real_examples_covers_them():
    real = torch.randn(60, 2)
    depths, covered = balls(real, real, 5)
    assert covered.all()
    assert float(depths.mean()) == pytest.approx(6 / 5)  # every ball holds its centre and its 5 neighbours
    assert density_coverage(real, real + 50) == (0.0, 0.0)


def test_two_results_with_intervals(vae):
    density, coverage = nacre.evaluate(vae, "digits", ["density_coverage"])
    assert (density.name, coverage.name) == ("density", "coverage")
    for result in (density, coverage):
        assert result.protocol.method == "k = 5"
        assert result.interval[0] <= result.value <= result.interval[1]
        assert result.value < result.references["real against real"]
