"""Balls around points that reach to their k-th nearest neighbour, and who lies in them."""

from collections.abc import Iterator

import torch
from torch import Tensor

ROWS = 500  # at once against all others: 500 x 10,000 distances are 40 MB
NOTHING = 1e-12  # squared distances of this share of the norms are what rounding leaves of 0
SLACK = 1e-10  # relative; lets points on a ball's edge be inside whatever the rounding


def radii(x: Tensor, k: int) -> Tensor:
    """The squared distance of every row to its k-th nearest other row, float64 (n,); 0 for one with k duplicates.

    Args:
        x: Points (n, d), n above k.
        k: Neighbours, 1 or more.
    """
    nearest = [squares.topk(k + 1, dim=1, largest=False).values[:, k] for _, squares in squared_distances(x, x)]
    return torch.cat(nearest).clamp(min=0)


def membership(x: Tensor, y: Tensor, radii_x: Tensor, radii_y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Who lies in whose closed ball.

    Args:
        x: Points (n, d).
        y: Points (m, d).
        radii_x: The squared radii of the balls around x (n,), 0 or more.
        radii_y: The squared radii of the balls around y (m,), 0 or more.

    Returns:
        In how many balls around y each x lies, int64 (n,); which balls around y hold an x, bool (m,); which y lie in a
        ball around an x, bool (m,).
    """
    counts, holds, reached = [], torch.zeros(len(y), dtype=torch.bool), torch.zeros(len(y), dtype=torch.bool)
    for rows, squares in squared_distances(x, y):
        inside = squares <= radii_y * (1 + SLACK)
        counts.append(inside.sum(1, dtype=torch.int32))
        holds |= inside.any(0)
        reached |= (squares <= radii_x[rows, None] * (1 + SLACK)).any(0)
    return torch.cat(counts).long(), holds, reached


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield 500 rows i at a time and |x_i - y_j|^2 in float64, shape (rows, m); 0 or less for equal rows.

    They are |x|^2 + |y|^2 - 2 x'y about the mean of y as one matrix product; the squared norms are two more columns.

    Args:
        x: Points (n, d).
        y: Points (m, d).
    """
    center = y.double().mean(0)
    x, y = x.double() - center, y.double() - center
    norms_x, norms_y = ((1 - NOTHING) * rows.square().sum(1, keepdim=True) for rows in (x, y))
    left = torch.cat([x, norms_x, torch.ones_like(norms_x)], 1)
    right = torch.cat([-2 * y, torch.ones_like(norms_y), norms_y], 1).T
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, left[rows] @ right
