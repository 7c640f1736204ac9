"""Interpolation between latent codes."""

from typing import Literal

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(1 - t) a + t b for every t: (d,), (d,), (steps,) -> (steps, d)."""
    return torch.lerp(a, b, t[:, None])


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b with w the angle between a and b; linear where they align.

    Shoemake 1985. Draws of a Gaussian in d dimensions lie near a sphere of radius sqrt(d), and so do the points
    between them.
    """
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    if torch.sin(angle) < 1e-4:
        return linear(a, b, t)
    return (torch.sin((1 - t) * angle)[:, None] * a + torch.sin(t * angle)[:, None] * b) / torch.sin(angle)


def interpolate(
    model: Model, a: Tensor, b: Tensor, *, steps: int = 9, path: Literal["linear", "spherical"] = "linear"
) -> Tensor:
    """The decoded examples on a path between two latent codes, both ends included: (steps, *shape).

    Args:
        model: A model that can decode.
        a: Where the path begins, shape (latent,).
        b: Where it ends.
        steps: Points on the path, 2 or more.
        path: linear or spherical.

    Raises:
        NacreError: The model cannot decode, or there are fewer than two steps.
    """
    if steps < 2:
        raise NacreError(f"steps is {steps}; a path has at least 2.")
    t = torch.linspace(0, 1, steps, device=a.device)
    return model.decode((spherical if path == "spherical" else linear)(a, b, t))
