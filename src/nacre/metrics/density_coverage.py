"""Density and coverage: how deep the samples lie among real examples, and the share of these with a sample nearby."""

import torch
from torch import Tensor

from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean, of_share
from nacre.metrics.neighbours import membership, radii
from nacre.metrics.result import Result

CHEAP = False
NEIGHBOURS = 5


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return embedded.obstacle(context, least=NEIGHBOURS + 1)


def measure(context: Context) -> list[Result]:
    """Two results, on as many samples as real examples: both near the floor's for a perfect model.

    Balls are put around real examples only, so that one odd sample cannot claim many of them, as it can for recall.
    Density may exceed 1 where samples crowd in dense places; 1 - 1/2^k is the coverage of a perfect model.

    Reference:
        Naeem, Oh, Uh, Choi, Yoo. Reliable fidelity and diversity metrics for generative models. 2020.
    """
    compared = context.embedded
    real, generated = embedded.even(compared.real, compared.generated, context.seed)
    lines = {"real against real": density_coverage(*embedded.even(*compared.floor, context.seed))}
    if not context.quick:
        lines["noisy reals"] = density_coverage(*embedded.even(*compared.noisy, context.seed))
    depths, covered = balls(real, generated)
    density, coverage = float(depths.mean()), float(covered.double().mean())
    protocol = compared.protocol(f"k = {NEIGHBOURS}", len(real))
    common = {"protocol": protocol, "better": "higher", "warnings": compared.warnings}
    return [
        Result(
            "density",
            density,
            "of that of real examples",
            interval=of_mean(depths),
            references={line: values[0] for line, values in lines.items()},
            details={**compared.details, "interval": "normal, of the samples, the real examples as given"},
            **common,
        ),
        Result(
            "coverage",
            coverage,
            "share of the real examples",
            interval=of_share(coverage, len(real)),
            references={line: values[1] for line, values in lines.items()},
            details={**compared.details, "interval": "Wilson, of the real examples, the samples as given"},
            **common,
        ),
    ]


def density_coverage(real: Tensor, generated: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """The mean of `balls`: (1/k m) sum_j sum_i 1[y_j in B_i], and (1/n) sum_i 1[some y_j in B_i]."""
    depths, covered = balls(real, generated, k)
    return float(depths.mean()), float(covered.double().mean())


def balls(real: Tensor, generated: Tensor, k: int = NEIGHBOURS) -> tuple[Tensor, Tensor]:
    """In how many balls B_i around real examples each sample lies, over k, and which balls hold a sample.

    B_i reaches to the k-th nearest other real example.

    Args:
        real: Features (n, d), n above k.
        generated: Features (m, d).
        k: Neighbours, 1 or more.

    Returns:
        float64 (m,) and bool (n,).
    """
    counts, covered, _ = membership(generated, real, torch.zeros(len(generated)), radii(real, k))
    return counts.double() / k, covered
