"""The partition function of a restricted Boltzmann machine: exactly, or by annealed importance sampling.

The machine has the energy E(v, h) = -v'b - h'c - v'Wh over binary units, with weights W (visible, hidden), visible
biases b and hidden biases c. Everything is computed in float64.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import softplus

from nacre.errors import NacreError
from nacre.model import seeded

ENUMERABLE = 20


@dataclass(frozen=True)
class Partition:
    """log Z and how sure it is.

    Args:
        value: log Z in nats.
        method: How it was found.
        sd: Its standard deviation; 0 if exact.
        effective_sample_size: (sum w)^2 / sum w^2 of the importance weights; infinite if exact.
        upper: A stochastic upper bound by reverse annealing; the value itself if exact.
    """

    value: float
    method: str
    sd: float = 0.0
    effective_sample_size: float = math.inf
    upper: float = math.nan


def free_energy(v: Tensor, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """F(v) = -log sum_h exp(-E(v, h)) = -v'b - sum_j softplus(c_j + (v'W)_j).

    Shapes:
        (n, visible) -> (n,).
    """
    return -v @ visible_bias - softplus(v @ weight + hidden_bias).sum(1)


def log_partition(
    weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, *, base: Tensor | None = None, seed: int = 0
) -> Partition:
    """Log Z: exactly where the smaller side has at most 20 units, else by annealed importance sampling both ways.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        base: Visible biases (visible,) of the machine that annealing starts from; by default b.
        seed: Of the chains.
    """
    if min(weight.shape) <= ENUMERABLE:
        value = exact_log_partition(weight, visible_bias, hidden_bias)
        return Partition(value, "exact", upper=value)
    forward = ais_log_partition(weight, visible_bias, hidden_bias, base=base, seed=seed)
    backward = reverse_ais_log_partition(weight, visible_bias, hidden_bias, base=base, seed=seed)
    return Partition(forward.value, forward.method, forward.sd, forward.effective_sample_size, backward.value)


def exact_log_partition(weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, chunk: int = 4096) -> float:
    """Log Z by summing over every state of the smaller side, the other summed out.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chunk: States at once, 1 or more.

    Raises:
        NacreError: Both sides have more than 20 units.
    """
    weight, visible_bias, hidden_bias = (value.detach().double() for value in (weight, visible_bias, hidden_bias))
    if weight.shape[0] > weight.shape[1]:
        weight, visible_bias, hidden_bias = weight.T, hidden_bias, visible_bias
    units = weight.shape[0]
    if units > ENUMERABLE:
        raise NacreError(
            f"log Z is exact only up to {ENUMERABLE} units on the smaller side, here are {units}; estimate it by AIS."
        )
    bits = torch.arange(units, device=weight.device)
    total = torch.tensor(-math.inf, dtype=torch.float64, device=weight.device)
    for start in range(0, 2**units, chunk):
        number = torch.arange(start, min(start + chunk, 2**units), device=weight.device)
        states = ((number[:, None] >> bits) & 1).double()  # (chunk, units)
        part = torch.logsumexp(-free_energy(states, weight, visible_bias, hidden_bias), 0)
        total = torch.logaddexp(total, part)
    return float(total)


@torch.no_grad()
def ais_log_partition(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    chains: int = 100,
    temperatures: int = 2_000,
    seed: int = 0,
    base: Tensor | None = None,
) -> Partition:
    """Log Z by annealing from independent units to the machine; on average it is too low, never too high.

    p_t(v) ~ exp((1 - t) v'a + t v'b) prod_j (1 + exp(t (c_j + (v'W)_j))), t from 0 to 1, one Gibbs step at each t.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chains: Independent runs, 2 or more.
        temperatures: Steps from 0 to 1, 1 or more.
        seed: Of the chains.
        base: a (visible,); by default b.

    Reference:
        Neal. Annealed importance sampling. 2001. Salakhutdinov, Murray. On the quantitative analysis of deep belief
        networks. 2008, section 4.
    """
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        v = bernoulli(path.base.expand(chains, -1))
        log_weights = path.anneal(v, 0, 1, temperatures)
    return path.partition(log_weights, f"by AIS, {chains} chains, {temperatures:,} temperatures", 1)


@torch.no_grad()
def reverse_ais_log_partition(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    chains: int = 100,
    temperatures: int = 2_000,
    seed: int = 0,
    base: Tensor | None = None,
    burn_in: int = 1_000,
) -> Partition:
    """Log Z by annealing from the machine's own samples back to independent units; on average it is too high.

    Together with `ais_log_partition` it brackets log Z, as far as `burn_in` Gibbs steps do reach the machine.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chains: Independent runs, 2 or more.
        temperatures: Steps of t from 1 to 0, 1 or more.
        seed: Of the chains.
        base: a (visible,); by default b.
        burn_in: Gibbs steps at t = 1 before annealing, after as many that lead from t = 0 to it; 0 or more.

    Reference:
        Burda, Grosse, Salakhutdinov. Accurate and conservative estimates of MRF log-likelihood using reverse
        annealing. 2015.
    """
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        v = bernoulli(path.base.expand(chains, -1))
        for step in range(2 * burn_in):
            v = path.move(path.field(v), min(1.0, step / max(1, burn_in)))
        log_weights = path.anneal(v, 1, 0, temperatures)
    return path.partition(log_weights, f"by reverse AIS, {chains} chains, {temperatures:,} temperatures", -1)


class Path:
    """The machines between independent units (t = 0) and the machine itself (t = 1).

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        base: a (visible,); by default b.
    """

    def __init__(self, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, base: Tensor | None) -> None:
        self.weight, self.visible_bias, self.hidden_bias = weight.double(), visible_bias.double(), hidden_bias.double()
        self.base = self.visible_bias if base is None else base.double()

    def field(self, v: Tensor) -> Tensor:
        """C + W'v, shape (chains, hidden)."""
        return torch.addmm(self.hidden_bias, v, self.weight)

    def log_density(self, v: Tensor, field: Tensor, time: float) -> Tensor:
        """The unnormalised log p_t(v), shape (chains,)."""
        return v @ torch.lerp(self.base, self.visible_bias, time) + softplus(time * field).sum(1)

    def move(self, field: Tensor, time: float) -> Tensor:
        """One Gibbs step of p_t from visible states with this field, shape (chains, visible)."""
        h = bernoulli(time * field)
        return bernoulli(torch.lerp(self.base, self.visible_bias, time) + time * h @ self.weight.T)

    def anneal(self, v: Tensor, start: float, end: float, temperatures: int) -> Tensor:
        """The log importance weights of chains taken from one time to another, shape (chains,)."""
        log_weights = torch.zeros(len(v), dtype=torch.float64, device=v.device)
        for before, now in pairwise(torch.linspace(start, end, temperatures + 1, dtype=torch.float64).tolist()):
            field = self.field(v)
            log_weights += self.log_density(v, field, now) - self.log_density(v, field, before)
            v = self.move(field, now)
        return log_weights

    def partition(self, log_weights: Tensor, method: str, sign: int) -> Partition:
        """Log Z from the log-weights of chains that end (sign 1) or begin (sign -1) at the machine."""
        mean = float(torch.logsumexp(log_weights, 0)) - math.log(len(log_weights))
        share = (log_weights - log_weights.max()).exp()
        sd = float(share.std() / share.mean() / len(share) ** 0.5)
        size = float(share.sum().square() / share.square().sum())
        start = float(softplus(self.base).sum()) + self.weight.shape[1] * math.log(2)
        return Partition(start + sign * mean, method, sd, size)


def bernoulli(logits: Tensor) -> Tensor:
    """1 with the probability sigmoid(logits), else 0, as float64."""
    return (torch.rand_like(logits) < logits.sigmoid()).double()
