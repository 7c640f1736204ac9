"""Toy sets: their densities integrate to one and agree with their samples."""

import pytest
import torch

from nacre.data import toy
from nacre.data.sources import load_data


def plane(low, high, n):
    line = torch.linspace(low, high, n, dtype=torch.float64)
    return torch.cartesian_prod(line, line), ((high - low) / (n - 1)) ** 2


@pytest.mark.parametrize(("name", "edge", "n"), [("ring", 1.2, 121), ("grid", 4.4, 177), ("swiss-roll", 1.2, 121)])
def test_density_integrates_to_one(name, edge, n):
    points, area = plane(-edge, edge, n)
    assert (toy.density(name).log_prob(points).exp().sum() * area).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", toy.TOYS)
def test_samples_agree_with_log_prob(name):
    density = toy.density(name)
    x = density.sample(4000, seed=1)
    points, area = plane(-1.1, 1.1, 150) if name != "grid" else plane(-4.3, 4.3, 250)
    log_p = density.log_prob(points)
    entropy = -(log_p.exp() * log_p.clamp(min=-700)).sum() * area
    values = -density.log_prob(x.double())
    assert values.mean().item() == pytest.approx(entropy.item(), abs=5 * values.std().item() / 4000**0.5)


def test_integration_along_the_curve_is_accurate():
    roll, finer = toy.SwissRoll(), toy.SwissRoll()
    object.__setattr__(finer, "nodes", 16385)
    x = roll.sample(500, seed=0).double()
    assert (roll.log_prob(x) - finer.log_prob(x)).abs().max() < 1e-5


def test_mixtures():
    ring, grid = toy.density("ring"), toy.density("grid")
    assert (ring.modes.shape, ring.sd, grid.modes.shape, grid.sd) == ((8, 2), 0.02, (25, 2), 0.05)
    assert torch.allclose(ring.modes.norm(dim=1), torch.ones(8))
    assert set(grid.modes.flatten().tolist()) == {-4, -2, 0, 2, 4}
    assert ring.log_prob(torch.zeros(3, 2)).dtype == torch.float32


@pytest.mark.parametrize(("name", "classes"), [("ring", 8), ("grid", 25), ("swiss-roll", 0)])
def test_sets(name, classes):
    train, test = load_data(name), load_data(f"{name}:test")
    assert (len(train), len(test)) == (50_000, 10_000)
    assert len(train.spec.classes) == classes
    assert train.spec == test.spec
    assert train.spec.kind == "vector" and not train.spec.bounded
    assert torch.equal(train.x, load_data(name).x)
    assert not torch.equal(train.x, load_data(name, seed=1).x)
    assert not (train.x[:10_000] == test.x).any()
    if classes:
        near = torch.cdist(train.x, train.density.modes).argmin(1)
        assert torch.equal(near, train.y)
    assert load_data("digits").density is None
