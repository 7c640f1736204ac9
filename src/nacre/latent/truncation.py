"""Truncation: draws from the middle of the prior, which look better and vary less.

Reference:
    Brock, Donahue, Simonyan. Large scale GAN training for high fidelity natural image synthesis. 2019.
    arXiv 1809.11096. Section 3.1.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.latent.codes import draws_normals
from nacre.model import Model


def truncated_noise(n: int, latent: int, threshold: float, device: torch.device | str = "cpu") -> Tensor:
    """Normal draws, each value drawn again until it lies within [-threshold, threshold]: (n, latent).

    Drawn at once by inverting the distribution, z = sqrt(2) erfinv(u erf(threshold / sqrt(2))) with u uniform in
    (-1, 1). Brock et al. 2019 (the truncation trick).

    Args:
        n: Draws.
        latent: Values of each.
        threshold: Positive; the variance falls from 1 to threshold^2 / 3 as it falls to 0.
        device: Where the draws are made.

    Raises:
        NacreError: The threshold is not positive.
    """
    if not threshold > 0:
        raise NacreError(f"the truncation is {threshold:g}; it must be positive, such as 0.7.")
    u = 2 * torch.rand(n, latent, dtype=torch.float64, device=device) - 1
    z = math.sqrt(2) * torch.erfinv(u * math.erf(threshold / math.sqrt(2)))
    return z.float().clamp(-threshold, threshold)  # u = -1, which can be drawn, would be minus infinity at worst


def sample_truncated(model: Model, n: int, threshold: float, *, seed: int | None = None, **conditions: Any) -> Tensor:
    """N new examples of a model whose prior is truncated, shape (n, *spec.shape).

    Args:
        model: A model that samples by way of `noise`.
        n: Examples.
        threshold: The largest absolute value of the noise, positive.
        seed: Seed of the draws.
        conditions: What else the model's `sample` takes.

    Raises:
        NacreError: The threshold is not positive, or the model does not draw from N(0, I).
    """
    truncated_noise(0, 0, threshold)  # refuses a threshold that is none
    with _truncating(model, threshold) as sizes:
        x = model.sample(n, seed=seed, **conditions)
    if n and not sizes:
        raise NacreError(f"{model.registered_name()} does not sample from a normal prior; leave the truncation out.")
    return x


@contextmanager
def _truncating(model: Model, threshold: float) -> Iterator[list[int]]:
    """Truncated draws instead of the model's noise inside; yields the sizes of the draws that were made."""
    sizes: list[int] = []

    def noise(n: int) -> Tensor:
        sizes.append(n)
        return truncated_noise(n, model.latent, threshold, model.device)

    if not draws_normals(model):
        yield sizes
        return
    model.__dict__["noise"] = noise
    try:
        yield sizes
    finally:
        del model.__dict__["noise"]
