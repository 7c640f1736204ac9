"""Directions in latent space: found by a linear classifier or by PCA, conditioned on others, and followed.

Reference:
    Shen, Gu, Tang, Zhou. Interpreting the latent space of GANs for semantic face editing. 2020. arXiv 1907.10786.
    Härkönen, Hertzmann, Lehtinen, Paris. GANSpace: discovering interpretable GAN controls. 2020. arXiv 2004.02546.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nacre.errors import NacreError
from nacre.model import Model

FOLDS = 5
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Direction:
    """A direction in latent space, and the linear score that rises along it.

    Args:
        step: What strength 1 adds to a code, shape (latent,).
        score: The weights of the score, shape (latent,), with score . step = 1.
        name: What it does.
        accuracy: Of the linear boundary that the score is normal to, on held-out codes; 0.5 is chance.
        variance: The share of the codes' variance along a principal direction.
    """

    step: Tensor
    score: Tensor
    name: str = ""
    accuracy: float | None = None
    variance: float | None = None

    def move(self, z: Tensor, strength: float) -> Tensor:
        """Codes (n, latent) moved along."""
        return z + strength * self.step.to(z)


def separating_direction(z: Tensor, present: Tensor, *, name: str = "") -> Direction:
    """The direction in which codes go over from those without an attribute to those with it.

    With S the covariance of the codes and n the normal of a separating hyperplane, scaled so that n.z has unit
    variance, the score is n and the step is S n: one standard deviation of the score, by moving every dimension as
    far as it moves with the score. For draws of N(0, I) that is the unit normal itself, as in Shen et al. 2020; codes
    of an encoder differ in scale, and there the plain normal leads along dimensions that the decoder ignores.

    The hyperplane is found by logistic regression on whitened codes with an L2 penalty and both sides weighted
    equally. The accuracy is the mean of both sides', by 5-fold cross-validation.

    Args:
        z: Codes, shape (n, latent).
        present: Which have the attribute, bool (n,): labels, or a scoring function of the decoded examples cut at a
            threshold.
        name: What the direction is called.

    Raises:
        NacreError: There are fewer than five codes on a side, or the codes are all the same.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    fewest = int(min(present.sum(), (~present).sum()))
    if fewest < FOLDS:
        raise NacreError(
            f"a direction toward {name or 'an attribute'} needs at least {FOLDS} codes with it and {FOLDS} without; "
            f"one side has {fewest}; take more codes."
        )
    variances, axes = _axes(z)
    if not len(variances):
        raise NacreError("the codes are all the same, so that no direction leads anywhere; train the model longer.")
    deviations = variances.sqrt()
    x = z.detach().cpu().double()
    white = ((x - x.mean(0)) @ axes.T / deviations).numpy()
    classifier = LogisticRegression(class_weight="balanced", max_iter=1_000)
    y = present.cpu().numpy()
    accuracy = cross_val_score(classifier, white, y, cv=FOLDS, scoring="balanced_accuracy").mean()
    normal = torch.as_tensor(classifier.fit(white, y).coef_[0])
    normal = normal / normal.norm()
    step, score = (normal * deviations) @ axes, (normal / deviations) @ axes
    return Direction(step.to(z), score.to(z), name, accuracy=float(accuracy))


def principal_directions(z: Tensor, k: int) -> list[Direction]:
    """The first k principal components of the codes, by falling variance: directions without any labels.

    Strength 1 is the standard deviation along the component, whose largest entry is positive. Härkönen et al. 2020.

    Args:
        z: Codes, shape (n, latent), n at least 2.
        k: From 1 to the number of dimensions in which the codes differ.

    Raises:
        NacreError: k is out of range.
    """
    variances, axes = _axes(z)
    if not 1 <= k <= len(axes):
        raise NacreError(f"the codes differ in {len(axes)} dimensions, so there are no {k} components; choose fewer.")
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    deviations, shares = variances.sqrt(), variances / variances.sum()
    return [
        Direction(
            (axes[i] * deviations[i]).to(z),
            (axes[i] / deviations[i]).to(z),
            f"component {i}",
            variance=float(shares[i]),
        )
        for i in range(k)
    ]


def _axes(z: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (r,) and unit axes (r, latent) of the codes in float64, falling, without those of no variance."""
    x = z.detach().cpu().double()
    x = x - x.mean(0)
    variances, axes = torch.linalg.eigh(x.T @ x / max(len(x) - 1, 1))
    variances, axes = variances.flip(0), axes.flip(1).T
    some = variances > LEAST_VARIANCE * variances[0].clamp_min(1e-12)
    return variances[some], axes[some]


def conditioned(direction: Direction, keep: Sequence[Direction]) -> Direction:
    """The direction without what would change the scores of others, so that those attributes stay.

    step' ~ step - K (N'K)^-1 N' step with the steps K and the scores N of the others as columns, so that N' step' = 0;
    the length is that of a step of strength 1 again. For draws of N(0, I), where steps and scores are the same unit
    normals, this is their orthogonal complement: Shen et al. 2020 ("conditional manipulation").

    Args:
        direction: What is to change.
        keep: The directions of what is to stay.

    Raises:
        NacreError: Nothing is left of the direction.
    """
    if not keep:
        return direction
    steps, scores = (
        torch.stack([getattr(other, field).cpu().double() for other in keep], 1) for field in ("step", "score")
    )
    inverse = torch.linalg.pinv(scores.T @ steps, rtol=1e-6)  # directions that repeat others take nothing more away
    step, score = direction.step.cpu().double(), direction.score.cpu().double()
    step = step - steps @ (inverse @ (scores.T @ step))
    score = score - scores @ (inverse.T @ (steps.T @ score))
    left = score @ step
    if left < 1e-6:
        names = ", ".join(other.name for other in keep)
        raise NacreError(f"nothing of {direction.name or 'the direction'} is left beside {names}; keep fewer.")
    return replace(
        direction, step=(step / left.sqrt()).to(direction.step), score=(score / left.sqrt()).to(direction.score)
    )


def edit(model: Model, z: Tensor, direction: Direction, strengths: Sequence[float]) -> Tensor:
    """The decoded examples of codes moved along a direction: (n, strengths, *shape).

    Args:
        model: A model that can decode.
        z: Codes, shape (n, latent).
        direction: Where to.
        strengths: How far, in steps of the direction; 0 leaves a code where it is.
    """
    moved = torch.stack([direction.move(z, strength) for strength in strengths], 1)
    return model.decode(moved.flatten(0, 1)).unflatten(0, (len(z), len(strengths)))
