"""Precision and recall: the share of samples that look real, and the share of real examples that the samples reach."""

from torch import Tensor

from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.intervals import of_share
from nacre.metrics.neighbours import membership, radii
from nacre.metrics.result import Result

CHEAP = True
NEIGHBOURS = 3


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return embedded.obstacle(context, least=NEIGHBOURS + 1)


def measure(context: Context) -> list[Result]:
    """Two results, on as many samples as real examples.

    Precision alone does not see a collapsed sampler; recall does.

    Reference:
        Kynkaanniemi, Karras, Laine, Lehtinen, Aila. Improved precision and recall metric for assessing generative
        models. 2019.
    """
    compared = context.embedded
    real, generated = embedded.even(compared.real, compared.generated, context.seed)
    lines = {"real against real": precision_recall(*embedded.even(*compared.floor, context.seed))}
    if not context.quick:
        lines["noisy reals"] = precision_recall(*embedded.even(*compared.noisy, context.seed))
    values = precision_recall(real, generated)
    return [
        Result(
            name,
            values[i],
            f"share of {of}",
            "higher",
            compared.protocol(f"k = {NEIGHBOURS}", len(real)),
            of_share(values[i], len(real)),
            references={line: pair[i] for line, pair in lines.items()},
            warnings=compared.warnings,
            details={**compared.details, "interval": f"Wilson, of {of}, the others as given"},
        )
        for i, (name, of) in enumerate([("precision", "the samples"), ("recall", "the real examples")])
    ]


def precision_recall(real: Tensor, generated: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """The share of samples within a real example's distance to its k-th neighbour, and the same the other way round.

    Args:
        real: Features (n, d), n above k.
        generated: Features (m, d), m above k.
        k: Neighbours, 1 or more.
    """
    counts, _, reached = membership(generated, real, radii(generated, k), radii(real, k))
    return float((counts > 0).double().mean()), float(reached.double().mean())
