import pytest
import torch
from scipy.stats import norm

import nacre
from nacre.latent import manifold


def test_the_grid_lies_on_the_priors_quantiles(plane):
    """The first dimension grows to the right and the second upwards, both by equal probability."""
    grid = manifold(plane(), side=5)
    quantiles = torch.tensor(norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9]), dtype=torch.float32)
    assert grid.shape == (5, 5, 2)
    assert torch.allclose(grid[..., 0], quantiles.expand(5, 5), atol=1e-6)
    assert torch.allclose(grid[..., 1], quantiles.flip(0)[:, None].expand(5, 5), atol=1e-6)


def test_without_a_prior_it_lies_on_the_codes_quantiles(plane):
    codes = torch.stack([torch.arange(101.0), 10 * torch.arange(101.0)], 1)
    grid = manifold(plane(), side=2, codes=codes)
    assert torch.allclose(grid[0], torch.tensor([[25.0, 750.0], [75.0, 750.0]]))


def test_it_needs_two_dimensions(plane):
    with pytest.raises(nacre.NacreError, match="traverse"):
        manifold(plane(3))
    with pytest.raises(nacre.NacreError, match="side is 1"):
        manifold(plane(), side=1)
