"""The evidence lower bound of held-out examples and its split into reconstruction and divergence."""

import inspect
import math
from typing import Any

from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.intervals import of_mean
from nacre.metrics.result import Result
from nacre.model import Model

CHEAP = True
QUICK = 500
ACTIVE = 0.01


def has_bound(model: Model) -> bool:
    """Whether the model scores examples by a bound that tightens with the number of `draws`."""
    return model.can("score") and "draws" in inspect.signature(model.score_samples).parameters


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if has_bound(context.model) or context.model.can("bound_terms") else "it has no variational bound"


def measure(context: Context) -> list[Result]:
    """The ELBO, and where the model gives its terms: distortion, rate and active units.

    ELBO = -distortion - rate, with the distortion E[-log p(x|z)] by one draw of z and the rate KL(q(z|x) || p(z)) in
    closed form, or by that draw where the prior does not factorise. A unit of z is active where the mean of q(z|x)
    varies over the data by more than 0.01.

    Reference:
        Alemi et al. Fixing a broken ELBO. 2018. Burda, Grosse, Salakhutdinov. Importance weighted autoencoders. 2016.
    """
    model: Any = context.model
    x = context.real.x[:QUICK] if context.quick else context.real.x
    if not model.can("bound_terms"):
        return [of_values(context, "elbo", model.score_samples(x, seed=context.seed), "higher", "1 draw each")]
    terms = model.bound_terms(x, seed=context.seed).cpu().double()
    distortion, divergence = terms[:, 0], terms[:, 1:]
    rate = divergence.sum(1)
    units = getattr(getattr(model, "latents", None), "units", 0)
    by_unit = {"by_unit": divergence.mean(0).tolist()} if divergence.shape[1] == units else {}
    results = [
        of_values(context, "elbo", -distortion - rate, "higher", "1 draw each", **bits(model, distortion + rate)),
        of_values(context, "distortion", distortion, "", "-log p(x|z), 1 draw each"),
        of_values(context, "rate", rate, "", "KL(q(z|x) || p(z))", **by_unit),
    ]
    return [*results, active_units(context, x, units)] if units else results


def active_units(context: Context, x: Tensor, units: int) -> Result:
    """How many units of z have a mean that varies over examples x (n, *shape)."""
    variances = variance_of_units(context.model.encode(x, seed=context.seed).cpu(), units)
    return Result(
        "active_units",
        float((variances > ACTIVE).sum()),
        f"of {len(variances)}",
        "",
        context.protocol(f"variance of the mean of q(z|x) above {ACTIVE}", n_real=len(x)),
        warnings=context.warnings,
        details={"variances": variances.tolist()},
    )


def of_values(context: Context, name: str, values: Tensor, better: Any, how: str, **details: Any) -> Result:
    """The mean of values (n,) in nats with its interval."""
    values = values.cpu().double()
    return Result(
        name,
        float(values.mean()),
        "nats",
        better,
        context.protocol(f"{how}{kind_of_values(context.model)}", n_real=len(values)),
        interval=of_mean(values),
        warnings=context.warnings,
        details={**details, "standard_error": float(values.std() / len(values) ** 0.5)},
    )


def variance_of_units(codes: Tensor, units: int) -> Tensor:
    """How much the codes vary over the data, by unit: (n, units * k) -> (units,).

    A categorical unit has k values, whose variances are added.
    """
    return codes.double().view(len(codes), units, -1).var(0).sum(1)


def bits(model: Model, nats: Tensor) -> dict[str, float]:
    """The mean in bits per dimension, where the likelihood is of a probability and the values are what was modelled."""
    if kind_of_values(model) or not model.spec.bounded:
        return {}
    return {"bits_per_dimension": float(nats.mean()) / (model.spec.size * math.log(2))}


def kind_of_values(model: Model) -> str:
    """How a likelihood takes grey values, in brackets for the protocol; empty for vectors and for 0 and 1.

    The nats of a density, of a probability of grey levels and of a binarised image do not compare.
    """
    from nacre.nets.likelihood import DiscretisedLogistic
    from nacre.nets.table import TableLikelihood

    likelihood: Any = getattr(model, "likelihood", None)
    if not model.spec.bounded:
        return ""
    if getattr(likelihood, "density", False):
        return " (a density of the values)"
    if isinstance(likelihood, DiscretisedLogistic | TableLikelihood):
        return ""
    return "" if model.spec.binary else " (grey values as Bernoulli probabilities)"
