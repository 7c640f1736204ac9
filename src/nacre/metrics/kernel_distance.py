"""Kernel distance: the squared maximum mean discrepancy between samples and real examples, without bias."""

import torch
from torch import Tensor

from nacre.metrics import embedded
from nacre.metrics.context import Context
from nacre.metrics.intervals import around
from nacre.metrics.result import Result

CHEAP = False
SUBSETS, SIZE = 100, 1_000


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return embedded.obstacle(context, least=4)


def measure(context: Context) -> list[Result]:
    """The mean over subsets of the unbiased estimate; around 0, also below, for samples as good as real examples.

    On Inception features it is the kernel inception distance, which others often print times 1,000; other features are
    divided by the root of the mean square of the real ones.

    Subsets hold 1,000 examples, or half of those there are; their spread gives the interval.

    Reference:
        Binkowski, Sutherland, Arbel, Gretton. Demystifying MMD GANs. 2018.
        Shao, Wu. A general theory for jackknife variance estimation. 1989.
    """
    compared = context.embedded
    real, generated = compared.real, compared.generated
    smallest = min(len(rows) for pair in ((real, generated), compared.floor) for rows in pair)
    size, subsets = min(SIZE, smallest // 2), SUBSETS // 5 if context.quick else SUBSETS

    # The kernel has a scale of its own: far below it only means would count, far above it only the largest values.
    published = context.features == "inception"
    scale = 1.0 if published else 1 / max(1e-12, float(real.square().mean())) ** 0.5
    method = f"{subsets} subsets of {size}, kernel (x'y/d + 1)^3{'' if published else ' at mean square 1'}"

    def estimates(a: Tensor, b: Tensor) -> Tensor:
        return subset_discrepancies(scale * a, scale * b, subsets, size, context.seed)

    values = estimates(real, generated)
    value = float(values.mean())
    rest = min(len(real), len(generated)) - size
    error = float(values.std()) * (size / rest + 1 / subsets) ** 0.5
    return [
        Result(
            "kernel_distance",
            value,
            "",
            "lower",
            compared.protocol(method),
            around(value, error),
            references=compared.references(lambda a, b: float(estimates(a, b).mean())),
            warnings=compared.warnings,
            details={
                **compared.details,
                "interval": "delete-d jackknife over the subsets, with their Monte Carlo error",
                "subset_sd": float(values.std()),
            },
        )
    ]


def subset_discrepancies(a: Tensor, b: Tensor, subsets: int, size: int, seed: int) -> Tensor:
    """The unbiased squared discrepancies of random subsets, float64 (subsets,).

    Args:
        a: Features (n, d).
        b: Features (m, d).
        subsets: How many, drawn each on its own without replacement.
        size: Rows of each, 2 to min(n, m).
        seed: Of the draws.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(rows: Tensor) -> Tensor:
        return rows[torch.randperm(len(rows), generator=generator)[:size]]

    return torch.tensor([discrepancy(draw(a), draw(b)) for _ in range(subsets)], dtype=torch.float64)


def discrepancy(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy with k(x, y) = (x'y/d + 1)^3, in float64.

    sum_(i != j) k(a_i, a_j) / n(n-1) + sum_(i != j) k(b_i, b_j) / m(m-1) - 2 sum_ij k(a_i, b_j) / nm.

    Args:
        a: Features (n, d), n of 2 or more.
        b: Features (m, d), m of 2 or more.

    Reference:
        Gretton, Borgwardt, Rasch, Schoelkopf, Smola. A kernel two-sample test. 2012. Lemma 6.
    """
    a, b = a.double(), b.double()

    def within(x: Tensor) -> Tensor:
        return (kernel(x @ x.T, x.shape[1]).sum() - kernel(x.square().sum(1), x.shape[1]).sum()) / len(x) / (len(x) - 1)

    return float(within(a) + within(b) - 2 * kernel(a @ b.T, a.shape[1]).mean())


def kernel(products: Tensor, d: int) -> Tensor:
    """(x'y/d + 1)^3 of inner products x'y."""
    values = (products / d).add_(1)
    return values.square().mul_(values)
