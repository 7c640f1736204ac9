"""The partition function of a restricted Boltzmann machine: exactly, or by annealing in both directions.

The machine has the energy E(v, h) = -v'b - h'c - v'Wh over binary units, with weights W (visible, hidden), visible
biases b and hidden biases c. Sums and importance weights are in float64, the chains' states and fields in float32.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import softplus

from nacre.errors import NacreError, at_least
from nacre.metrics.intervals import around
from nacre.model import seeded

ENUMERABLE = 20
CHAINS, TEMPERATURES = 100, 10_000


@dataclass(frozen=True)
class Partition:
    """log Z and how sure it is.

    Args:
        value: log Z in nats; where it is estimated too low on average, by forward annealing.
        method: How it was found.
        sd: Its standard deviation; 0 if exact.
        effective_sample_size: (sum w)^2 / sum w^2 of the importance weights; infinite if exact.
        upper: By reverse annealing, too high on average; the value itself if exact.
        upper_sd: The standard deviation of that.
    """

    value: float
    method: str
    sd: float = 0.0
    effective_sample_size: float = math.inf
    upper: float = math.nan
    upper_sd: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether log Z was summed up."""
        return math.isinf(self.effective_sample_size)

    @property
    def gap(self) -> float:
        """How far the two directions are apart; a negative gap is noise."""
        return self.upper - self.value

    @property
    def gap_interval(self) -> tuple[float, float]:
        """The 95 % interval of the gap."""
        return around(self.gap, math.hypot(self.sd, self.upper_sd))


def free_energy(v: Tensor, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """F(v) = -log sum_h exp(-E(v, h)) = -v'b - sum_j softplus(c_j + (v'W)_j).

    Shapes:
        (n, visible) -> (n,).
    """
    return -v @ visible_bias - softplus(v @ weight + hidden_bias).sum(1)


def log_partition(
    weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, *, base: Tensor | None = None, seed: int = 0
) -> Partition:
    """Log Z: exactly where the smaller side has at most 20 units, else by annealing both ways.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        base: Visible biases (visible,) of the independent units that annealing starts from; by default b.
        seed: Of the chains.
    """
    if min(weight.shape) <= ENUMERABLE:
        value = exact_log_partition(weight, visible_bias, hidden_bias)
        return Partition(value, "exact", upper=value)
    return ais_log_partition(weight, visible_bias, hidden_bias, base=base, seed=seed)


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
    chains: int = CHAINS,
    temperatures: int = TEMPERATURES,
    seed: int = 0,
    base: Tensor | None = None,
    start: Tensor | None = None,
) -> Partition:
    """Log Z by annealing from independent units to the machine and back; too low, and too high, on average.

    p_t(v) ~ exp((1 - t) v'a + t v'b) prod_j (1 + exp(t (c_j + (v'W)_j))), t from 0 to 1, one Gibbs step at each t.
    The way back brackets log Z as far as it begins at the machine's distribution; where no chain mixes both can miss
    the same mode.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chains: Independent runs, 2 or more.
        temperatures: Steps from 0 to 1, 1 or more.
        seed: Of the chains.
        base: a (visible,); by default b.
        start: Samples of the machine (chains, visible) for the way back; by default those that the way there ends at,
            drawn again by their weights.

    Reference:
        Neal. Annealed importance sampling. 2001. Salakhutdinov, Murray. On the quantitative analysis of deep belief
        networks. 2008, section 4. Burda, Grosse, Salakhutdinov. Accurate and conservative estimates of MRF
        log-likelihood using reverse annealing. 2015. Grosse, Ghahramani, Adams. Sandwiching the marginal likelihood
        using bidirectional Monte Carlo. 2015.
    """
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        log_weights, v = path.forward(chains, temperatures)
        start = drawn_again(log_weights, v) if start is None else start.to(path.weight)
        back, _ = path.anneal(start, 1, 0, temperatures)
    found = path.partition(log_weights, f"by AIS, {chains} chains, {temperatures:,} temperatures", 1)
    reverse = path.partition(back, "", -1)
    return replace(found, upper=reverse.value, upper_sd=reverse.sd)


class Path:
    """The machines between independent units (t = 0) and the machine itself (t = 1).

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        base: a (visible,); by default b.
    """

    def __init__(self, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, base: Tensor | None) -> None:
        base = visible_bias if base is None else base.to(visible_bias.device)
        self.log_z_base = float(softplus(base.double()).sum()) + weight.shape[1] * math.log(2)
        self.weight, self.visible_bias, self.hidden_bias = weight.float(), visible_bias.float(), hidden_bias.float()
        self.base, self.back = base.float(), weight.float().T.contiguous()

    def forward(self, chains: int, temperatures: int) -> tuple[Tensor, Tensor]:
        """Anneal independent units to the machine; see `anneal`."""
        at_least(2, chains=chains)
        return self.anneal(bernoulli(self.base.expand(chains, -1)), 0, 1, temperatures)

    def field(self, v: Tensor) -> Tensor:
        """C + W'v, shape (chains, hidden)."""
        return torch.addmm(self.hidden_bias, v, self.weight)

    def gain(self, v: Tensor, field: Tensor, before: float, now: float) -> Tensor:
        """Log p_now(v) - log p_before(v), unnormalised, shape (chains,) in float64.

        The difference is taken unit by unit, so that float32 is exact to about 1e-5 nats.
        """
        hidden = softplus(now * field) - softplus(before * field)
        return ((now - before) * (v @ (self.visible_bias - self.base)) + hidden.sum(1)).double()

    def move(self, field: Tensor, time: float) -> Tensor:
        """One Gibbs step of p_t from visible states with this field, shape (chains, visible)."""
        h = bernoulli(time * field)
        return bernoulli(torch.addmm(torch.lerp(self.base, self.visible_bias, time), h, self.back, alpha=time))

    def anneal(self, v: Tensor, start: float, end: float, temperatures: int) -> tuple[Tensor, Tensor]:
        """Take chains from one time to another: their log importance weights (chains,) and their last states."""
        at_least(1, temperatures=temperatures)
        log_weights = torch.zeros(len(v), dtype=torch.float64, device=v.device)
        for before, now in pairwise(torch.linspace(start, end, temperatures + 1, dtype=torch.float64).tolist()):
            field = self.field(v)
            log_weights += self.gain(v, field, before, now)
            v = self.move(field, now)
        return log_weights, v

    def partition(self, log_weights: Tensor, method: str, sign: int) -> Partition:
        """Log Z from the log-weights of chains that end (sign 1) or begin (sign -1) at the machine."""
        mean = float(torch.logsumexp(log_weights, 0)) - math.log(len(log_weights))
        share = (log_weights - log_weights.max()).exp()
        sd = float(share.std() / share.mean() / len(share) ** 0.5)
        size = float(share.sum().square() / share.square().sum())
        return Partition(self.log_z_base + sign * mean, method, sd, size)


def drawn_again(log_weights: Tensor, v: Tensor) -> Tensor:
    """As many states drawn with their weights (chains,), shape (chains, visible)."""
    return v[torch.multinomial(log_weights.softmax(0), len(v), replacement=True)]


def bernoulli(logits: Tensor) -> Tensor:
    """1 with the probability sigmoid(logits), else 0."""
    return (torch.rand_like(logits) < logits.sigmoid()).to(logits.dtype)
