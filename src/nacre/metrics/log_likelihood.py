"""The log-likelihood of held-out examples: exact, by annealed importance sampling, or as a tight bound."""

import inspect
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.elbo import binarisation, has_bound
from nacre.metrics.intervals import of_mean
from nacre.metrics.partition import Partition, log_partition
from nacre.metrics.result import Result
from nacre.model import Model

CHEAP = False
AT_MOST = 1_000


def is_machine(model: Model) -> bool:
    """Whether the model is a restricted Boltzmann machine: it scores given log Z and has plain weights."""
    machine: Any = getattr(model, "machine", None)
    return hasattr(machine, "plain") and "log_z" in inspect.signature(model.score_samples).parameters


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if context.model.can("score") else "its density is implicit"


def measure(context: Context) -> list[Result]:
    """The mean log-likelihood in nats, with its standard error."""
    if is_machine(context.model):
        return [of_machine(context)]
    model: Any = context.model
    if has_bound(model):
        x = context.real.x[torch.randperm(len(context.real), generator=torch.Generator().manual_seed(context.seed))]
        scores = model.score_samples(x[:AT_MOST], seed=context.seed, batch_size=100, draws=context.draws)
        return [result(context, scores, f"importance-sampled bound with {context.draws:,} draws")]
    return [result(context, context.model.score_samples(context.real.x, seed=context.seed), "the model's own density")]


def of_machine(context: Context) -> Result:
    """-F(v) - log Z of a machine."""
    model: Any = context.model
    mean = context.train.examples(10_000, context.seed).x.flatten(1).mean(0).clamp(0.01, 0.99)
    weights = [weight.detach().cpu().double() for weight in model.machine.plain()]
    # Chains that start from the data's means need fewer temperatures than those from the machine's own bias.
    partition = log_partition(*weights, base=torch.logit(mean.double().cpu()), seed=context.seed)
    scores = model.score_samples(context.real.x, seed=context.seed, log_z=partition.value)
    found = {f"log_z_{name}": value for name, value in asdict(partition).items() if partition.sd or name == "value"}
    return result(context, scores, f"log Z {partition.method}", found, partition)


def result(
    context: Context,
    scores: Tensor,
    how: str,
    details: dict[str, Any] | None = None,
    partition: Partition | None = None,
) -> Result:
    """The mean of scores with its error, which log Z's own error adds to."""
    scores = scores.cpu().double()
    return Result(
        "log_likelihood",
        float(scores.mean()),
        "nats",
        "higher",
        context.protocol(f"{how}{binarisation(context)}", n_real=len(scores)),
        interval=of_mean(scores, partition.sd if partition else 0.0),
        warnings=context.warnings,
        details=details or {},
    )
