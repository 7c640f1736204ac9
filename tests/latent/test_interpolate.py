import pytest
import torch

import nacre
from nacre.latent import interpolate
from nacre.latent.interpolate import spherical


def test_the_sphere_is_walked_at_constant_speed():
    """Between ends of one norm every point has that norm, and neighbours are the same angle apart."""
    a, b = torch.randn(2, 5, dtype=torch.float64)
    b = b / b.norm() * a.norm()
    points = spherical(a, b, torch.linspace(0, 1, 9, dtype=torch.float64))
    assert torch.allclose(points.norm(dim=1), a.norm().expand(9))
    assert torch.allclose(points[0], a) and torch.allclose(points[-1], b)
    cosines = torch.cosine_similarity(points[1:], points[:-1])
    assert torch.allclose(cosines, cosines[:1].expand(8))
    assert torch.allclose(cosines.acos().sum(), torch.cosine_similarity(a, b, dim=0).acos())


def test_aligned_ends_are_joined_by_a_line():
    a = torch.tensor([1.0, 2.0])
    assert torch.allclose(spherical(a, 3 * a, torch.tensor([0.5])), 2 * a)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_every_waypoint_is_met(plane, path):
    waypoints = torch.randn(4, 3)
    walk = interpolate(plane(3), *waypoints, steps=5, path=path)
    assert walk.shape == (3 * 4 + 1, 3)
    assert torch.allclose(walk[::4], waypoints, atol=1e-6)


def test_a_path_has_two_ends_and_two_steps(plane):
    z = torch.zeros(2)
    with pytest.raises(nacre.NacreError, match="two codes"):
        interpolate(plane(), z)
    with pytest.raises(nacre.NacreError, match="at least 2"):
        interpolate(plane(), z, z, steps=1)
