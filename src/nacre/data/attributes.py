"""Attributes of images that can be measured: continuous conditions for models, and the judge of their samples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from nacre.errors import unknown

EPSILON = 1e-6
MAGNIFIED = 2


def ink(x: Tensor) -> Tensor:
    """The mean value, in [0, 1]: (n, c, h, w) -> (n,)."""
    return x.flatten(1).mean(1)


def thickness(x: Tensor) -> Tensor:
    """The width of strokes in pixels, 2 area / boundary: (n, c, h, w) -> (n,).

    A stroke of width w and length L has the area w L and a boundary of 2 L. The stroke is what exceeds half of the
    image's largest value, after bilinear magnification to twice the size, so that neither soft edges nor faint ink
    count as width. The boundary is the total variation, by gradients between the centres of 2 x 2 pixels, which treat
    all directions much alike.

    Reference:
        Castro et al. Morpho-MNIST: quantitative assessment and diagnostics for representation learning. 2019, whose
        measurements also begin by magnifying and thresholding.
    """
    grey = pad(x.mean(1, keepdim=True), (1, 1, 1, 1))
    fine = interpolate(grey, scale_factor=MAGNIFIED, mode="bilinear")[:, 0]
    inside = (fine > grey.amax((1, 2, 3)).clamp(min=EPSILON)[:, None, None] / 2).to(x.dtype)
    rising = inside[:, 1:, 1:] - inside[:, :-1, :-1]
    falling = inside[:, 1:, :-1] - inside[:, :-1, 1:]
    boundary = ((rising.square() + falling.square()) / 2).sqrt().flatten(1).sum(1)
    return 2 * inside.flatten(1).sum(1) / boundary.clamp(min=EPSILON) / MAGNIFIED


def slant(x: Tensor) -> Tensor:
    """The horizontal shift per row upwards by which strokes lean, -covariance(row, column) / variance(row): (n,).

    0 is upright, positive leans to the right; the tangent of the angle from the vertical.
    """
    grey = x.mean(1)
    rows = torch.arange(grey.shape[1], dtype=x.dtype, device=x.device)
    columns = torch.arange(grey.shape[2], dtype=x.dtype, device=x.device)
    mass = grey.flatten(1).sum(1).clamp(min=EPSILON)
    by_row, by_column = grey.sum(2), grey.sum(1)
    row, column = by_row @ rows / mass, by_column @ columns / mass
    variance = by_row @ rows.square() / mass - row.square()
    covariance = torch.einsum("nhw,h,w->n", grey, rows, columns) / mass - row * column
    return -covariance / variance.clamp(min=EPSILON)


MEASURES: dict[str, Callable[[Tensor], Tensor]] = {"ink": ink, "slant": slant, "thickness": thickness}


def measure(x: Tensor, names: Sequence[str], at_once: int = 500) -> Tensor:
    """The attributes of images by name, float32 (n, attributes).

    Args:
        x: Images in [0, 1], (n, c, h, w).
        names: Of `MEASURES`.
        at_once: Images measured together.

    Raises:
        NacreError: There is no such measure.
    """
    for name in names:
        if name not in MEASURES:
            raise unknown("attribute", name, list(MEASURES))
    parts = [torch.stack([MEASURES[name](part) for name in names], 1) for part in x.split(at_once)]
    return torch.cat(parts) if parts else torch.empty(0, len(names))
