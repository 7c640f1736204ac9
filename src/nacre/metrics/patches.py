"""Features by k-means, of patches for images: the baseline that a learned representation has to beat."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import unfold

CENTROIDS, PATCHES, ROUNDS = 200, 40_000, 20
CONTRAST, WHITENING = 10 / 255**2, 0.1


def kmeans(x: Tensor, k: int, rounds: int = ROUNDS, start: Tensor | None = None, seed: int = 0) -> Tensor:
    """Centroids (k, d) by Lloyd's algorithm; an empty cluster keeps its centroid.

    Args:
        x: Points (n, d).
        k: Clusters, at most n.
        rounds: Iterations.
        start: The first centroids (k, d); by default k of the points.
        seed: Draws these.

    Reference:
        Lloyd. Least squares quantization in PCM. 1982.
    """
    drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:k]
    centroids = x[drawn].clone() if start is None else start.clone()
    for _ in range(rounds):
        nearest = torch.cdist(x, centroids).argmin(1)
        counts = nearest.bincount(minlength=k)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, x)
        centroids = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), centroids)
    return centroids


def triangle(x: Tensor, centroids: Tensor) -> Tensor:
    """max(0, mean distance to the centroids - distance to this one): (..., d) -> (..., k)."""
    distance = torch.cdist(x, centroids)
    return (distance.mean(-1, keepdim=True) - distance).clamp(min=0)


def kmeans_features(x: Tensor, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """The features for data like these: of patches for images, of whole examples for vectors.

    Args:
        x: Examples (n, *shape).
        seed: Draws the patches and the first centroids.

    Returns:
        Maps examples (m, *shape) to features (m, 4 k) of images or (m, k) of vectors, k of 200 at most.
    """
    return patch_features(x, seed) if x.dim() == 4 else vector_features(x, seed)


def vector_features(x: Tensor, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """The triangle activations of centroids of standardised vectors."""
    center, scale = x.mean(0), x.std(0).clamp(min=1e-6)
    centroids = kmeans((x - center) / scale, min(CENTROIDS, max(2, len(x) // 10)), seed=seed)
    return lambda new: triangle((new - center) / scale, centroids)


def patch_features(x: Tensor, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """Triangle activations of the centroids of small patches, summed over the four quadrants of the image.

    Patches are of 6 pixels a side, or a third of smaller images; each is freed of its mean and contrast, and all are
    whitened (ZCA) before k-means and before they are compared with the centroids.

    Args:
        x: Images (n, c, h, w) of 2 pixels a side or more.
        seed: Draws 40,000 patches and the first centroids.

    Reference:
        Coates, Lee, Ng. An analysis of single-layer networks in unsupervised feature learning. 2011.
    """
    shorter = min(x.shape[2:])
    side, stride = max(2, min(6, shorter // 3 + 1)), 1 if shorter <= 16 else 2
    generator = torch.Generator().manual_seed(seed)
    windows = x.unfold(2, side, 1).unfold(3, side, 1)  # (n, c, h - side + 1, w - side + 1, side, side), a view
    which, top, left = (torch.randint(windows.shape[i], (PATCHES,), generator=generator) for i in (0, 2, 3))
    patches = contrast(windows[which, :, top, left].flatten(1))  # (patches, c side side)
    center, whitener = patches.mean(0), zca(patches)
    centroids = kmeans((patches - center) @ whitener, CENTROIDS, seed=seed)

    def features(images: Tensor) -> Tensor:
        columns = unfold(images, side, stride=stride).transpose(1, 2)  # (n, positions, c side side)
        active = triangle((contrast(columns) - center) @ whitener, centroids)
        height, width = ((length - side) // stride + 1 for length in images.shape[2:])
        grid = active.unflatten(1, (height, width))  # (n, height, width, k)
        halves = [part for rows in halved(grid, 1) for part in halved(rows, 2)]
        return torch.cat([part.sum((1, 2)) for part in halves], 1)

    return lambda new: torch.cat([features(part) for part in new.split(200)])


def halved(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The first and the second half along an axis; the second is longer by one where the length is odd."""
    half = x.shape[axis] // 2
    return x.narrow(axis, 0, half), x.narrow(axis, half, x.shape[axis] - half)


def contrast(patches: Tensor) -> Tensor:
    """Patches (..., d) with mean 0 and variance about 1, or less where there is hardly any contrast."""
    variance, mean = torch.var_mean(patches, -1, unbiased=False, keepdim=True)
    return (patches - mean) / (variance + CONTRAST).sqrt()


def zca(x: Tensor) -> Tensor:
    """The symmetric matrix (C + 0.1 I)^(-1/2) that whitens rows of covariance C, (d, d)."""
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    return (vectors / (values.clamp(min=0) + WHITENING).sqrt()) @ vectors.T
