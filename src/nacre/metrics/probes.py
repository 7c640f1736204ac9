"""Classifiers that judge a representation: a linear probe and nearest neighbours, on a few labelled examples."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

Loss = Callable[[Tensor, Tensor], Tensor]
Fit = tuple[Tensor, Tensor]
Judge = Callable[[Tensor, Tensor, Tensor, int], Tensor]

STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
FOLDS, FEW = 5, 500
NEIGHBOURS = (1, 5)
VOTERS = 1_000


def draw(y: Tensor, n: int, seed: int) -> Tensor:
    """The indices of n random examples, as many of each class as there are, int64 (n,).

    The examples of every class are put in a random order, and all firsts are taken, then all seconds and so on; a
    class that runs out leaves its share to the others.

    Args:
        y: Labels (m,), n of m or fewer are drawn.
        n: How many.
        seed: Of the order.
    """
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    hits = one_hot(y[order].long())  # (m, classes)
    rank = (hits.cumsum(0) * hits).sum(1)
    return order[rank.argsort(stable=True)[:n]]


def squared_hinge(scores: Tensor, y: Tensor) -> Tensor:
    """The loss of one linear support vector machine per class: mean of sum_k max(0, 1 - t_k s_k)^2, t_k of -1 or 1."""
    signs = 2 * one_hot(y, scores.shape[1]) - 1
    return (1 - signs * scores).clamp(min=0).square().sum(1).mean()


def fit_linear(
    x: Tensor,
    y: Tensor,
    classes: int,
    strength: float,
    loss: Loss = cross_entropy,
    start: Fit | None = None,
    tolerance: float = 1e-4,
    steps: int = 200,
) -> Fit:
    """Minimise loss(x W + b, y) + strength / 2 |W|^2 by L-BFGS, in the precision of x.

    With the cross-entropy it is scikit-learn's `LogisticRegression`, with `squared_hinge` its `LinearSVC` without a
    penalised intercept, both with C = 1 / (strength n).

    Args:
        x: Features (n, d).
        y: Labels (n,) of 0 to classes - 1.
        classes: Their number k.
        strength: Of the penalty, 0 or more.
        loss: Maps scores (n, k) and labels to their mean loss.
        start: W and b to start from; zeros by default.
        tolerance: The largest partial derivative at which it ends.
        steps: The most iterations.

    Returns:
        W (d, k) and b (k,).

    Reference:
        Liu, Nocedal. On the limited memory BFGS method for large scale optimization. 1989.
    """
    weight, bias = start or (x.new_zeros(x.shape[1], classes), x.new_zeros(classes))
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=tolerance, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        total = loss(x @ weight + bias, y) + strength / 2 * weight.square().sum()
        total.backward()
        return float(total.detach())

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach(), bias.detach()


def linear_probe(x: Tensor, y: Tensor, test: Tensor, classes: int, loss: Loss = cross_entropy) -> Tensor:
    """The labels that a linear classifier gives to test features, (m,).

    The strength of its penalty falls from 1 to 1e-5 by tenths for as long as the loss falls on a held fifth of the
    labelled examples, or on all fifths in turn where there are fewer than 500; then it is fitted to all of them.

    Args:
        x: Features (n, d) of labelled examples in random order, columns of size about 1.
        y: Their labels (n,).
        test: Features (m, d).
        classes: The number of classes.
        loss: The cross-entropy or the squared hinge.
    """
    if x.shape[1] > len(x):
        # W lies in the span of the rows, since the penalty is rotation invariant: nothing is lost by the rotation.
        basis = torch.linalg.qr(x.T).Q  # (d, n)
        x, test = x @ basis, test @ basis
    fold = torch.arange(len(x)) % FOLDS
    folds = [fold == i for i in range(min(FOLDS, len(x)) if len(x) < FEW else 1)]
    starts: Sequence[Fit | None] = [None] * len(folds)
    chosen, best, start = STRENGTHS[0], float("inf"), None
    for strength in STRENGTHS:
        fits = [
            fit_linear(x[~held], y[~held], classes, strength, loss, before, tolerance=1e-3)
            for held, before in zip(folds, starts, strict=True)
        ]
        total = sum(float(loss(x[h] @ weight + bias, y[h])) for h, (weight, bias) in zip(folds, fits, strict=True))
        # The loss has one minimum along the path in practice, and weak penalties take longest. Of equals the stronger
        # stays: fits as loose as these do not tell them apart, the last one would overfit with the weaker.
        if total >= best:
            break
        chosen, best, start, starts = strength, total, fits[0], fits
    weight, bias = fit_linear(x, y, classes, chosen, loss, start)
    return (test @ weight + bias).argmax(1)


def vote(x: Tensor, y: Tensor, test: Tensor, classes: int, k: int, skip: int = 0, chunk: int = 1_000) -> Tensor:
    """The most frequent label among the k nearest examples, (m,); of equally frequent ones the first class.

    Args:
        x: Features (n, d).
        y: Their labels (n,).
        test: Features (m, d).
        classes: The number of classes.
        k: Neighbours that vote, 1 or more; at most n do.
        skip: Nearest examples to leave out first: 1 where the test examples are among x.
        chunk: Test examples at a time.
    """
    k = min(k, len(x) - skip)
    labels = []
    for part in test.split(chunk):
        nearest = torch.cdist(part, x).topk(k + skip, largest=False).indices[:, skip:]
        labels.append(one_hot(y[nearest], classes).sum(1).argmax(1))
    return torch.cat(labels)


def nearest_neighbours(x: Tensor, y: Tensor, test: Tensor, classes: int) -> Tensor:
    """The labels by 1 or 5 nearest neighbours, (m,), whichever errs less on labelled examples left out one at a time.

    Args:
        x: Features (n, d) of labelled examples in random order; at most 1,000 are left out in turn.
        y: Their labels (n,).
        test: Features (m, d).
        classes: The number of classes.
    """
    right = [(vote(x, y, x[:VOTERS], classes, k, skip=1) == y[:VOTERS]).sum() for k in NEIGHBOURS]
    return vote(x, y, test, classes, NEIGHBOURS[int(torch.stack(right).argmax())])


JUDGES: dict[str, Judge] = {
    "probe": linear_probe,
    "svm": partial(linear_probe, loss=squared_hinge),
    "knn": nearest_neighbours,
}


def standardised(x: Tensor, *others: Tensor) -> list[Tensor]:
    """Features with columns of mean 0 and variance at most 1, by the columns of the first.

    Each is divided by the root of its variance plus a hundredth of the mean variance, so that a column that hardly
    varies, such as a pixel at the edge or an unused latent, is not blown up.

    Args:
        x: Features (n, d) that give means and variances.
        others: More features (m, d).
    """
    variance = x.var(0, unbiased=False)
    scale = (variance + 0.01 * variance.mean() + 1e-12).sqrt()
    return [(part - x.mean(0)) / scale for part in (x, *others)]
