"""Fill in what is missing of examples: pixels of images, columns of tables."""

from typing import Any

import torch
from torch import Tensor

from nacre.errors import NacreError, at_least
from nacre.model import ArrayLike, Model, seeded


def impute(
    model: Model, x: ArrayLike, missing: ArrayLike | None = None, *, steps: int = 50, seed: int = 0, **told: Any
) -> Tensor:
    """Draw the missing values of examples given the others, (n, *shape) with what was known unchanged.

    From the middle of the data's values on, a latent code is drawn given the example and the missing values are set to
    what it is decoded to, again and again. With the values drawn this is pseudo-Gibbs sampling, whose chain tends to
    the conditional distribution where the encoder's posterior is exact; pixels are set to their means given the code,
    so that their draws differ by the code alone. A model without a posterior gives its
    reconstruction.

    Args:
        model: A model that can reconstruct.
        x: Examples (n, *shape); a NaN is missing.
        missing: True where a value is missing, broadcast to the same shape; in addition to NaN.
        steps: Of the chain, 1 or more.
        seed: Of the draws.
        told: What a conditional model is told of the examples: `labels` and `attributes`.

    Raises:
        NacreError: The model cannot reconstruct, or the mask has another shape.

    Reference:
        Rezende, Mohamed, Wierstra. Stochastic backpropagation and approximate inference in deep generative models.
        2014, appendix F.
    """
    at_least(1, steps=steps)
    if not model.can("reconstruct"):
        raise NacreError(
            f"{model.registered_name()} cannot fill in values: it has no encoder; `nacre models` shows which have."
        )
    values = model.floats(x).cpu()
    gone = values.isnan()
    if missing is not None:
        if isinstance(missing, str):
            raise NacreError(f"the mask is {missing!r}; nacre.impute.region({missing!r}, model.spec.shape) makes one.")
        mask = torch.as_tensor(missing, dtype=torch.bool)
        try:
            gone = gone | mask.expand_as(values)
        except RuntimeError:
            raise NacreError(
                f"the mask has shape {tuple(mask.shape)}, which does not fit examples of {tuple(values.shape)}."
            ) from None
    middle = torch.tensor(model.spec.center).expand(model.spec.shape)
    # A model that knows missing values begins with them.
    values = torch.where(gone, torch.full_like(middle, torch.nan) if model.mixed else middle, values)
    with seeded(seed):
        for _ in range(steps):
            values = torch.where(gone, model.redraw(values, **told).cpu(), values)
    return values


def region(name: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A mask of images by name: True where a value is missing, (h, w) broadcast over channels.

    Args:
        name: top, bottom, left, right, center (half of either side), or random:0.5 for a share of the pixels.
        shape: (c, h, w).
        seed: Of the random one.

    Raises:
        NacreError: There is no such region, or the share does not lie in (0, 1).
    """
    _, height, width = shape
    mask = torch.zeros(height, width, dtype=torch.bool)
    kind, _, share = name.partition(":")
    if kind == "random":
        try:
            part = float(share)
        except ValueError:
            part = -1.0
        if not 0 < part < 1:
            raise NacreError(f"--mask {name}: write a share between 0 and 1, such as random:0.5.")
        return torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) < part
    rows, columns = (slice(side // 2) for side in (height, width))
    if kind == "top":
        mask[rows] = True
    elif kind == "bottom":
        mask[height // 2 :] = True
    elif kind == "left":
        mask[:, columns] = True
    elif kind == "right":
        mask[:, width // 2 :] = True
    elif kind == "center":
        mask[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None] = True
    else:
        raise NacreError(f"there is no mask {name!r}; use top, bottom, left, right, center or random:0.5.")
    return mask
