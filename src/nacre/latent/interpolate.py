"""Interpolation between latent codes.

Reference:
    Shoemake. Animating rotation with quaternion curves. 1985.
"""

from itertools import pairwise
from typing import Any, Literal

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
    model: Model, *waypoints: Tensor, steps: int = 9, path: Literal["linear", "spherical"] = "linear", **told: Any
) -> Tensor:
    """The decoded examples on a path through latent codes, which are met in their order: (points, *shape).

    Args:
        model: A model that can decode.
        waypoints: Two or more codes, each of shape (latent,).
        steps: Points from one waypoint to the next, both included, 2 or more; k waypoints make
            (k - 1)(steps - 1) + 1 points.
        path: linear or spherical.
        told: What a conditional model is told on the whole way: `labels` and `attributes`.

    Raises:
        NacreError: The model cannot decode, there are fewer than two steps, or fewer than two waypoints.
    """
    if steps < 2:
        raise NacreError(f"steps is {steps}; a path has at least 2.")
    if len(waypoints) < 2:
        raise NacreError("a path needs at least two codes: interpolate(model, a, b).")
    if len({tuple(code.shape) for code in waypoints}) > 1 or waypoints[0].dim() != 1:
        shapes = ", ".join(str(tuple(code.shape)) for code in waypoints)
        raise NacreError(
            f"the codes have the shapes {shapes}; give single ones of one size, as rows of model.encode(x)."
        )
    t = torch.linspace(0, 1, steps, device=waypoints[0].device)
    between = spherical if path == "spherical" else linear
    legs = [between(a, b, t)[1:] for a, b in pairwise(waypoints)]
    return model.decode(torch.cat([waypoints[0][None], *legs]), **told)
