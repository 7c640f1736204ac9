"""Divergences with a closed form, in nats per example."""

from torch import Tensor


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, I)) = 1/2 sum(mean^2 + exp(logvar) - logvar - 1), shape (n,).

    Args:
        mean: Shape (n, d).
        logvar: Log-variances, shape (n, d).
    """
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1)
