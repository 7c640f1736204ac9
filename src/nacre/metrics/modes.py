"""Which modes of a toy mixture the samples find, how evenly, and how sharply."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.data.toy import Mixture
from nacre.metrics.context import Context
from nacre.metrics.intervals import bootstrap, of_share
from nacre.metrics.result import Protocol, Result

CHEAP = True
RADIUS = 3.0
FAIR = 20


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not isinstance(context.data.density, Mixture):
        return "the data are no mixture with known modes"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """Four results: modes found, share within 3 sd, KL over modes and the width of a mode.

    A mode is found when at least one twentieth of its fair share of the samples lies within 3 sd of it; where a single
    such sample suffices, as often in the literature, the count is `details["touched"]`. Beside each value stand those
    of a perfect sampler and of as many fresh draws from the mixture.

    Reference:
        Srivastava et al. VEEGAN. 2017. Lin et al. PacGAN. 2018. Both count 2,500 samples.
    """
    mixture: Mixture = context.data.density
    x = context.generated.double()
    (k, d), n = mixture.modes.shape, len(x)
    found = judged(x, mixture)
    real = judged(mixture.sample(n, 1_000_003 + context.seed).double(), mixture)  # a seed that no split has

    def protocol(method: str) -> Protocol:
        return context.protocol(method, n_generated=n)

    def references(perfect: float, fresh: float) -> dict[str, float]:
        return {"perfect": perfect, "real examples": fresh}

    return [
        Result("modes", found.modes, f"of {k}", "higher",
               protocol(f"found with 1/{FAIR} of its fair share within 3 sd"),
               references=references(k, real.modes), details={"touched": found.touched}),
        Result("high_quality", found.within, "share within 3 sd", "", protocol(""),
               interval=of_share(found.within, n),
               references=references(chi_square(d, RADIUS), real.within)),
        Result("mode_divergence", found.divergence, "nats", "lower",
               protocol("reverse KL: of the samples over nearest modes from uniform"),
               interval=bootstrap(lambda rows: judged(rows, mixture).divergence, found.divergence, x),
               references=references((k - 1) / (2 * n), real.divergence), details={"shares": found.shares}),
        Result("mode_width", found.width, "of the mode's sd", "",
               protocol("about each found mode's own mean within 3 sd"),
               interval=bootstrap(lambda rows: judged(rows, mixture).width, found.width, x),
               references=references(1.0, real.width)),
    ]  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What samples make of the modes.

    Args:
        modes: How many are found.
        touched: How many have a sample within 3 sd.
        within: The share of the samples within 3 sd of a mode.
        divergence: KL(shares || uniform) in nats.
        width: The standard deviation within found modes, over that of the mixture; 0 if none is found.
        shares: Of the samples by nearest mode.
    """

    modes: float
    touched: int
    within: float
    divergence: float
    width: float
    shares: list[float]


def judged(x: Tensor, mixture: Mixture) -> Judged:
    """Judge samples (n, d), float64."""
    k = len(mixture.modes)
    distance, nearest = torch.cdist(x, mixture.modes.double()).min(1)
    near = distance <= RADIUS * mixture.sd
    hits = nearest[near].bincount(minlength=k)
    found = hits >= max(1.0, len(x) / k / FAIR)
    shares = nearest.bincount(minlength=k).double() / len(x)
    return Judged(
        modes=float(found.sum()),
        touched=int((hits > 0).sum()),
        within=float(near.double().mean()),
        divergence=float(torch.xlogy(shares, shares * k).sum()),
        width=width(x[near], nearest[near], found) / mixture.sd,
        shares=shares.tolist(),
    )


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
