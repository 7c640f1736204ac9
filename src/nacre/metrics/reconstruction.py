"""How well held-out examples come back from their codes."""

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result

CHEAP = True


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("reconstruct") else "it has no encoder and decoder"


def measure(context: Context) -> list[Result]:
    """The mean of (x - reconstruction)^2 over values and examples, beside that of always answering the mean example."""
    x = context.real.x
    error = (context.model.reconstruct(x, seed=context.seed).cpu() - x).square().flatten(1).mean(1).double()
    mean = context.train.examples(10_000, context.seed).x.cpu().mean(0)
    baseline = float((mean - x).square().mean())
    return [
        Result(
            "reconstruction",
            float(error.mean()),
            "squared error per value",
            "lower",
            context.protocol(n_real=len(x)),
            interval=of_mean(error),
            references={"the mean example": baseline},
            warnings=context.warnings,
        )
    ]
