"""Confidence intervals: of a mean, and of any statistic by the bootstrap."""

from collections.abc import Callable

import torch
from torch import Tensor

LEVEL = 1.959964  # the 97.5 % quantile of N(0, 1)


def around(value: float, error: float) -> tuple[float, float]:
    """The 95 % interval of an estimate whose error is normal with this standard deviation."""
    return value - LEVEL * error, value + LEVEL * error


def of_mean(values: Tensor, extra: float = 0.0) -> tuple[float, float]:
    """The 95 % interval of the mean of independent values, shape (n,), n of 2 or more.

    Args:
        values: The values.
        extra: Another independent standard error to add, such as that of log Z.
    """
    values = values.double()
    error = (float(values.var()) / len(values) + extra**2) ** 0.5
    return around(float(values.mean()), error)


def of_share(hits: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n trials, which stays in [0, 1] (Wilson 1927).

    Args:
        hits: The share observed, in [0, 1].
        n: Trials, 1 or more.
    """
    z2 = LEVEL**2
    center = (hits + z2 / (2 * n)) / (1 + z2 / n)
    half = LEVEL / (1 + z2 / n) * (hits * (1 - hits) / n + z2 / (4 * n * n)) ** 0.5
    return 0.0 if hits <= 0 else center - half, 1.0 if hits >= 1 else center + half


def bootstrap(
    statistic: Callable[..., float], value: float, *samples: Tensor, rounds: int = 30, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a statistic of independent samples: value -+ 1.96 sd over resampled rows.

    The spread is taken about the value itself and not from the quantiles, since a statistic that is biased by repeated
    rows, as the Frechet distance is, would shift these.

    Args:
        statistic: Maps tensors of rows to a number.
        value: The statistic of the samples themselves.
        samples: Tensors of rows; each is resampled on its own.
        rounds: Resamples, 2 or more.
        seed: Of the resampling.

    Reference:
        Efron. Bootstrap methods: another look at the jackknife. 1979.
    """
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(rounds):
        drawn = [rows[torch.randint(len(rows), (len(rows),), generator=generator)] for rows in samples]
        values.append(statistic(*drawn))
    return around(value, float(torch.tensor(values, dtype=torch.float64).std()))
