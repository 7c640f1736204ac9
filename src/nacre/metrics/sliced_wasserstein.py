"""Sliced Wasserstein distance between samples and real points, beside that of real points to each other."""

import math
from typing import Any

import torch
from torch import Tensor

from nacre.data.toy import Mixture, SwissRoll
from nacre.metrics.context import Context
from nacre.metrics.intervals import bootstrap
from nacre.metrics.result import Result

CHEAP = True
DIRECTIONS = 100
ROUNDS = 20
FLOORS = 5


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if context.data.spec.kind != "vector":
        return f"the data are {context.data.spec.kind}s; the Frechet distance compares these"
    if context.data.spec.mixed:
        return "the data have categories or missing values; two_sample compares these"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """The distance of order 2 between the samples and as many held-out points; that of order 1 is in the details.

    Columns are divided by their deviation in the training data, unless the data are a toy set in the plane.

    Reference:
        Rabin, Peyre, Delon, Bernot. Wasserstein barycenter and its application to texture mixing. 2011.
    """
    spec, toy = context.data.spec, context.data.density is not None
    scale = torch.ones(1) if toy else torch.tensor(spec.scale)
    real, generated = (rows.double() / scale for rows in (context.real.x, context.generated))
    lines = directions(spec.size, DIRECTIONS, context.seed)
    value = sliced_wasserstein(real, generated, lines)
    floors = [sliced_wasserstein(a.double() / scale, b.double() / scale, lines) for a, b in pairs(context)]
    floor = sum(floors) / len(floors)

    def distance(a: Tensor, b: Tensor) -> float:
        return sliced_wasserstein(a, b, lines)

    details: dict[str, Any] = {"order_1": sliced_wasserstein(real, generated, lines, 1), "floors": floors}
    return [
        Result(
            "sliced_wasserstein",
            value,
            "" if toy else "deviations of the columns",
            "lower",
            context.protocol(f"order 2, {DIRECTIONS} directions", n_real=len(real), n_generated=len(generated)),
            interval=bootstrap(distance, value, real, generated, rounds=ROUNDS, seed=context.seed),
            references={"real against real": floor},
            warnings=context.warnings,
            details={**details, "ratio": value / floor if floor else math.inf},
        )
    ]


def pairs(context: Context) -> list[tuple[Tensor, Tensor]]:
    """Sets of real points to compare: the held ones with fresh ones of a toy set, with training ones, or halves."""
    real, density = context.real.x, context.data.density
    if isinstance(density, Mixture | SwissRoll):
        # Seeds far from those of the splits; see `nacre.data.toy.draw`.
        return [(real, density.sample(len(context.generated), 1_000_003 + context.seed + i)) for i in range(FLOORS)]
    if context.has_train:
        return [(real, context.train.examples(len(context.generated), context.seed).x.cpu())]
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(context.seed))
    half = len(real) // 2
    return [(real[order[:half]], real[order[half:]])]


def directions(d: int, count: int, seed: int = 0) -> Tensor:
    """Unit vectors (d, count) in float64: evenly spaced in the plane, else uniform on the sphere."""
    if d == 2:
        angle = torch.arange(count, dtype=torch.float64) * (math.pi / count)
        return torch.stack([angle.cos(), angle.sin()])
    lines = torch.randn(d, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return lines / lines.norm(dim=0)


def sliced_wasserstein(a: Tensor, b: Tensor, lines: Tensor, order: int = 2) -> float:
    r"""The p-th root of the mean over directions of W_p^p between the projections, in the units of the data.

    $$W_p^p = \int_0^1 |F_a^{-1}(u) - F_b^{-1}(u)|^p\, du$$

    It is exact for any two sizes: the quantile functions are constant between the steps of both.

    Args:
        a: Points (n, d), float64.
        b: Points (m, d), float64.
        lines: Unit vectors (d, k).
        order: p, 1 or 2.
    """
    first, second = ((x @ lines).sort(0).values for x in (a, b))  # (n, k), (m, k)
    n, m = len(a), len(b)
    if n == m:
        gaps = (first - second).abs().pow(order).mean(0)
        return float(gaps.mean() ** (1 / order))
    # Multiples of 1/n and 1/m as whole numbers of 1/(n m), so that equal steps are found equal.
    steps = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
    width = steps.diff(prepend=torch.zeros(1, dtype=steps.dtype)).double() / (n * m)
    gaps = (first[(steps - 1) // m] - second[(steps - 1) // n]).abs().pow(order)
    return float((width @ gaps).mean() ** (1 / order))
