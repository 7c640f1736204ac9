"""The latent distributions of variational autoencoders: q(z|x) by the encoder's outputs h, and the prior p(z)."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot, softplus

from nacre.errors import NacreError, at_least
from nacre.losses.divergences import gaussian_kl_terms
from nacre.losses.likelihoods import gaussian_log_density

Name = Literal["normal", "log-normal", "categorical", "bernoulli"]


class Latents(nn.Module, ABC):
    """A distribution of z for every example, independent over units.

    Args:
        units: Latent variables, 1 or more.

    Attributes: `width`, the encoder's outputs; `size`, the values of z that the decoder takes.
    """

    gaussian: ClassVar[bool] = False

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = self.width = self.size = units

    @abstractmethod
    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """Z for training, with a gradient into h: (n, width) -> (n, size). `progress` runs from 0 to 1."""

    @abstractmethod
    def draw_exactly(self, h: Tensor) -> Tensor:
        """Z from q(z|x) itself, for evaluation: (n, width) -> (n, size)."""

    @abstractmethod
    def kl(self, h: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)) in nats by unit: (n, width) -> (n, units)."""

    @abstractmethod
    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """Log p(z) - log q(z|x) of exact draws: (n, size), (n, width) -> (n,)."""

    @abstractmethod
    def code(self, h: Tensor) -> Tensor:
        """The mean of q(z|x), or its median for a skewed one: (n, width) -> (n, size)."""

    @abstractmethod
    def prior(self, n: int, device: torch.device) -> Tensor:
        """N draws from p(z), shape (n, size)."""


class Normal(Latents):
    """Q(z|x) = N(mean, exp(logvar)) with h = (mean, logvar), p(z) = N(0, I).

    Args:
        units: Latent variables, 1 or more.
    """

    gaussian: ClassVar[bool] = True

    def __init__(self, units: int) -> None:
        super().__init__(units)
        self.width = 2 * units

    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """Mean + sd times noise."""
        mean, logvar = h.chunk(2, dim=1)
        return mean + torch.randn_like(mean) * (logvar / 2).exp()

    def draw_exactly(self, h: Tensor) -> Tensor:
        """The same: the reparametrised draw is exact."""
        return self.draw(h, h.new_zeros(()))

    def kl(self, h: Tensor) -> Tensor:
        """1/2 (mean^2 + var - log var - 1)."""
        return gaussian_kl_terms(*h.chunk(2, dim=1))

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """Log N(z; 0, I) - log N(z; mean, var)."""
        return gaussian_log_density(z) - gaussian_log_density(z, *h.chunk(2, dim=1))

    def code(self, h: Tensor) -> Tensor:
        """The mean."""
        return h.chunk(2, dim=1)[0]

    def prior(self, n: int, device: torch.device) -> Tensor:
        """N(0, I)."""
        return torch.randn(n, self.units, device=device)


class LogNormal(Normal):
    """Z = exp(u) with u as in `Normal`, under the prior exp(N(0, I)): positive latents.

    A divergence does not change under a bijection, so that the bound is that of `Normal` with exp before the decoder.

    Args:
        units: Latent variables, 1 or more.
    """

    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """Exp of the normal draw."""
        return super().draw(h, progress).exp()

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """That of log z: the Jacobians cancel."""
        return super().log_ratio(z.log(), h)

    def code(self, h: Tensor) -> Tensor:
        """The median, exp(mean)."""
        return super().code(h).exp()

    def prior(self, n: int, device: torch.device) -> Tensor:
        """Exp of N(0, I)."""
        return super().prior(n, device).exp()


class Relaxed(Latents):
    """A discrete latent that trains through a continuous relaxation whose temperature falls.

    The temperature goes from the first to the second value by equal factors. Straight-through draws are discrete
    forwards and take the relaxation's gradient backwards.

    Args:
        units: Latent variables, 1 or more.
        temperature: At the beginning and at the end, positive.
        straight_through: Whether draws are discrete in training too.
    """

    def __init__(self, units: int, temperature: tuple[float, float], straight_through: bool) -> None:
        super().__init__(units)
        if len(temperature) != 2 or min(temperature) <= 0:
            raise NacreError(f"temperature is {temperature}; give two positive numbers, such as 1.0 0.5.")
        self.temperature, self.straight_through = temperature, straight_through

    def temperature_at(self, progress: Tensor) -> Tensor:
        """The temperature when training has come this far, a scalar tensor."""
        start, end = self.temperature
        return start * (end / start) ** progress


class Categorical(Relaxed):
    """Every unit is one of K categories, a one-hot vector, under a uniform prior; h are the logits.

    The relaxation is softmax((h + Gumbel noise) / temperature). With `rao_blackwell` the discrete draw is kept and the
    relaxation's gradient is averaged over Gumbel noises that would have led to it.

    Args:
        units: Latent variables, 1 or more.
        categories: K, 2 or more.
        temperature: At the beginning and at the end, positive.
        straight_through: Whether draws are one-hot in training too.
        rao_blackwell: Conditional noises per draw; 0 takes the plain estimator. 1 or more implies straight-through.

    Reference:
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-softmax. 2017. Maddison, Mnih, Teh. The concrete
        distribution. 2017. Paulus, Maddison, Krause. Rao-Blackwellizing the straight-through Gumbel-softmax gradient
        estimator. 2021.
    """

    def __init__(
        self,
        units: int,
        categories: int = 10,
        temperature: tuple[float, float] = (1.0, 0.5),
        straight_through: bool = False,
        rao_blackwell: int = 0,
    ) -> None:
        super().__init__(units, temperature, straight_through)
        at_least(2, categories=categories)
        at_least(0, rao_blackwell=rao_blackwell)
        self.categories, self.rao_blackwell = categories, rao_blackwell
        self.width = self.size = units * categories

    def logits(self, h: Tensor) -> Tensor:
        """Log q of every category: (n, width) -> (n, units, categories)."""
        return log_softmax(h.view(len(h), self.units, self.categories), 2)

    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """A relaxed or straight-through one-hot vector for every unit."""
        logits, temperature = self.logits(h), self.temperature_at(progress)
        if self.rao_blackwell:
            hard = self.one_hot(gumbel(logits) + logits)
            noisy = conditional_gumbel(logits.detach(), hard, self.rao_blackwell) - logits.detach() + logits
            soft = (noisy / temperature).softmax(-1).mean(0)
            return (hard + soft - soft.detach()).flatten(1)
        soft = ((logits + gumbel(logits)) / temperature).softmax(-1)
        if self.straight_through:
            soft = self.one_hot(soft) + soft - soft.detach()
        return soft.flatten(1)

    def draw_exactly(self, h: Tensor) -> Tensor:
        """A one-hot vector for every unit."""
        logits = self.logits(h)
        return self.one_hot(logits + gumbel(logits)).flatten(1)

    def one_hot(self, scores: Tensor) -> Tensor:
        """The best category: (n, units, categories) -> the same."""
        return one_hot(scores.argmax(-1), self.categories).to(scores.dtype)

    def kl(self, h: Tensor) -> Tensor:
        """Sum_k q_k log(K q_k)."""
        logits = self.logits(h)
        return (logits.exp() * (logits + math.log(self.categories))).sum(2)

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """-units log K - log q of the drawn categories."""
        chosen = (z.view(len(z), self.units, self.categories) * self.logits(h)).sum((1, 2))
        return -self.units * math.log(self.categories) - chosen

    def code(self, h: Tensor) -> Tensor:
        """The probabilities."""
        return self.logits(h).exp().flatten(1)

    def prior(self, n: int, device: torch.device) -> Tensor:
        """Uniform one-hot vectors."""
        chosen = torch.randint(self.categories, (n, self.units), device=device)
        return one_hot(chosen, self.categories).float().flatten(1)


class Bernoulli(Relaxed):
    """Every unit is 0 or 1, under the prior 1/2; h are the logits.

    The relaxation is sigmoid((h + logistic noise) / temperature).

    Args:
        units: Latent variables, 1 or more.
        temperature: At the beginning and at the end, positive.
        straight_through: Whether draws are 0 or 1 in training too.

    Reference:
        Maddison, Mnih, Teh. The concrete distribution. 2017.
    """

    def __init__(
        self, units: int, temperature: tuple[float, float] = (1.0, 0.5), straight_through: bool = False
    ) -> None:
        super().__init__(units, temperature, straight_through)

    def draw(self, h: Tensor, progress: Tensor) -> Tensor:
        """A relaxed or straight-through bit for every unit."""
        soft = ((h + gumbel(h) - gumbel(h)) / self.temperature_at(progress)).sigmoid()
        return (soft > 0.5).to(h.dtype) + soft - soft.detach() if self.straight_through else soft

    def draw_exactly(self, h: Tensor) -> Tensor:
        """A bit for every unit."""
        return (torch.rand_like(h) < h.sigmoid()).to(h.dtype)

    def kl(self, h: Tensor) -> Tensor:
        """Q log 2 q + (1 - q) log 2 (1 - q) = q h - softplus(h) + log 2."""
        return h.sigmoid() * h - softplus(h) + math.log(2)

    def log_ratio(self, z: Tensor, h: Tensor) -> Tensor:
        """-units log 2 - log q of the drawn bits."""
        return -self.units * math.log(2) - (z * h - softplus(h)).sum(1)

    def code(self, h: Tensor) -> Tensor:
        """The probabilities of 1."""
        return h.sigmoid()

    def prior(self, n: int, device: torch.device) -> Tensor:
        """Fair bits."""
        return torch.randint(2, (n, self.units), device=device).float()


def gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel noise of the same shape."""
    return -torch.empty_like(like).exponential_().clamp(min=torch.finfo(like.dtype).tiny).log()


def conditional_gumbel(logits: Tensor, hard: Tensor, n: int) -> Tensor:
    """Draws of logits + Gumbel noise given which category is the largest: (m, u, K), (m, u, K) -> (n, m, u, K).

    With E standard exponential: the largest is -log E_j + log Z, any other -log(E_i / exp(logits_i) + E_j / Z).

    Args:
        logits: Normalised, so that Z = 1.
        hard: One-hot: the category that won.
        n: Draws, 1 or more.
    """
    e = torch.empty(n, *logits.shape, device=logits.device, dtype=logits.dtype).exponential_()
    e = e.clamp(min=torch.finfo(logits.dtype).tiny)
    winner = (e * hard).sum(-1, keepdim=True)
    others = -(e * (-logits).exp() + winner).log()
    return torch.where(hard.bool(), -winner.log(), others)


def make_latents(
    name: Name,
    units: int,
    categories: int = 10,
    temperature: tuple[float, float] = (1.0, 0.5),
    straight_through: bool = False,
    rao_blackwell: int = 0,
) -> Latents:
    """A latent distribution by name; the last four options are those of the discrete ones."""
    if name == "categorical":
        return Categorical(units, categories, temperature, straight_through, rao_blackwell)
    if name == "bernoulli":
        return Bernoulli(units, temperature, straight_through)
    return LogNormal(units) if name == "log-normal" else Normal(units)
