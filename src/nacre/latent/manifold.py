"""The whole of a two-dimensional latent space as one picture.

Reference:
    Kingma, Welling. Auto-Encoding Variational Bayes. 2014. arXiv 1312.6114. Appendix A.
"""

from typing import Any

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model


def manifold(model: Model, side: int = 20, codes: Tensor | None = None, **told: Any) -> Tensor:
    """Decode a grid of equally probable codes of two dimensions: (side, side, *shape).

    Along each axis lie the quantiles (i + 1/2) / side of N(0, 1), or those of given codes. The first dimension grows
    to the right, the second upwards. Kingma & Welling 2014.

    Args:
        model: A model that can decode, with latent 2.
        side: Codes along an axis, 2 or more.
        codes: Codes whose quantiles to use, shape (n, 2), for a model without a prior.
        told: What a conditional model is told of all: `labels` and `attributes`.

    Raises:
        NacreError: The latent is not of two dimensions, or the side is too short.
    """
    if model.latent != 2:
        raise NacreError(f"the grid needs a model with latent 2, this one has {model.latent}; traverse works for any.")
    if side < 2:
        raise NacreError(f"side is {side}; the grid has at least 2 codes along an axis.")
    levels = (torch.arange(side, device=model.device) + 0.5) / side
    quantiles = torch.special.ndtri(levels).expand(2, -1) if codes is None else torch.quantile(codes, levels, 0).T
    across, up = quantiles  # each (side,)
    z = torch.stack([across.expand(side, -1), up.flip(0)[:, None].expand(-1, side)], 2)
    return model.decode(z.flatten(0, 1), **told).unflatten(0, (side, side))
