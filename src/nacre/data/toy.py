"""Toy sets in the plane with an exact density: a ring, a grid and a swiss roll."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

TOYS = ("ring", "grid", "swiss-roll")
N_TRAIN, N_TEST = 50_000, 10_000


@dataclass(frozen=True)
class Mixture:
    r"""Gaussians of equal weight and equal deviation.

    $$p(x) = \frac 1 k \sum_i N(x;\, \mu_i,\, \sigma^2 I)$$

    Args:
        modes: The means $\mu$ (k, d).
        sd: The deviation $\sigma$ of each; positive.
    """

    modes: Tensor
    sd: float

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density in nats.

        Shapes:
            (n, d) -> (n,)
        """
        modes = self.modes.to(x)
        k, d = modes.shape
        squares = torch.stack([(x - mode).square().sum(1) for mode in modes], 1)  # (n, k)
        constant = math.log(k) + d * math.log(self.sd * math.sqrt(2 * math.pi))
        return torch.logsumexp(-squares / (2 * self.sd**2), 1) - constant

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """N exact samples (n, d)."""
        return self.draw(n, seed)[0]

    def draw(self, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """N samples (n, d) and the indices (n,) of their modes."""
        generator = torch.Generator().manual_seed(seed)
        index = torch.randint(len(self.modes), (n,), generator=generator)
        noise = torch.randn(n, self.modes.shape[1], generator=generator)
        return self.modes[index] + self.sd * noise, index


@dataclass(frozen=True)
class SwissRoll:
    r"""A spiral of one and a half turns and outer radius 1, with Gaussian noise.

    $$p(x) = \int_a^b N(x;\, c(t),\, \sigma^2 I)\, \frac{dt}{b - a}, \quad c(t) = \frac t b (\cos t, \sin t),
    \quad a = 3\pi/2,\; b = 9\pi/2$$

    The integral is Simpson's rule with 4,097 nodes along the curve, at most 0.003 apart: for the default noise its
    error is below 1e-5 nats within a few deviations of the curve.

    Args:
        sd: The deviation $\sigma$ of the noise; 0.01 to 0.2.
    """

    sd: float = 0.02

    start, end, nodes = 1.5 * math.pi, 4.5 * math.pi, 4097

    @cached_property
    def curve(self) -> Tensor:
        """The nodes of the integral (4097, 2) in float64."""
        return self._point(torch.linspace(self.start, self.end, self.nodes, dtype=torch.float64))

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density in nats, by numerical integration.

        Shapes:
            (n, 2) -> (n,)
        """
        weights = torch.full((self.nodes,), 2.0, dtype=torch.float64, device=x.device)
        weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
        constant = math.log(3 * (self.nodes - 1)) + 2 * math.log(self.sd * math.sqrt(2 * math.pi))
        # |x - c|^2 by its three terms: fast, and in float64 exact enough.
        curve, points = self.curve.to(x.device) / self.sd, x.to(torch.float64) / self.sd
        bias = weights.log() - curve.square().sum(1) / 2
        parts = [torch.logsumexp(torch.addmm(bias, part, curve.T), 1) for part in points.split(256)]  # (n,)
        return (torch.cat(parts) - points.square().sum(1) / 2 - constant).to(x.dtype)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """N exact samples (n, 2)."""
        generator = torch.Generator().manual_seed(seed)
        t = self.start + (self.end - self.start) * torch.rand(n, generator=generator)
        return self._point(t) + self.sd * torch.randn(n, 2, generator=generator)

    def _point(self, t: Tensor) -> Tensor:
        return torch.stack([t.cos(), t.sin()], 1) * (t / self.end)[:, None]  # (n, 2)


def density(name: str) -> Mixture | SwissRoll:
    """The density of a toy set by its name, one of `TOYS`."""
    if name == "ring":
        angle = torch.arange(8) * (2 * math.pi / 8)
        return Mixture(torch.stack([angle.cos(), angle.sin()], 1), 0.02)
    if name == "grid":
        line = torch.arange(-4.0, 5.0, 2.0)
        return Mixture(torch.cartesian_prod(line, line), 0.05)
    return SwissRoll()


def draw(name: str, split: str, seed: int = 0) -> tuple[Tensor, Tensor | None]:
    """The points (n, 2) of a split and, of a mixture, their modes (n,).

    Args:
        name: One of `TOYS`.
        split: "train" (50,000 points) or "test" (10,000 others).
        seed: The two splits of a seed and those of another are all different.
    """
    n, own = (N_TRAIN, 2 * seed) if split == "train" else (N_TEST, 2 * seed + 1)
    toy = density(name)
    return toy.draw(n, own) if isinstance(toy, Mixture) else (toy.sample(n, own), None)
