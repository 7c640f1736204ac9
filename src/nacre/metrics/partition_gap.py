"""How far annealed importance sampling may be off: against the exact log Z, and between its two directions."""

from typing import Any

import torch
from torch import Tensor

from nacre.metrics.context import Context
from nacre.metrics.log_likelihood import is_machine
from nacre.metrics.partition import (
    ENUMERABLE,
    ais_log_partition,
    exact_log_partition,
    reverse_ais_log_partition,
)
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True
CHAINS, TEMPERATURES = 100, 10_000


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    return "" if is_machine(context.model) else "it is no restricted Boltzmann machine"


def measure(context: Context) -> list[Result]:
    """`ais_gap`, reverse minus forward AIS of log Z in nats, and where log Z can be summed up `ais_error`.

    Forward AIS is too low on average and reverse AIS too high, so that a small gap vouches for both; a negative one is
    noise. `ais_error` is the larger of the two distances from the exact value.

    Reference:
        Burda, Grosse, Salakhutdinov. Accurate and conservative estimates of MRF log-likelihood using reverse
        annealing. 2015.
    """
    model: Any = context.model
    weights = [weight.detach().cpu().double() for weight in model.machine.plain()]
    options: dict[str, Any] = {"chains": CHAINS, "temperatures": TEMPERATURES, "seed": context.seed}
    options["base"] = data_base(context)
    forward, backward = ais_log_partition(*weights, **options), reverse_ais_log_partition(*weights, **options)
    protocol = context.protocol(f"{CHAINS} chains, {TEMPERATURES:,} temperatures each way")
    details = {"forward": forward.value, "forward_sd": forward.sd, "reverse": backward.value, "reverse_sd": backward.sd}
    results = [Result("ais_gap", backward.value - forward.value, "nats", "lower", protocol, details=details)]
    if min(weights[0].shape) <= ENUMERABLE:
        exact = exact_log_partition(*weights)
        error = max(abs(forward.value - exact), abs(backward.value - exact))
        results.append(Result("ais_error", error, "nats", "lower", protocol, details={**details, "exact": exact}))
    return results


def data_base(context: Context) -> Tensor:
    """The visible biases of independent units with the data's means, where annealing starts from."""
    mean = context.train.examples(10_000, context.seed).x.flatten(1).mean(0).clamp(0.01, 0.99)
    return torch.logit(mean.double().cpu())
