"""Which modes of a toy mixture the samples find, how evenly, and how sharply."""

import math

import torch
from torch import Tensor

from nacre.data.toy import Mixture
from nacre.metrics.context import Context
from nacre.metrics.result import Protocol, Result

CHEAP = True
RADIUS = 3.0


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not isinstance(context.data.density, Mixture):
        return "the data are no mixture with known modes"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """Four results: modes found, share within 3 sd, KL over modes and the width of a mode.

    A mode is found when at least one twentieth of its fair share of the samples lies within 3 sd of it.
    """
    mixture = context.data.density
    x = context.generated.double()
    k, d = mixture.modes.shape
    distance, nearest = torch.cdist(x, mixture.modes.double()).min(1)
    near = distance <= RADIUS * mixture.sd
    found = nearest[near].bincount(minlength=k) >= max(1.0, len(x) / k / 20)
    shares = nearest.bincount(minlength=k) / len(x)
    used = shares[shares > 0]
    within, ideal = float(near.double().mean()), chi_square(d, RADIUS)

    def protocol(method: str) -> Protocol:
        return context.protocol(method, n_generated=len(x))

    return [
        Result("modes", float(found.sum()), f"of {k}", "higher",
               protocol("found with 1/20 of its fair share within 3 sd"), references={"perfect": float(k)}),
        Result("high_quality", within, "share within 3 sd", "", protocol(""), references={"perfect": ideal}),
        Result("mode_divergence", float((used * (used * k).log()).sum()), "nats", "lower",
               protocol("KL(samples || uniform) over nearest modes"),
               references={"perfect": (k - 1) / (2 * len(x))}, details={"shares": shares.tolist()}),
        Result("mode_width", width(x[near], nearest[near], found) / mixture.sd, "of the mode's sd", "",
               protocol("about each found mode's own mean within 3 sd"), references={"perfect": 1.0}),
    ]  # fmt: skip


def width(x: Tensor, mode: Tensor, found: Tensor) -> float:
    """The standard deviation within the found modes, corrected for the samples beyond 3 sd that are left out.

    Args:
        x: Samples within 3 sd of their mode (n, d).
        mode: Their modes (n,).
        found: Which modes are found (k,), bool.
    """
    d = x.shape[1]
    squares, freedom = 0.0, 0
    for i in found.nonzero().flatten().tolist():
        own = x[mode == i]
        squares += float((own - own.mean(0)).square().sum())
        freedom += (len(own) - 1) * d
    kept = chi_square(d + 2, RADIUS) / chi_square(d, RADIUS)
    return math.sqrt(squares / freedom / kept) if freedom else 0.0


def chi_square(d: int, radius: float) -> float:
    """The probability that a standard normal vector of d dimensions is no longer than `radius`."""
    return float(torch.special.gammainc(torch.tensor(d / 2.0), torch.tensor(radius**2 / 2)))
