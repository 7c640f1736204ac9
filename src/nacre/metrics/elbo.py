"""The evidence lower bound of held-out examples."""

import inspect

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result
from nacre.model import Model

CHEAP = True
QUICK = 500


def has_bound(model: Model) -> bool:
    """Whether the model scores examples by a bound that tightens with the number of `draws`."""
    return model.can("score") and "draws" in inspect.signature(model.score_samples).parameters


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if has_bound(context.model) else "it has no variational bound"


def measure(context: Context) -> list[Result]:
    """The mean of `score_samples` with one draw per example, in nats."""
    x = context.real.x[:QUICK] if context.quick else context.real.x
    scores = context.model.score_samples(x, seed=context.seed).cpu().double()
    protocol = context.protocol(f"1 draw each{binarisation(context)}", n_real=len(x))
    return [
        Result(
            "elbo",
            float(scores.mean()),
            "nats",
            "higher",
            protocol,
            interval=of_mean(scores),
            warnings=context.warnings,
        )
    ]


def binarisation(context: Context) -> str:
    """How a likelihood takes grey values: binarised, its nats are of a probability, else of a density."""
    spec = context.model.spec
    if not spec.bounded or spec.binary:
        return ""
    gaussian = context.model.hparams.get("likelihood", "auto") == "gaussian"
    return " (a density of the grey values)" if gaussian else " (grey values as Bernoulli probabilities)"
