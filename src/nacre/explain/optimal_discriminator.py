"""What a discriminator learns: its odds D / (1 - D) become the density ratio, its cost a Jensen-Shannon divergence.

For all D the cost is log 4 - 2 JSD(p, q) + 2 E_m[KL(D* || D)], with D* = p / (p + q), m = (p + q) / 2 and KL that of
two coins; so the excess over the optimum is itself a divergence, and (log 4 - cost) / 2 never exceeds the JSD.
Goodfellow et al. 2014, proposition 1 and theorem 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nacre.errors import at_least
from nacre.explain.page import Page, Row, new_figure, one_thread
from nacre.losses.adversarial import discriminator_cost
from nacre.model import seeded
from nacre.nets.mlp import mlp

GRID = torch.linspace(-9.0, 9.0, 4001, dtype=torch.float64)


@dataclass(frozen=True)
class Gaussians:
    """A mixture of normal densities on the line."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density in nats, (n,) -> (n,)."""
        parts = [
            math.log(w / (sd * math.sqrt(2 * math.pi))) - (x - mean).square() / (2 * sd**2)
            for w, mean, sd in zip(self.weights, self.means, self.sds, strict=True)
        ]
        return torch.logsumexp(torch.stack(parts), 0)

    def sample(self, n: int) -> Tensor:
        """N draws, shape (n, 1)."""
        part = torch.multinomial(torch.tensor(self.weights), n, replacement=True)
        return (torch.tensor(self.means)[part] + torch.tensor(self.sds)[part] * torch.randn(n))[:, None]


DATA = Gaussians((0.6, 0.4), (-1.5, 1.6), (0.5, 0.7))
MODEL = Gaussians((1.0,), (0.4,), (1.2,))


def integral(values: Tensor) -> float:
    """Over the grid, by the trapezoidal rule."""
    return float(torch.trapezoid(values, GRID))


def divergence(log_p: Tensor, log_q: Tensor) -> float:
    """JSD(p, q) = (KL(p || m) + KL(q || m)) / 2 in nats, of log densities on the grid."""
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return integral(log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)) / 2


def expected_cost(logit: Tensor, log_p: Tensor, log_q: Tensor) -> float:
    """-E_p[log D] - E_q[log(1 - D)] of D's logit on the grid: `discriminator_cost` for endlessly many samples."""
    return integral(log_p.exp() * softplus(-logit) + log_q.exp() * softplus(logit))


def overpaid(logit: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """(p + q) KL(D* || D) at each point: what a discriminator costs there beyond the best one."""
    best = log_p - log_q
    d = torch.sigmoid(best)
    real, fake = softplus(-logit) - softplus(-best), softplus(logit) - softplus(best)  # log D* / D, log (1-D*) / (1-D)
    return (log_p.exp() + log_q.exp()) * (d * real + (1 - d) * fake)


def trained(steps: int, seed: int, samples: int = 0) -> tuple[Tensor, float]:
    """A dense discriminator's logit on the grid, and its cost on the last batch.

    Args:
        steps: Of Adam, on batches of 512.
        seed: Of weights and samples.
        samples: So many fixed ones of each kind; 0 draws fresh ones for each step.
    """
    with seeded(seed), one_thread():
        net: nn.Module = mlp([1, 64, 64, 1], "silu")
        optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        fixed = (DATA.sample(samples), MODEL.sample(samples)) if samples else None
        cost = torch.zeros(())
        for _ in range(steps):
            real, fake = fixed or (DATA.sample(512), MODEL.sample(512))
            cost = discriminator_cost(net(real), net(fake))
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return net(GRID[:, None].float())[:, 0].double(), float(cost)


def numbers(name: str, logit: Tensor, cost: float) -> Row:
    """How far a discriminator is from the optimum; errors are weighted by m = (p + q) / 2."""
    log_p, log_q = DATA.log_prob(GRID), MODEL.log_prob(GRID)
    best, m = log_p - log_q, (log_p.exp() + log_q.exp()) / 2
    reached = expected_cost(logit, log_p, log_q)
    return {
        "discriminator": name,
        "cost on its samples": cost,
        "exact cost": reached,
        "excess": integral(overpaid(logit, log_p, log_q)),
        "JSD bound": (math.log(4) - reached) / 2,
        "error of D": math.sqrt(integral(m * (torch.sigmoid(logit) - torch.sigmoid(best)).square())),
        "error of log ratio": math.sqrt(integral(m * (logit - best).square())),
        "E_q[D / (1 - D)]": integral(log_q.exp() * logit.exp()),
    }


def page(*, steps: int = 3000, few: int = 50, seed: int = 0) -> Page:
    """Train a discriminator between two known densities on the line, and hold it against p / (p + q).

    Args:
        steps: Of training, 1 or more.
        few: Samples of each kind that a second discriminator sees again and again, 1 or more.
        seed: Of the weights and the samples.

    Raises:
        NacreError: A value is out of range.
    """
    at_least(1, steps=steps, few=few)
    at_least(0, seed=seed)
    log_p, log_q = DATA.log_prob(GRID), MODEL.log_prob(GRID)
    best, jsd = log_p - log_q, divergence(log_p, log_q)
    logit, cost = trained(steps, seed)
    memorised, memorised_cost = trained(steps, seed, few)
    optimum = math.log(4) - 2 * jsd
    rows = [
        numbers("optimal", best, optimum),
        numbers("fresh samples", logit, cost),
        numbers(f"{few} + {few} samples", memorised, memorised_cost),
    ]
    title = f"p two Gaussians, q one; JSD(p, q) = {jsd:.4f} nats, log 4 - 2 JSD = {optimum:.4f}"
    return Page({title: rows}, drawn({"fresh samples": logit, f"{few} + {few} samples": memorised}))


def drawn(logits: dict[str, Tensor]) -> Any:
    """The densities, the discriminators, the ratios they imply, and where they pay more than they must."""
    figure, axes = new_figure(2, 2, 11.0, 6.4)
    densities, discriminators, ratios, costs = axes.flat
    log_p, log_q = DATA.log_prob(GRID), MODEL.log_prob(GRID)
    best = log_p - log_q
    densities.fill_between(GRID, log_p.exp(), alpha=0.4, label="p, data", linewidth=0)
    densities.fill_between(GRID, log_q.exp(), alpha=0.4, label="q, model", linewidth=0)
    discriminators.plot(GRID, torch.sigmoid(best), color="black", linewidth=3, alpha=0.3, label="p / (p + q)")
    ratios.plot(GRID, best, color="black", linewidth=3, alpha=0.3, label="log p - log q")
    for (name, logit), colour in zip(logits.items(), ("tab:red", "tab:purple"), strict=True):
        discriminators.plot(GRID, torch.sigmoid(logit), color=colour, linewidth=1.2, label=name)
        ratios.plot(GRID, logit, color=colour, linewidth=1.2, label=name)
        costs.semilogy(GRID, overpaid(logit, log_p, log_q).clamp(min=1e-9), color=colour, linewidth=1.2, label=name)
    densities.set_title("the densities", fontsize=10)
    discriminators.set_title("D", fontsize=10)
    ratios.set_title("logit of D: the log density ratio", fontsize=10)
    costs.set_title("(p + q) KL(D* || D): its integral is the excess cost", fontsize=10)
    ratios.set_ylim(-12, 16)
    costs.set_ylim(1e-7, 10)
    for each in axes.flat:
        each.set_xlim(-5, 6)
    for each in (densities, ratios):
        each.legend(fontsize=8, frameon=False, loc="upper right")
    return figure
