"""The log-likelihood of held-out examples: exact, by annealed importance sampling, or as a tight bound."""

import inspect
from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.elbo import has_bound, kind_of_values
from nacre.metrics.intervals import of_mean
from nacre.metrics.partition import CHAINS, log_partition
from nacre.metrics.result import Result
from nacre.model import Model

CHEAP = False
MANY_DRAWS, ROWS = 100, 1_000
FEW = 5  # effective draws of the latent, below which the bound is loose
WIDE_GAP = 0.5  # nats between the two directions of annealing


def is_machine(model: Model) -> bool:
    """Whether the model is a restricted Boltzmann machine: it scores given log Z and has plain weights."""
    machine: Any = getattr(model, "machine", None)
    return hasattr(machine, "plain") and "log_z" in inspect.signature(model.score_samples).parameters


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("score") else "its density is implicit"


def measure(context: Context) -> list[Result]:
    """The mean log-likelihood in nats, with its standard error.

    A model with an encoder is scored by importance sampling with `context.draws` draws per example, which is too low
    on average and rises to the likelihood with their number; with 100 draws or more at most 1,000 examples are scored,
    a random subset. A machine has its log Z summed up, or annealed in both directions.
    """
    if is_machine(context.model):
        return of_machine(context)
    if context.model.can("importance") or has_bound(context.model):
        return [of_encoder(context)]
    scores = context.model.score_samples(context.real.x, seed=context.seed)
    how = "a bound, for the one code of each" if context.model.can("bound_terms") else "the model's own density"
    return [result(context, scores, how)]


def of_encoder(context: Context) -> Result:
    """The importance-weighted bound of a model with an encoder."""
    model: Any = context.model
    n = min(context.n, ROWS) if context.draws >= MANY_DRAWS else context.n
    x = context.held.examples(n, context.seed).x.cpu()
    how = f"importance-sampled with {context.draws:,} draws"
    if not model.can("importance"):
        return result(context, model.score_samples(x, seed=context.seed, draws=context.draws), how)
    scores, effective = model.importance(x, seed=context.seed, draws=context.draws).unbind(1)
    median = float(effective.median())
    loose = f"half of the examples have fewer than {median:.1f} effective draws of {context.draws:,}; raise draws."
    details = {"draws": context.draws, "effective_draws": float(effective.mean()), "effective_draws_median": median}
    return result(context, scores, how, details, warnings=(loose,) if median < min(FEW, context.draws) else ())


def of_machine(context: Context) -> list[Result]:
    """-F(v) - log Z of a machine, and where log Z is estimated the gap between its two directions."""
    model: Any = context.model
    partition = log_partition(*plain_weights(model), base=data_base(context), seed=context.seed)
    scores = model.score_samples(context.real.x, seed=context.seed, log_z=partition.value).cpu().double()
    how, details = f"log Z {partition.method}", {"log_z": partition.value}
    if partition.exact:
        return [result(context, scores, how, details)]
    gap, size = partition.gap, partition.effective_sample_size
    warnings = []
    if gap > WIDE_GAP:
        warnings.append(f"the two directions of annealing differ by {gap:.2g} nats, so the likelihood may be too high.")
    if size < CHAINS / 10:
        warnings.append(f"log Z rests on {size:.1f} effective chains; the interval is too narrow.")
    details |= {
        "log_z_sd": partition.sd,
        "log_z_reverse": partition.upper,
        "log_z_reverse_sd": partition.upper_sd,
        "effective_sample_size": size,
    }
    likelihood = result(
        context,
        scores,
        how,
        details,
        log_z_error=partition.sd,
        references={"with log Z by reverse annealing": float(scores.mean()) - gap},
        warnings=tuple(warnings),
    )
    protocol = context.protocol(f"reverse minus forward log Z, {partition.method}")
    return [likelihood, Result("ais_gap", gap, "nats", "lower", protocol, interval=partition.gap_interval)]


def plain_weights(model: Any) -> list[Tensor]:
    """W, b and c of a machine in float64, where annealing is fast."""
    weights = [weight.detach() for weight in model.machine.plain()]
    return [(weight if weight.is_cuda else weight.cpu()).double() for weight in weights]


def data_base(context: Context) -> Tensor:
    """The biases of independent units with the data's means: annealing from there needs fewer temperatures."""
    mean = context.train.examples(10_000, context.seed).x.flatten(1).mean(0).clamp(0.01, 0.99)
    return torch.logit(mean.double())


def result(
    context: Context,
    scores: Tensor,
    how: str,
    details: dict[str, Any] | None = None,
    *,
    log_z_error: float = 0.0,
    references: dict[str, float] | None = None,
    warnings: tuple[str, ...] = (),
) -> Result:
    """The mean of scores (n,) with its error, which log Z's own error adds to."""
    scores = scores.cpu().double()
    error = (float(scores.var()) / len(scores) + log_z_error**2) ** 0.5
    return Result(
        "log_likelihood",
        float(scores.mean()),
        "nats",
        "higher",
        context.protocol(f"{how}{kind_of_values(context.model)}", n_real=len(scores)),
        interval=of_mean(scores, log_z_error),
        references=references or {},
        warnings=(*context.warnings, *warnings),
        details={**(details or {}), "standard_error": error},
    )
