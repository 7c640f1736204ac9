"""Images halved and doubled: Gaussian and Laplacian pyramids of images of any size."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from nacre.data.spec import Spec
from nacre.nets.mlp import activation
from nacre.nets.scale import FromData

Smoothing = Literal["nearest", "bilinear"]


def shrink(x: Tensor) -> Tensor:
    """Halve images by the means of 2 x 2 pixels: (n, c, h, w) -> (n, c, ceil(h / 2), ceil(w / 2)).

    At an odd edge the mean is over the pixels that are there.
    """
    return avg_pool2d(x, 2, ceil_mode=True)


def shrunk(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images halved until they are no larger than `size`."""
    while x.shape[2] > size[0] or x.shape[3] > size[1]:
        x = shrink(x)
    return x


def enlarge(x: Tensor, size: Sequence[int], smoothing: Smoothing = "nearest") -> Tensor:
    """Double images and crop them: (n, c, h, w) -> (n, c, *size). By nearest neighbours, `shrink` undoes it exactly.

    Args:
        x: The images.
        size: 2 h or 2 h - 1, and likewise for the width.
        smoothing: nearest repeats pixels; bilinear interpolates.
    """
    align = None if smoothing == "nearest" else False
    return interpolate(x, scale_factor=2.0, mode=smoothing, align_corners=align)[..., : size[0], : size[1]]


def gaussian(x: Tensor, levels: int) -> list[Tensor]:
    """The images I_0 = x, I_1 = shrink(I_0), ..., I_levels."""
    images = [x]
    for _ in range(levels):
        images.append(shrink(images[-1]))
    return images


def laplacian(x: Tensor, levels: int) -> list[Tensor]:
    """The residuals h_k = I_k - enlarge(I_{k+1}) for k below `levels`, then I_levels.

    Reference:
        Burt, Adelson. The Laplacian Pyramid as a Compact Image Code. 1983.
    """
    images = gaussian(x, levels)
    return [*(fine - expand(coarse, fine.shape[2:]) for fine, coarse in pairwise(images)), images[-1]]


def expand(coarse: Tensor, size: Sequence[int]) -> Tensor:
    """Coarse images smoothly enlarged to the size of the level above."""
    return enlarge(coarse, size, "bilinear")


def collapse(bands: list[Tensor]) -> Tensor:
    """The images of a Laplacian pyramid, whose inverse it is: I_k = enlarge(I_{k+1}) + h_k."""
    *residuals, x = bands
    for residual in reversed(residuals):
        x = expand(x, residual.shape[2:]) + residual
    return x


class Detail(nn.Module):
    """The residual of an image, given the image enlarged from half its size: convolutions that keep its size.

    The latent enters as one more plane. Denton et al. 2015, section 4.1.

    Args:
        spec: The images of the level.
        latent: Size of z.
        channels: Channels of the two hidden layers.
    """

    def __init__(self, spec: Spec, latent: int, channels: int) -> None:
        super().__init__()
        c, h, w = spec.shape
        self.scale, self.bounded = FromData(spec), spec.bounded
        self.plane = nn.Sequential(nn.Linear(latent, h * w), nn.Unflatten(1, (1, h, w)))
        self.net = nn.Sequential(
            nn.Conv2d(c + 1, channels, 5, padding=2), activation("leaky-relu"),
            nn.Conv2d(channels, channels, 5, padding=2), activation("leaky-relu"),
            nn.Conv2d(channels, c, 5, padding=2),
        )  # fmt: skip

    def forward(self, z: Tensor, coarse: Tensor) -> Tensor:
        """(n, latent), (n, c, h, w) -> (n, c, h, w) in the data's units; in [-1, 1] where the data are in [0, 1]."""
        h = self.net(torch.cat([self.scale(coarse), self.plane(z)], 1))
        return torch.tanh(h) if self.bounded else h * self.scale.scale
