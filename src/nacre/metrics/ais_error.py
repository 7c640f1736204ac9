"""How far annealed importance sampling is off where the partition function can be summed up."""

from nacre.metrics.context import Context
from nacre.metrics.intervals import around
from nacre.metrics.log_likelihood import data_base, is_machine, plain_weights
from nacre.metrics.partition import ENUMERABLE, ais_log_partition, exact_log_partition
from nacre.metrics.result import Result

CHEAP = False
ON_REQUEST = True
CHAINS = 1_000  # a small machine has few modes, each so likely that 100 chains visit them unevenly


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    if not is_machine(context.model):
        return "it is no restricted Boltzmann machine"
    smaller = min(plain_weights(context.model)[0].shape)
    return "" if smaller <= ENUMERABLE else f"its smaller side has {smaller} units, more than {ENUMERABLE}"


def measure(context: Context) -> list[Result]:
    """The larger of |forward - exact| and |reverse - exact| of log Z, in nats: a check of the estimator, not the model.

    Annealing is done as `log_likelihood` does it for machines that are too large to sum up, with ten times the chains.

    Reference:
        Salakhutdinov, Murray. On the quantitative analysis of deep belief networks. 2008.
    """
    weight, visible_bias, hidden_bias = plain_weights(context.model)
    estimate = ais_log_partition(
        weight, visible_bias, hidden_bias, chains=CHAINS, base=data_base(context), seed=context.seed
    )
    exact = exact_log_partition(weight, visible_bias, hidden_bias)
    errors = {"forward": estimate.value - exact, "reverse": estimate.upper - exact}
    sd = max(estimate.sd, estimate.upper_sd)
    worst = max(abs(error) for error in errors.values())
    details = {**errors, "log_z": exact, "forward_sd": estimate.sd, "reverse_sd": estimate.upper_sd}
    protocol = context.protocol(f"log Z {estimate.method} against its exact sum")
    return [Result("ais_error", worst, "nats", "lower", protocol, interval=around(worst, sd), details=details)]
