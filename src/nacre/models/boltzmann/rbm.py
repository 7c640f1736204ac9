"""Restricted Boltzmann machine: binary units in two layers, with an energy for every joint state."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import NacreError, at_least
from nacre.game import Batch, Turn
from nacre.model import Model, inference


class Machine(nn.Module):
    """The energy E(v, h) = -(v - m)'b - (h - l)'c - (v - m)'W(h - l) of a centred machine.

    Args:
        visible: Visible units.
        hidden: Hidden units.
    """

    visible_offset: Tensor

    def __init__(self, visible: int, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("visible_offset", torch.zeros(visible))
        # A parameter that no gradient moves: averaged weights must go with the average of the offsets they had.
        self.hidden_offset = nn.Parameter(torch.zeros(hidden), requires_grad=False)

    def hidden_field(self, v: Tensor) -> Tensor:
        """C + W'(v - m), the logits of p(h = 1 | v): (n, visible) -> (n, hidden)."""
        return torch.addmm(self.hidden_bias, v - self.visible_offset, self.weight)

    def visible_field(self, h: Tensor) -> Tensor:
        """B + W(h - l), the logits of p(v = 1 | h): (n, hidden) -> (n, visible)."""
        return linear(h - self.hidden_offset, self.weight, self.visible_bias)

    @torch.no_grad()
    def move_hidden_offset(self, target: Tensor, rate: float) -> None:
        """L <- l + rate (target - l), with b moved along so that the distribution stays the same."""
        change = rate * (target - self.hidden_offset)
        self.hidden_offset += change
        self.visible_bias += self.weight @ change

    def plain(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, b and c of the same distribution without offsets: E = -v'b - h'c - v'Wh (plus a constant)."""
        visible_bias = self.visible_bias - self.weight @ self.hidden_offset
        hidden_bias = self.hidden_bias - self.visible_offset @ self.weight
        return self.weight, visible_bias, hidden_bias


def bernoulli(probability: Tensor) -> Tensor:
    """1 with the given probability, else 0, as floats."""
    return (torch.rand_like(probability) < probability).to(probability.dtype)


class RBM(Model):
    """Climb the log-likelihood by contrasting the data with what the machine dreams.

    The gradient of -log p(v) is E_data[dE] - E_model[dE] of the energy E, over p(h | v) in both. The dreams that stand
    for the model come from k steps of Gibbs sampling, begun at the data (CD-k) or at persistent chains (PCD-k).

    Algorithm: 1 of Tieleman 2008 (PCD); Hinton 2002, section 4 (CD); centring as in Melchior et al. 2016, Algorithm 1.

    Args:
        spec: Data in [0, 1]; grey values are drawn as Bernoulli in every step.
        hidden: Hidden units, 1 or more.
        algorithm: pcd keeps chains from step to step, cd begins at the data.
        k: Gibbs steps per training step, 1 or more.
        chains: Persistent chains, 1 or more.
        centering: Subtract the mean of the data and a running mean of the hidden units, which conditions the gradient.

    Shapes:
        encode: (n, *shape) -> (n, hidden), p(h = 1 | v). decode: (n, hidden) -> (n, *shape), p(v = 1 | h).

    Departures:
        The statistics use p(h | v) instead of draws of h. The visible biases begin at the log-odds of the data's means.

    Example:
        >>> import nacre
        >>> model = nacre.create("rbm", nacre.load_data("digits").spec, hidden=16)
        >>> model.encode(nacre.load_data("digits:test").examples(2).x).shape
        torch.Size([2, 16])

    Reference:
        Smolensky. Information processing in dynamical systems. 1986. Hinton. Training products of experts by
        minimizing contrastive divergence. 2002. Tieleman. Training restricted Boltzmann machines using approximations
        to the likelihood gradient. 2008. Melchior, Fischer, Wiskott. How to center deep Boltzmann machines. 2016.
    """

    title: ClassVar[str] = "Restricted Boltzmann machine"
    paper: ClassVar[str] = "Tieleman 2008, Algorithm 1"
    density: ClassVar[str] = "explicit, unnormalised"
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "every micro-batch moves the persistent chains on",
        "two processes": "each process has persistent chains of its own",
    }
    defaults: ClassVar[dict[str, object]] = {
        "lr": 0.1, "optimizer": "sgd", "schedule": "linear", "batch_size": 100, "ema": 0.99,
    }  # fmt: skip

    chains: Tensor
    hidden_mean: Tensor
    products: Tensor

    def __init__(
        self,
        spec: Spec,
        hidden: int = 500,
        algorithm: Literal["pcd", "cd"] = "pcd",
        k: int = 1,
        chains: int = 100,
        centering: bool = True,
    ) -> None:
        super().__init__(spec)
        if not spec.bounded:
            raise NacreError("rbm has binary units and needs values in [0, 1]; scale the data to that range.")
        at_least(1, hidden=hidden, k=k, chains=chains)
        self.latent, self.algorithm, self.k, self.centering = hidden, algorithm, k, centering
        self.machine = Machine(spec.size, hidden)
        self.register_buffer("chains", (torch.rand(chains, hidden) < 0.5).float())
        self.register_buffer("hidden_mean", torch.zeros(hidden))
        self.register_buffer("products", torch.zeros(spec.size, hidden), persistent=False)

    @torch.no_grad()
    def begin(self, data: Data) -> None:
        """Start from the data's means: the visible units alone then already fit them."""
        mean = data.examples(10_000).x.flatten(1).mean(0).to(self.device)
        near = mean.clamp(0.01, 0.99)
        self.machine.visible_bias.copy_((near / (1 - near)).log())
        if self.centering:
            self.machine.visible_offset.copy_(mean)
            self.machine.hidden_offset.fill_(0.5)

    def turns(self) -> list[Turn]:
        """One turn: the machine learns to tell data from dreams."""
        return [Turn(self.machine, self.contrast, after=self.centre if self.centering else None)]

    def contrast(self, batch: Batch) -> Tensor:
        """E[E(v, p)] over the data minus that over the dreams, with p = p(h = 1 | v) held fixed.

        It is linear in the parameters, and its gradient is the statistics' difference: a surrogate, not a distance.
        """
        machine = self.machine
        with torch.no_grad():
            v = self.binary(batch.x)
            h = machine.hidden_field(v).sigmoid()
            self.hidden_mean.copy_(h.mean(0))
            dream = self.dream(self.chains if self.algorithm == "pcd" else bernoulli(h))
            dreamt = machine.hidden_field(dream).sigmoid()
            if self.algorithm == "pcd":
                self.chains.copy_(bernoulli(dreamt))
            left = torch.cat([(v - machine.visible_offset) / len(v), (machine.visible_offset - dream) / len(dream)])
            right = torch.cat([h, dreamt]) - machine.hidden_offset
            torch.mm(left.T, right, out=self.products)  # one product for both phases, into memory that is there
            hidden = self.hidden_mean - dreamt.mean(0)
        pairs = torch.dot(self.products.flatten(), machine.weight.flatten())
        return -pairs - left.sum(0) @ machine.visible_bias - hidden @ machine.hidden_bias

    def centre(self) -> None:
        """Let the hidden offsets follow the data's mean activities."""
        self.machine.move_hidden_offset(self.hidden_mean, 0.01)

    @torch.no_grad()
    def dream(self, h: Tensor) -> Tensor:
        """Visible states after k Gibbs steps from hidden states h, shape (n, visible)."""
        v = bernoulli(self.machine.visible_field(h).sigmoid())
        for _ in range(self.k - 1):
            h = bernoulli(self.machine.hidden_field(v).sigmoid())
            v = bernoulli(self.machine.visible_field(h).sigmoid())
        return v

    def binary(self, x: Tensor) -> Tensor:
        """Examples as rows of binary units; grey values are drawn as Bernoulli."""
        v = x.flatten(1)
        return v if self.spec.binary else bernoulli(v)

    @inference
    def sample(self, n: int, steps: int = 500) -> Tensor:
        """p(v = 1 | h) after Gibbs sampling from the persistent chains, shape (n, *shape).

        Args:
            n: Examples.
            steps: Gibbs steps, 1 or more.
        """
        h = self.chains[torch.randint(len(self.chains), (n,), device=self.device)]
        for _ in range(steps - 1):
            h = bernoulli(self.machine.hidden_field(bernoulli(self.machine.visible_field(h).sigmoid())).sigmoid())
        return self.machine.visible_field(h).sigmoid().view(n, *self.spec.shape)

    def features(self, x: Tensor) -> Tensor:
        """p(h = 1 | v), differentiable: (n, *shape) -> (n, hidden)."""
        return self.machine.hidden_field(x.flatten(1)).sigmoid()

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """p(h = 1 | v), shape (n, hidden)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """p(v = 1 | h), shape (n, *shape)."""
        return self.machine.visible_field(z).sigmoid().view(len(z), *self.spec.shape)

    @inference
    def redraw(self, x: Tensor) -> Tensor:
        """p(v = 1 | h) for one draw of h given x, shape (n, *shape): a step of Gibbs sampling."""
        h = bernoulli(self.machine.hidden_field(self.binary(x)).sigmoid())
        return self.machine.visible_field(h).sigmoid().view(len(x), *self.spec.shape)

    @inference
    def score_samples(self, x: Tensor, log_z: float | None = None) -> Tensor:
        """Log p(v) = -F(v) - log Z in nats, shape (n,).

        Args:
            x: Shape (n, *shape); grey values are drawn as Bernoulli.
            log_z: log Z of `machine.plain()`, to save computing it: exact for up to 20 units on the smaller side,
                else estimated by annealed importance sampling.
        """
        from nacre.metrics.partition import free_energy, log_partition

        weights = tuple(w.double() for w in self.machine.plain())
        if log_z is None:
            log_z = log_partition(*weights).value
        return (-free_energy(self.binary(x).double(), *weights) - log_z).float()
