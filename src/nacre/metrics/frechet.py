"""Frechet distance: how far the samples' features are from those of real examples, as two Gaussians."""

from typing import Any

import torch
from torch import Tensor

from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.intervals import bootstrap
from nacre.metrics.result import Result

CHEAP = True
ROUNDS, ROUNDS_WIDE = 30, 10  # of the bootstrap; a round on 10,000 x 2,048 features takes a second or two


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return embedded.obstacle(context, least=2)


def measure(context: Context) -> list[Result]:
    """The distance between samples and held-out examples, beside those of other real examples and of noisy ones.

    The estimate is too high by a term of order 1/n, as the floor is, so that values compare at equal n only.

    Reference:
        Heusel et al. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. 2017.
        Chong, Forsyth. Effectively unbiased FID and inception score and where to find them. 2020.
    """
    compared = context.embedded
    real, generated = compared.real, compared.generated
    value, interval = frechet_distance(real, generated), None
    details: dict[str, Any] = {**compared.details, "dimension": real.shape[1]}
    if compared.extract.classifier is not None and "y" in context.real:
        details["classifier_accuracy"] = compared.extract.classifier.accuracy(context.real)
    if not context.quick:
        rounds = ROUNDS if real.shape[1] <= 512 else ROUNDS_WIDE
        low, high = bootstrap(frechet_distance, value, real, generated, rounds=rounds, seed=context.seed)
        interval = max(0.0, low), high
        details["interval"] = f"bootstrap of both sets, {rounds} rounds"
    few = min(len(real), len(generated))
    warning = f"{few} examples are few for a covariance of {real.shape[1]} features, which raises the Frechet distance."
    return [
        Result(
            "frechet",
            value,
            "",
            "lower",
            compared.protocol(),
            interval,
            references=compared.references(frechet_distance),
            warnings=(*compared.warnings, *([warning] if few < 2 * real.shape[1] else [])),
            details=details,
        )
    ]


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance between the Gaussians of two sets of features, in float64.

    The factor of the smaller set's covariance is its centred rows themselves where they are fewer than the features.

    Args:
        a: Features (n, d), n of 2 or more.
        b: Features (m, d), m of 2 or more.
    """
    if len(a) > len(b):
        a, b = b, a
    a, b = a.double(), b.double()
    mean_a, mean_b = a.mean(0), b.mean(0)
    if len(a) > a.shape[1]:
        return gaussian_distance(mean_a, covariance(a), mean_b, covariance(b))
    rows = (a - mean_a) / (len(a) - 1) ** 0.5
    across = (b - mean_b) @ rows.T / (len(b) - 1) ** 0.5  # (m, n), whose singular values are the root's eigenvalues
    variances = a.var(0).sum() + b.var(0).sum()
    return distance(mean_a, mean_b, variances, across.T @ across)


def covariance(x: Tensor) -> Tensor:
    """The unbiased covariance of rows in float64: (n, d) -> (d, d)."""
    return torch.cov(x.double().T).reshape(x.shape[1], x.shape[1])


def gaussian_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) in float64.

    C1 C2 has the eigenvalues of L' C2 L with C1 = L L', which is symmetric: no matrix square root is needed.

    Args:
        mean_a: m1 (d,).
        cov_a: C1 (d, d), positive semidefinite.
        mean_b: m2 (d,).
        cov_b: C2 (d, d), positive semidefinite.
    """
    mean_a, cov_a, mean_b, cov_b = (value.double() for value in (mean_a, cov_a, mean_b, cov_b))
    factor, failed = torch.linalg.cholesky_ex(cov_a)
    if failed:  # singular, as with a unit that is always 0
        values, vectors = torch.linalg.eigh(cov_a)
        factor = vectors * values.clamp(min=0).sqrt()
    return distance(mean_a, mean_b, cov_a.trace() + cov_b.trace(), factor.T @ cov_b @ factor)


def distance(mean_a: Tensor, mean_b: Tensor, variances: Tensor, product: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2) - 2 tr(P^(1/2)), for a symmetric P with the eigenvalues of C1 C2 that are not 0."""
    root = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum()
    return max(0.0, float((mean_a - mean_b).square().sum() + variances - 2 * root))
