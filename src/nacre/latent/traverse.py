"""Traversals: one dimension of a code changes, the others stay."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model


def traverse(
    model: Model,
    z: Tensor,
    dims: Sequence[int] | None = None,
    *,
    reach: float = 3.0,
    steps: int = 9,
    codes: Tensor | None = None,
    **told: Any,
) -> Tensor:
    """The examples as single dimensions of a code go through a range: (dims, steps, *shape).

    Dimension i goes from mean_i - reach sd_i to mean_i + reach sd_i in equal steps, with the mean 0 and the standard
    deviation 1 of the prior, or those of given codes.

    Args:
        model: A model that can decode.
        z: The code that the other dimensions keep, shape (latent,).
        dims: Which dimensions, counted from 0; all by default.
        reach: How far to both sides, in standard deviations.
        steps: Values of each dimension, 2 or more.
        codes: Codes whose mean and deviation to use, shape (n, latent), for a model without a prior.
        told: What a conditional model is told of all: `labels` and `attributes`.

    Raises:
        NacreError: There is no such dimension, or there are fewer than two steps.
    """
    dims = range(len(z)) if dims is None else dims
    wrong = [dim for dim in dims if not 0 <= dim < len(z)]
    if wrong:
        raise NacreError(f"there is no dimension {wrong[0]}; the latent has {len(z)}, counted from 0.")
    if steps < 2:
        raise NacreError(f"steps is {steps}; a traversal has at least 2.")
    center, spread = (torch.zeros_like(z), torch.ones_like(z)) if codes is None else (codes.mean(0), codes.std(0))
    t = torch.linspace(-reach, reach, steps, device=z.device)
    rows = z.repeat(len(dims), steps, 1)
    for row, dim in zip(rows, dims, strict=True):
        row[:, dim] = center[dim] + t * spread[dim]
    return model.decode(rows.flatten(0, 1), **told).unflatten(0, (len(dims), steps))
