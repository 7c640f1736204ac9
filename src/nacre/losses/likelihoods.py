"""Log-likelihoods, in nats per example: summed over an example's values, never averaged over them."""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x) = -sum(x log p + (1 - x) log(1 - p)) with p = sigmoid(logits), shape (n,).

    For x between 0 and 1 it is the expected value under x ~ Bernoulli, a bound and not a density.

    Args:
        logits: Shape (n, ...).
        x: Values in [0, 1], the same shape.
    """
    return binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def continuous_bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x) of the density C(h) p^x (1 - p)^(1 - x) on [0, 1], p = sigmoid(h), shape (n,).

    The normaliser is C(h) = h / tanh(h / 2), which is 2 at h = 0.

    Args:
        logits: h, shape (n, ...).
        x: Values in [0, 1], the same shape.

    Reference:
        Loaiza-Ganem, Cunningham. The continuous Bernoulli: fixing a pervasive error in variational autoencoders. 2019.
    """
    square = logits.square()
    near = square < 0.01  # there h / tanh(h / 2) is 0 / 0; the series is right to 1e-9
    safe = torch.where(near, torch.ones_like(logits), logits)
    log_normaliser = torch.where(
        near, math.log(2) + square / 12 - 7 * square.square() / 1440, (safe / torch.tanh(safe / 2)).log()
    )
    return bernoulli_nll(logits, x) - log_normaliser.flatten(1).sum(1)


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """The mean of the continuous Bernoulli, sigmoid(h) / tanh(h / 2) - 1 / h, which is 1/2 at h = 0; same shape."""
    near = logits.square() < 0.01
    safe = torch.where(near, torch.ones_like(logits), logits)
    series = 0.5 + logits / 12 - logits**3 / 720
    return torch.where(near, series, safe.sigmoid() / torch.tanh(safe / 2) - 1 / safe)


def continuous_bernoulli_draw(logits: Tensor) -> Tensor:
    """Draws of the continuous Bernoulli, F^-1(u) = log(1 + u (exp(h) - 1)) / h with u uniform on [0, 1]; same shape."""
    u = torch.rand_like(logits)
    sure = logits.abs()  # F^-1 for -h is 1 - F^-1(1 - u) for h; here no exponential overflows
    near = sure < 1e-3
    safe = torch.where(near, torch.ones_like(sure), sure)
    above = 1 + torch.log(u + (1 - u) * (-safe).exp()) / safe
    return torch.where(near, u, torch.where(logits < 0, 1 - above, above)).clamp(0, 1)


def discretised_logistic_nll(mean: Tensor, logscale: Tensor, x: Tensor, levels: int = 256) -> Tensor:
    """-log p(x) of x in {0, 1, ..., levels - 1} / (levels - 1) under a logistic distribution cut into bins, shape (n,).

    P(x) = F(x + w/2) - F(x - w/2), w = 1 / (levels - 1), F(t) = sigmoid((t - mean) / scale); the outermost bins reach
    to infinity, so that the probabilities sum to 1.

    Args:
        mean: Shape (n, ...).
        logscale: Logarithm of the scale, broadcast to the same shape.
        x: Values in [0, 1], the same shape.
        levels: Values that a pixel can have, 2 or more.

    Reference:
        Kingma et al. Improving variational inference with inverse autoregressive flow. 2016. Salimans et al.
        PixelCNN++. 2017.
    """
    half = 0.5 / (levels - 1)
    inverse = (-logscale).exp()
    upper, lower = (x + half - mean) * inverse, (x - half - mean) * inverse
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): no difference of close numbers is taken.
    width = torch.log(-torch.expm1(-2 * half * inverse))
    inside = logsigmoid(upper) + logsigmoid(-lower) + width
    log_p = torch.where(x < half, logsigmoid(upper), torch.where(x > 1 - half, logsigmoid(-lower), inside))
    return -log_p.flatten(1).sum(1)


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
    if not isinstance(logvar, Tensor):
        logvar = x.new_full((), logvar)  # filled on the device: a copy of a number would wait for it
    return -0.5 * ((x - mean).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)).sum(-1)


def mixture_log_density(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """Log 1/k sum_i N(x; mean_i, exp(logvar_i)) in the precision of x, shape (n,).

    |x - mean|^2 / var is taken apart into three matrix products, so that no (n, k, d) is stored; they are done in
    float64, since what is left when large numbers cancel is the density.

    Args:
        x: Shape (n, d).
        mean: Of the components (k, d).
        logvar: Their log-variances (k, d).
    """
    z, mean, logvar = (part.double() for part in (x, mean, logvar))
    precision = (-logvar).exp()
    constant = (mean.square() * precision + logvar).sum(1) + z.shape[1] * math.log(2 * math.pi)
    of_components = (z.square() @ precision.T - 2 * z @ (mean * precision).T + constant) / -2  # (n, k)
    return (of_components.logsumexp(1) - math.log(len(mean))).to(x.dtype)


def squared_error(prediction: Tensor, x: Tensor) -> Tensor:
    """Sum (x - prediction)^2 over an example's values, shape (n,)."""
    return (prediction - x).square().flatten(1).sum(1)
