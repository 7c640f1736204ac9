"""The share of the samples that lie near the curve of a toy set."""

import torch

from nacre.data.toy import SwissRoll
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_share
from nacre.metrics.result import Result

CHEAP = True
RADIUS = 3.0


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not isinstance(context.data.density, SwissRoll):
        return "the data are no curve with noise"
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """The share within 3 deviations of the noise from the curve, beside that of fresh exact samples."""
    roll = context.data.density
    n = len(context.generated)
    value, fresh = (share(x, roll) for x in (context.generated, roll.sample(n, 1_000_003 + context.seed)))
    return [
        Result(
            "on_manifold",
            value,
            "share within 3 sd",
            "higher",
            context.protocol("distance to the curve", n_generated=n),
            interval=of_share(value, n),
            references={"real examples": fresh},
        )
    ]


def share(x: torch.Tensor, roll: SwissRoll) -> float:
    """The share of points (n, 2) within 3 sd of the curve."""
    # Every 8th node: at most 0.024 apart, which errs by 0.0012 at the distance of 0.06.
    distance = torch.cdist(x.double(), roll.curve[::8]).min(1).values
    return float((distance <= RADIUS * roll.sd).double().mean())
