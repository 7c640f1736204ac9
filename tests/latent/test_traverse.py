import pytest
import torch

import nacre
from nacre.latent import traverse


def test_one_dimension_changes_and_the_others_stay(plane):
    z = torch.randn(4)
    walk = traverse(plane(4), z, [2, 0], reach=2.0, steps=5)
    assert walk.shape == (2, 5, 4)
    for row, dim in zip(walk, (2, 0), strict=True):
        assert torch.allclose(row[:, dim], torch.tensor([-2.0, -1, 0, 1, 2]))
        others = [i for i in range(4) if i != dim]
        assert torch.equal(row[:, others], z[others].expand(5, 3))


def test_without_a_prior_the_range_is_that_of_the_codes(plane):
    codes = torch.randn(500, 3) * torch.tensor([1.0, 5, 20]) + torch.tensor([0.0, 7, -3])
    walk = traverse(plane(3), codes[0], steps=3, reach=1.0, codes=codes)
    expected = torch.stack([codes.mean(0) - codes.std(0), codes.mean(0), codes.mean(0) + codes.std(0)], 1)
    assert torch.allclose(torch.stack([walk[i, :, i] for i in range(3)]), expected, atol=1e-5)


def test_bad_dimensions_and_steps(plane):
    for dims in ([3], [-1]):
        with pytest.raises(nacre.NacreError, match="latent has 3"):
            traverse(plane(3), torch.zeros(3), dims)
    with pytest.raises(nacre.NacreError, match="steps is 1"):
        traverse(plane(3), torch.zeros(3), steps=1)
