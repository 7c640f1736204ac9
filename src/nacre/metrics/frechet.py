"""Frechet distance: how far the samples' features are from those of real examples, as two Gaussians."""

from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """The distance between samples and held-out examples, beside the floor: that between two sets of real examples.

    Reference:
        Heusel et al. GANs trained by a two time-scale update rule converge to a local Nash equilibrium. 2017.
    """
    extract = context.extractor
    real, generated = extract(context.real.x), extract(context.generated)
    first, second = floor_features(context, real)
    floor = frechet_distance(first, second)
    few = min(len(real), len(generated)) < 2 * real.shape[1]
    details: dict[str, Any] = {"n_floor": [len(first), len(second)], "dimension": real.shape[1]}
    if extract.classifier is not None and "y" in context.real:
        details["classifier_accuracy"] = extract.classifier.accuracy(context.real)
    protocol = context.protocol(n_real=len(real), n_generated=len(generated), features=extract.name)
    warning = f"{min(len(real), len(generated))} examples are few for a covariance of {real.shape[1]} features."
    return [
        Result(
            "frechet",
            frechet_distance(real, generated),
            "",
            "lower",
            protocol,
            references={"real against real": floor},
            warnings=(*context.warnings, *([warning] if few else [])),
            details=details,
        )
    ]


def floor_features(context: Context, real: Tensor) -> tuple[Tensor, Tensor]:
    """Two disjoint sets of real features: held and training examples, or two halves where there is no split."""
    if not context.has_train:
        half = len(real) // 2
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(context.seed))
        return real[order[:half]], real[order[half:]]
    return real, context.extractor(context.train.examples(context.size, context.seed).x)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance between the Gaussians of two sets of features.

    Args:
        a: Features (n, d), n of 2 or more.
        b: Features (m, d).
    """
    return gaussian_distance(a.mean(0), covariance(a), b.mean(0), covariance(b))


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
    eye = torch.eye(len(cov_a), dtype=torch.float64, device=cov_a.device)
    # A unit that is always 0 makes C1 singular; the jitter lets Cholesky pass, and grows with the features' scale.
    jitter = 1e-10 * max(1.0, float(cov_a.diagonal().mean()))
    factor = torch.linalg.cholesky(cov_a + jitter * eye)
    root = torch.linalg.eigvalsh(factor.T @ cov_b @ factor).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    return max(0.0, float(distance))
