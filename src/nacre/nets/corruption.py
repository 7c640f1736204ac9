"""Noise that a denoising autoencoder learns to undo."""

from typing import Literal

import torch
from torch import Tensor

from nacre.errors import at_least, share

Noise = Literal["mask", "gaussian", "salt-and-pepper"]


class Corruption:
    """Damages every value of an example alone: (n, ...) -> (n, ...).

    mask: a share `level` of the values becomes 0. gaussian: x + level N(0, 1). salt-and-pepper: a share `level` becomes
    the smallest or the largest value, by a fair coin.

    Args:
        noise: The kind.
        level: The share, in [0, 1), or the standard deviation, 0 or more; 0 leaves everything as it is.

    Raises:
        NacreError: The level is out of range.

    Reference:
        Vincent et al. Stacked denoising autoencoders. 2010, section 3.3.
    """

    def __init__(self, noise: Noise, level: float) -> None:
        at_least(0, corruption=level)
        if noise != "gaussian":
            share(corruption=level)
        self.noise, self.level = noise, level

    def __call__(self, x: Tensor, bounded: bool = False) -> Tensor:
        """The damaged examples.

        Args:
            x: The examples.
            bounded: Whether the extremes are 0 and 1; else they are those of the same value in the batch.
        """
        if not self.level:
            return x
        if self.noise == "gaussian":
            return x + self.level * torch.randn_like(x)
        u = torch.rand_like(x)
        if self.noise == "mask":
            return x * (u >= self.level)
        low, high = (torch.zeros_like(x), torch.ones_like(x)) if bounded else (x.amin(0), x.amax(0))
        return torch.where(u < self.level / 2, low, torch.where(u < self.level, high, x))
