"""The partition function of a restricted Boltzmann machine: exactly, or by annealing in both directions.

The machine has the energy E(v, h) = -v'b - h'c - v'Wh over binary units, with weights W (visible, hidden), visible
biases b and hidden biases c. Sums and importance weights are in float64, the chains' states and fields in float32.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import softplus

from nacre.errors import NacreError
from nacre.metrics.intervals import around
from nacre.model import seeded

ENUMERABLE = 20
CHAINS, TEMPERATURES = 100, 10_000
GROUPS = 10  # of chains, which are independent of each other


@dataclass(frozen=True)
class Partition:
    """log Z and how sure it is.

    Args:
        value: log Z in nats; where it is estimated too low on average, by forward annealing.
        method: How it was found.
        sd: Its standard deviation over independent groups of chains; 0 if exact.
        upper: By reverse annealing, too high on average; the value itself if exact.
        upper_sd: Its standard deviation.
        chains: How many there were each way; 0 if exact.
    """

    value: float
    method: str
    sd: float = 0.0
    upper: float = math.nan
    upper_sd: float = 0.0
    chains: int = 0

    @property
    def exact(self) -> bool:
        """Whether log Z was summed up."""
        return self.chains == 0

    @property
    def effective_sample_size(self) -> float:
        """How many independent chains of equal weight would be as sure, n / (1 + n sd^2); infinite if exact."""
        return self.chains / (1 + self.chains * self.sd**2) if self.chains else math.inf

    @property
    def gap_interval(self) -> tuple[float, float]:
        """The 95 % interval of upper - value."""
        return around(self.upper - self.value, math.hypot(self.sd, self.upper_sd))


def free_energy(v: Tensor, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """F(v) = -log sum_h exp(-E(v, h)) = -v'b - sum_j softplus(c_j + (v'W)_j).

    Shapes:
        (n, visible) -> (n,).
    """
    return -v @ visible_bias - softplus(v @ weight + hidden_bias).sum(1)


@torch.no_grad()
def log_partition(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    *,
    base: Tensor | None = None,
    seed: int = 0,
    chains: int = CHAINS,
    temperatures: int = TEMPERATURES,
) -> Partition:
    """Log Z: exactly where the smaller side has at most 20 units, else by annealing both ways.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        base: Visible biases (visible,) of the independent units that annealing starts from; by default b.
        seed: Of the chains.
        chains: Runs each way, a multiple of 10.
        temperatures: Steps of each run.
    """
    if min(weight.shape) <= ENUMERABLE:
        value = exact_log_partition(weight, visible_bias, hidden_bias)
        return Partition(value, "exact", upper=value)
    return annealed(weight, visible_bias, hidden_bias, base, seed, chains, temperatures)


@torch.no_grad()
def annealed(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    base: Tensor | None = None,
    seed: int = 0,
    chains: int = CHAINS,
    temperatures: int = TEMPERATURES,
) -> Partition:
    """Log Z by annealing both ways; see `ais_log_partition` and `reverse_ais_log_partition`."""
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        log_weights, v = path.anneal(path.independent(chains), 0, 1, temperatures)
        value, sd = path.log_z(log_weights, 1)
        upper, upper_sd = path.log_z(path.anneal(path.samples(log_weights, v), 1, 0, temperatures)[0], -1)
    return Partition(value, f"by AIS, {settings(chains, temperatures)}", sd, upper, upper_sd, chains)


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
) -> Partition:
    """Log Z by annealing from independent units to the machine; on average it is too low, never too high.

    p_t(v) ~ exp((1 - t) v'a + t v'b) prod_j (1 + exp(t (c_j + (v'W)_j))), t from 0 to 1, one Gibbs step at each t. A
    group of chains is resampled whenever its weights are worth fewer than half of its chains; the estimate of Z stays
    without bias, and the groups tell its error.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chains: Runs, a multiple of 10, since there are 10 groups of them.
        temperatures: Steps from 0 to 1, 1 or more.
        seed: Of the chains.
        base: a (visible,); by default b.

    Reference:
        Neal. Annealed importance sampling. 2001. Salakhutdinov, Murray. On the quantitative analysis of deep belief
        networks. 2008, section 4. Del Moral, Doucet, Jasra. Sequential Monte Carlo samplers. 2006.
    """
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        log_weights, _ = path.anneal(path.independent(chains), 0, 1, temperatures)
    value, sd = path.log_z(log_weights, 1)
    return Partition(value, f"by AIS, {settings(chains, temperatures)}", sd, chains=chains)


@torch.no_grad()
def reverse_ais_log_partition(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    chains: int = CHAINS,
    temperatures: int = TEMPERATURES,
    seed: int = 0,
    base: Tensor | None = None,
    start: Tensor | None = None,
) -> Partition:
    """Log Z by annealing from the machine's own samples back to independent units; on average it is too high.

    Together with `ais_log_partition` it brackets log Z, as far as the chains begin at the machine's distribution.

    Args:
        weight: W (visible, hidden).
        visible_bias: b (visible,).
        hidden_bias: c (hidden,).
        chains: Runs, a multiple of 10, since there are 10 groups of them.
        temperatures: Steps of t from 1 to 0, 1 or more.
        seed: Of the chains.
        base: a (visible,); by default b.
        start: Samples of the machine (chains, visible); by default those that forward annealing ends at, resampled by
            their weights.

    Reference:
        Burda, Grosse, Salakhutdinov. Accurate and conservative estimates of MRF log-likelihood using reverse
        annealing. 2015. Grosse, Ghahramani, Adams. Sandwiching the marginal likelihood using bidirectional Monte
        Carlo. 2015.
    """
    path = Path(weight, visible_bias, hidden_bias, base)
    with seeded(seed):
        if start is None:
            start = path.samples(*path.anneal(path.independent(chains), 0, 1, temperatures))
        log_weights, _ = path.anneal(start.to(path.weight), 1, 0, temperatures)
    value, sd = path.log_z(log_weights, -1)
    return Partition(value, f"by reverse AIS, {settings(chains, temperatures)}", sd, chains=chains)


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

    def independent(self, chains: int) -> Tensor:
        """States of the independent units, shape (chains, visible)."""
        if chains < GROUPS or chains % GROUPS:
            raise NacreError(f"chains is {chains}; it must be a multiple of {GROUPS}.")
        return bernoulli(self.base.expand(chains, -1))

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
        """Take chains from one time to another: their log importance weights (groups, n) and their last states."""
        log_weights = torch.zeros(GROUPS, len(v) // GROUPS, dtype=torch.float64, device=v.device)
        for before, now in pairwise(torch.linspace(start, end, temperatures + 1, dtype=torch.float64).tolist()):
            field = self.field(v)
            log_weights += self.gain(v, field, before, now).view_as(log_weights)
            v, log_weights = resampled(self.move(field, now), log_weights)
        return log_weights, v

    def samples(self, log_weights: Tensor, v: Tensor) -> Tensor:
        """As many states drawn with their weights, shape (chains, visible), in random order."""
        return v[torch.multinomial(log_weights.flatten().softmax(0), len(v), replacement=True)]

    def log_z(self, log_weights: Tensor, sign: int) -> tuple[float, float]:
        """Log Z and its error from the log-weights of chains that end (sign 1) or begin (sign -1) at the machine."""
        groups = torch.logsumexp(log_weights, 1) - math.log(log_weights.shape[1])
        mean = float(torch.logsumexp(groups, 0)) - math.log(len(groups))
        sd = float((groups - mean).exp().std()) / len(groups) ** 0.5
        return self.log_z_base + sign * mean, sd


def resampled(v: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Groups whose weights are worth fewer than half of their chains drawn anew, systematically.

    Args:
        v: States (groups * n, visible).
        log_weights: (groups, n).
    """
    groups, n = log_weights.shape
    share = log_weights.softmax(1)
    poor = share.square().sum(1, keepdim=True) > 2 / n  # 1 / effective sample size
    if not poor.any():
        return v, log_weights
    places = torch.arange(n, device=v.device)
    points = (torch.rand(groups, 1, dtype=torch.float64, device=v.device) + places) / n
    chosen = torch.searchsorted(share.cumsum(1), points).clamp(max=n - 1)
    chosen = torch.where(poor, chosen, places) + n * torch.arange(groups, device=v.device)[:, None]
    level = torch.logsumexp(log_weights, 1, keepdim=True) - math.log(n)
    return v[chosen.flatten()], torch.where(poor, level, log_weights)


def settings(chains: int, temperatures: int) -> str:
    """The settings of annealing for protocols."""
    return f"{chains} chains, {temperatures:,} temperatures"


def bernoulli(logits: Tensor) -> Tensor:
    """1 with the probability sigmoid(logits), else 0."""
    return (torch.rand_like(logits) < logits.sigmoid()).to(logits.dtype)
