"""Pyramids: exact sizes, exact inverses, and nothing left over where nothing is."""

import pytest
import torch

from nacre.nets.dcgan import halvings
from nacre.nets.pyramid import collapse, enlarge, gaussian, laplacian, shrink

every_size = pytest.mark.parametrize("size", [(8, 8), (28, 28), (33, 20), (5, 7)], ids=lambda s: f"{s[0]}x{s[1]}")


@every_size
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_the_laplacian_pyramid_gives_every_image_back(size, levels):
    x = torch.rand(3, 2, *size)
    bands = laplacian(x, levels)
    assert len(bands) == levels + 1
    assert torch.allclose(collapse(bands), x, atol=1e-6)


@every_size
def test_the_levels_have_the_sizes_of_the_networks_maps(size):
    sizes = halvings(*size)
    assert [tuple(image.shape[2:]) for image in gaussian(torch.rand(1, 1, *size), len(sizes) - 1)] == sizes


@every_size
def test_shrinking_undoes_repeated_pixels(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    for h in (2 * size[0], 2 * size[0] - 1):
        big = enlarge(x, (h, 2 * size[1]))
        assert big.shape[2:] == (h, 2 * size[1]) and torch.allclose(shrink(big), x, atol=1e-15)


@every_size
def test_the_mean_at_an_odd_edge_is_over_the_pixels_that_are_there(size):
    x = torch.rand(1, 1, *size)
    h, w = size
    corner = x[0, 0, 2 * ((h - 1) // 2) :, 2 * ((w - 1) // 2) :]
    assert torch.allclose(shrink(x)[0, 0, -1, -1], corner.mean())


@every_size
def test_a_constant_image_has_no_residuals(size):
    *residuals, coarse = laplacian(torch.full((1, 1, *size), 0.7), 2)
    assert all(residual.abs().max() < 1e-6 for residual in residuals) and torch.allclose(coarse, torch.tensor(0.7))
