"""How near an autoencoder comes to the principal components, the best that a linear one can do."""

from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.result import Result
from nacre.model import seeded

CHEAP = False
ON_REQUEST = True
CHUNK = 2_000


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if hasattr(context.model, "prediction") else "it is no autoencoder with a prediction before clamping"


@torch.no_grad()
def measure(context: Context) -> list[Result]:
    """`pca_ratio`, squared errors of model / PCA of as many components, and for a linear model `pca_angle`.

    Both errors are those of held-out examples, not clamped to the data's range; the components are those of all
    training examples. `pca_angle` is the largest principal angle, in degrees, between the components and what the
    decoder spans.

    Reference:
        Baldi, Hornik. Neural networks and principal component analysis. 1989.
    """
    model: Any = context.model
    with seeded(context.seed):
        mean, components = principal_components(context.train.examples().x.cpu().flatten(1), model.latent)
    x = context.real.x.cpu().flatten(1)
    with model.evaluating():
        shaped = x.view(-1, *model.spec.shape).to(model.device)
        predicted = torch.cat([model.prediction(model.features(part)) for part in shaped.split(CHUNK)])
    error = (predicted.cpu().flatten(1).double() - x).square().mean()
    centred = x.double() - mean
    best = (centred - centred @ components @ components.T).square().mean()
    protocol = context.protocol(f"{model.latent} components of {len(context.train):,} examples", n_real=len(x))
    results = [
        Result(
            "pca_ratio",
            float(error / best),
            "",
            "lower",
            protocol,
            references={"PCA's squared error per value": float(best)},
            warnings=context.warnings,
        )
    ]
    if model.hparams.get("activation") == "identity":
        angle = largest_angle(span(model).double().cpu(), components)
        results.append(Result("pca_angle", angle, "degrees", "lower", protocol, warnings=context.warnings))
    return results


def principal_components(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The mean (d,) and the first k principal directions (d, k) of rows, in float64."""
    mean = x.mean(0, dtype=torch.float64)
    covariance = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    for part in x.split(CHUNK):
        centred = part.double() - mean
        covariance.addmm_(centred.T, centred)
    return mean, torch.linalg.eigh(covariance).eigenvectors[:, -k:]


def span(model: Any) -> Tensor:
    """What a linear decoder spans: its answers to the unit codes, less that to the zero code, as columns (d, k)."""
    codes = torch.cat([torch.zeros(1, model.latent), torch.eye(model.latent)]).to(model.device)
    answers = model.prediction(codes).flatten(1)
    return (answers[1:] - answers[0]).T


def largest_angle(a: Tensor, b: Tensor) -> float:
    """The largest principal angle between two column spaces, in degrees: (d, k), (d, k) -> 0 to 90.

    It is asin of the norm of what the second leaves of an orthonormal basis of the first, which is exact near 0.
    """
    a, b = torch.linalg.qr(a)[0], torch.linalg.qr(b)[0]
    sine = torch.linalg.matrix_norm(a - b @ (b.T @ a), ord=2).clamp(max=1)
    return float(torch.rad2deg(torch.asin(sine)))
