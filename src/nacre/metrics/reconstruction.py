"""How well held-out examples come back from their codes."""

import torch
from torch import Tensor

from nacre.data.spec import Spec
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result
from nacre.nets.conditions import told

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("reconstruct") else "it has no encoder and decoder"


def measure(context: Context) -> list[Result]:
    """The mean of (x - reconstruction)^2 over values and examples, beside that of always answering the mean example.

    A conditional model is told the examples' labels and attributes.

    Where columns have units of their own, it is the mean over known values: a number counts its squared error by the
    column's variance, a category 0 or 1; the mean example has the most frequent categories.
    """
    x, spec = context.real.x.cpu(), context.model.spec
    mixed = spec.mixed or context.data.spec.mixed or bool(x.isnan().any())
    columns = mixed or (spec.kind == "vector" and len(spec.scale) > 1)
    beside = told(context.model, context.real, context.data.spec)
    y = context.model.reconstruct(x, seed=context.seed, **beside).cpu()
    train = context.train.examples(10_000, context.seed).x.cpu()
    if columns:
        error, baseline = unlike(spec, x, y), float(unlike(spec, x, typical(spec, train).expand_as(x)).mean())
    else:
        error = (y - x).square().flatten(1).mean(1).double()
        baseline = float((train.mean(0) - x).square().mean())
    unit = "variances, or categories wrong, per value" if any(spec.categories) else "variances per value"
    return [
        Result(
            "reconstruction",
            float(error.mean()),
            unit if columns else "squared error per value",
            "lower",
            context.protocol(f"told their {' and '.join(beside)}" if beside else "", n_real=len(x)),
            interval=of_mean(error),
            references={"the mean example": baseline},
            warnings=context.warnings,
        )
    ]


def unlike(spec: Spec, x: Tensor, y: Tensor) -> Tensor:
    """How far rows with categories or missing values are from others, the mean over what is known, (n,) float64.

    Args:
        spec: What the columns are.
        x: Rows, NaN where a value is missing (n, d).
        y: The others, without missing values (n, d).
    """
    known = x.isfinite() & y.isfinite()
    category = torch.tensor([bool(names) for names in spec.categories] or [False] * spec.size)
    error = torch.where(category, (x != y.round()).double(), ((x - y).double() / torch.tensor(spec.scale)).square())
    return torch.where(known, error, 0).sum(1) / known.sum(1).clamp(min=1)


def typical(spec: Spec, x: Tensor) -> Tensor:
    """The mean of every column of numbers, and the most frequent category of every other, of what is known: (d,)."""
    columns = []
    for j in range(x.shape[1]):
        known = x[:, j][x[:, j].isfinite()]
        columns.append(known.mode().values if spec.categories and spec.categories[j] else known.mean())
    return torch.stack(columns)
