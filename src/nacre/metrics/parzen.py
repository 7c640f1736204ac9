"""The Parzen window estimate of the likelihood: a legacy number of early papers, given beside that of real examples."""

import math

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True
VALIDATION = 1_000
WIDEST, NARROWEST, GRID = 2.0, 0.005, 25


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("sample") else "it makes no samples"


def measure(context: Context) -> list[Result]:
    """The mean log-density in nats of held-out examples under Gaussian kernels on the samples.

    As many real training examples get a value of their own beside it, with their own width. Samples may score above
    them, since a blurred sample is a better kernel than a sharp one: nothing is said by a high value (Theis et al.).

    Reference:
        Breuleux, Bengio, Vincent. Quickly generating representative samples from an RBM-derived process. 2011.
        Theis, van den Oord, Bethge. A note on the evaluation of generative models. 2016. arXiv 1511.01844.
    """
    held, validation, real = (rows.flatten(1).double() for rows in parts(context))
    samples = context.generated.flatten(1).double()
    n = min(len(samples), len(real))
    scores, sd = scored(samples[:n], validation, held)
    real_scores, real_sd = scored(real[:n], validation, held)
    value, truth = float(scores.mean()), float(real_scores.mean())
    blurred = "the samples score above real training examples, which no sharp sample does: they are blurred."
    method = f"Gaussian kernels, their width by {len(validation):,} training examples"
    return [
        Result(
            "parzen",
            value,
            "nats",
            "",
            context.protocol(method, n_real=len(held), n_generated=n),
            interval=of_mean(scores),
            references={"real training examples": truth},
            warnings=(*context.warnings, *([blurred] if value > truth else [])),
            details={
                "sd": sd,
                "real_sd": real_sd,
                "standard_error": float(scores.std() / len(scores) ** 0.5),
                "real_standard_error": float(real_scores.std() / len(real_scores) ** 0.5),
            },
        )
    ]


def parts(context: Context) -> tuple[Tensor, Tensor, Tensor]:
    """Examples to score, to choose the width by and to stand for the samples: three disjoint sets.

    Where there is no training split, they are thirds of the data.
    """
    if not context.has_train:
        order = torch.randperm(len(context.real), generator=torch.Generator().manual_seed(context.seed))
        held, validation, real = (context.real.x[index] for index in order.tensor_split(3))
        return held, validation, real
    train = context.train.examples(VALIDATION + context.size, context.seed).x.cpu()
    few = min(VALIDATION, len(train) // 5)
    return context.real.x, train[:few], train[few : few + context.size]


def scored(centers: Tensor, validation: Tensor, held: Tensor) -> tuple[Tensor, float]:
    """The log-density of held examples and the width of the kernels, which suits the validation examples best.

    The width is sought on a geometric grid, then on one between the neighbours of the best.

    Args:
        centers: Of the kernels (n, d).
        validation: Examples (m, d).
        held: Examples (k, d).

    Returns:
        Shape (k,) and a number.
    """
    spread = float(validation.var(0).mean().sqrt().clamp(min=1e-12))
    low, best, high = NARROWEST * spread, spread, WIDEST * spread
    for _ in range(2):
        widths = torch.logspace(math.log10(low), math.log10(high), GRID, dtype=torch.float64)
        place = int(log_density(validation, centers, widths).mean(1).argmax())
        low, best, high = (float(widths[min(max(0, place + step), GRID - 1)]) for step in (-1, 0, 1))
    return log_density(held, centers, torch.tensor([best], dtype=torch.float64))[0], best


def log_density(x: Tensor, centers: Tensor, widths: Tensor, chunk: int = 100) -> Tensor:
    r"""Log 1/n sum_i N(x; c_i, s^2 I) in nats for several widths s at once.

    Args:
        x: Where (m, d), float64.
        centers: c (n, d), float64.
        widths: s (k,), positive.
        chunk: Rows of x at once.

    Shapes:
        (k, m).
    """
    n, d = centers.shape
    constant = math.log(n) + d * (widths.log() + 0.5 * math.log(2 * math.pi))  # (k,)
    parts = []
    for rows in x.split(chunk):
        squares = torch.cdist(rows, centers, compute_mode="use_mm_for_euclid_dist").square()  # (chunk, n)
        parts.append(torch.stack([torch.logsumexp(-squares / (2 * s * s), 1) for s in widths.tolist()]))
    return torch.cat(parts, 1) - constant[:, None]
