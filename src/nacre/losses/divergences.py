"""Divergences with a closed form or an unbiased estimate, in nats per example where they have a unit."""

import torch
from torch import Tensor


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, I)) = 1/2 sum(mean^2 + exp(logvar) - logvar - 1), shape (n,).

    Args:
        mean: Shape (n, d).
        logvar: Log-variances, shape (n, d).
    """
    return gaussian_kl_terms(mean, logvar).sum(1)


def gaussian_kl_terms(
    mean: Tensor, logvar: Tensor, mean_p: Tensor | float = 0.0, logvar_p: Tensor | float = 0.0
) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(mean_p, exp(logvar_p))) by dimension, (n, d).

    1/2 (((mean - mean_p)^2 + var) / var_p - log var + log var_p - 1).

    Args:
        mean: Shape (n, d).
        logvar: Log-variances, shape (n, d).
        mean_p: Of the second normal, broadcast to the same shape.
        logvar_p: Its log-variances, likewise.
    """
    if not isinstance(logvar_p, Tensor):
        logvar_p = mean.new_full((), logvar_p)  # filled on the device: a copy of a number would wait for it
    return 0.5 * (((mean - mean_p).square() + logvar.exp()) * (-logvar_p).exp() + logvar_p - logvar - 1)


def geometric_js_terms(mean: Tensor, logvar: Tensor, skew: float) -> Tensor:
    """The skew-geometric Jensen-Shannon divergence of N(mean, exp(logvar)) from N(0, I), by dimension: (n, d).

    (1 - a) KL(q || g) + a KL(p || g) with the normal g ~ q^a p^(1 - a), whose precision and whose precision times mean
    are the weighted means of those of q and p. It is KL(q || p) for a = 0 and KL(p || q) for a = 1.

    Args:
        mean: Of q, shape (n, d).
        logvar: Of q, shape (n, d).
        skew: a, in [0, 1].

    Reference:
        Deasy, Simidjievski, Lio. Constraining variational inference with geometric Jensen-Shannon divergence. 2020.
    """
    precision = (-logvar).exp()
    between = skew * precision + (1 - skew)
    center = skew * precision * mean / between
    from_q = 0.5 * (between * (logvar.exp() + (mean - center).square()) - 1 - between.log() - logvar)
    from_p = 0.5 * (between * (1 + center.square()) - 1 - between.log())
    return (1 - skew) * from_q + skew * from_p


def mmd(x: Tensor, y: Tensor, scales: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)) -> Tensor:
    """The unbiased estimate of the squared maximum mean discrepancy of two samples, a scalar.

    With the inverse multiquadratic kernels c / (c + |x - y|^2), c = 2 d s, summed over the scales s; 2 d is the mean
    squared distance of two draws of N(0, I).

    Args:
        x: Shape (n, d), n of 2 or more.
        y: Shape (m, d), m of 2 or more.
        scales: s, positive.

    Reference:
        Gretton et al. A kernel two-sample test. 2012, lemma 6. Tolstikhin et al. Wasserstein auto-encoders. 2018.
    """
    n, m = len(x), len(y)
    squares = [_squared_distances(a, b) for a, b in ((x, x), (y, y), (x, y))]
    total = x.new_zeros(())
    for scale in scales:
        c = 2 * x.shape[1] * scale
        within_x, within_y, across = (c / (c + square) for square in squares)
        # On the diagonal the kernel is 1; the unbiased estimate leaves it out.
        total = total + (within_x.sum() - n) / (n * (n - 1)) + (within_y.sum() - m) / (m * (m - 1)) - 2 * across.mean()
    return total


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2, never negative, exactly 0 for a row and itself: (n, d), (m, d) -> (n, m)."""
    square = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T
    square = square.clamp(min=0)
    return square * (1 - torch.eye(len(x), device=x.device, dtype=x.dtype)) if x is y else square
