"""Log-likelihoods, in nats per example: summed over an example's values, never averaged over them."""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x) = -sum(x log p + (1 - x) log(1 - p)) with p = sigmoid(logits), shape (n,).

    For x between 0 and 1 it is the expected value under x ~ Bernoulli, a bound and not a density.

    Args:
        logits: Shape (n, ...).
        x: Values in [0, 1], the same shape.
    """
    return binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def gaussian_nll(mean: Tensor, logvar: Tensor, x: Tensor) -> Tensor:
    """-log N(x; mean, exp(logvar)) = 1/2 sum((x - mean)^2 / exp(logvar) + logvar + log 2 pi), shape (n,).

    Args:
        mean: Shape (n, ...).
        logvar: Log-variances, broadcast to the same shape.
        x: The same shape.
    """
    per_value = (x - mean).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)
    return 0.5 * per_value.flatten(1).sum(1)


def gaussian_log_density(x: Tensor, mean: Tensor | float = 0.0, logvar: Tensor | float = 0.0) -> Tensor:
    """Log N(x; mean, exp(logvar)) over the last dimension, shape (..., ) for x of shape (..., d)."""
    logvar = torch.as_tensor(logvar, dtype=x.dtype, device=x.device)
    return -0.5 * ((x - mean).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)).sum(-1)


def squared_error(prediction: Tensor, x: Tensor) -> Tensor:
    """Sum (x - prediction)^2 over an example's values, shape (n,)."""
    return (prediction - x).square().flatten(1).sum(1)
