"""The generator's three costs as functions of D(G(z)), and whom their gradients listen to.

With the logit a of D: minimax log(1 - D) has d/da = -D, non-saturating -log D has -(1 - D), maximum-likelihood
-D / (1 - D) = -exp(a) has -exp(a). By D itself they are -1 / (1 - D), -1 / D and -1 / (1 - D)^2, which hides what
happens, since dD/da = D (1 - D) vanishes at both ends.

Under the best D for p = N(0, 1) and q = N(t, 1) they are the gradients by t of divergences: 2 JSD(p, q) for minimax
(Goodfellow et al. 2014, theorem 1), KL(q || p) - 2 JSD(p, q) for non-saturating (Arjovsky and Bottou 2017, theorem
2.5), and KL(p || q) for maximum-likelihood (Goodfellow 2014, arXiv 1412.6515, section 4).
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nacre.errors import at_least
from nacre.explain.page import Page, Row, new_figure
from nacre.losses.adversarial import GENERATOR_COSTS

LEVELS = (1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6)
COLOURS = {"minimax": "tab:red", "non-saturating": "tab:blue", "maximum-likelihood": "tab:green"}


def slopes(name: str, logits: Tensor) -> Tensor:
    """The derivative of a cost by each logit (n,), from the code that trains."""
    leaf = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(GENERATOR_COSTS[name](leaf), leaf)
    return gradient * len(logits)


def formulas(name: str, logits: Tensor) -> Tensor:
    """The same in closed form."""
    return {
        "minimax": -torch.sigmoid(logits),
        "non-saturating": -torch.sigmoid(-logits),
        "maximum-likelihood": -logits.exp(),
    }[name]


def by_probability(name: str, d: Tensor) -> Tensor:
    """The derivative by D: that by the logit over D (1 - D)."""
    return slopes(name, torch.logit(d)) / (d * (1 - d))


def listened(weights: Tensor) -> float:
    """The share of samples that a weighted sum effectively takes in: (sum w)^2 / (n sum w^2), 1 for equal weights."""
    return float(weights.sum().square() / (len(weights) * weights.square().sum()))


def normal_logits(mean: float, sd: float, n: int = 100_000) -> Tensor:
    """Nodes of equal probability of N(mean, sd^2)."""
    law = torch.distributions.Normal(torch.tensor(mean).double(), torch.tensor(sd).double())
    return law.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


# A model that only has to move: q = N(t, 1) against p = N(0, 1)

LINE = torch.linspace(-12.0, 20.0, 8001, dtype=torch.float64)


def best_logit(x: Tensor, t: float) -> Tensor:
    """The logit of the best discriminator, log p(x) - log q(x)."""
    return t**2 / 2 - t * x


def expected_pull(name: str, t: float) -> float:
    """The derivative of E[cost(D*(x))] by t, where x = t + e with e ~ N(0, 1) and D* stays fixed.

    The chain rule gives E_q[cost'(a) da/dx] with da/dx = -t; integrated in closed forms of cost', without a bound.
    """
    density = torch.exp(-((LINE - t) ** 2) / 2) / math.sqrt(2 * math.pi)
    return float(torch.trapezoid(density * formulas(name, best_logit(LINE, t)) * -t, LINE))


def sampled_pull(name: str, t: float, batch: int, draws: int = 400, seed: int = 0) -> float:
    """The median over batches of the same derivative as training would estimate it."""
    noise = torch.randn(draws, batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pulls = slopes(name, best_logit(t + noise, t).flatten()).reshape(draws, batch) * -t
    return float(pulls.mean(1).median())


def divergences(t: float) -> dict[str, float]:
    """What each cost follows under the best D, in nats: the function of t whose derivative `expected_pull` is."""
    log_p, log_q = -(LINE**2) / 2, -((LINE - t) ** 2) / 2
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    twice = log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)
    jsd = float(torch.trapezoid(twice, LINE)) / (2 * math.sqrt(2 * math.pi))
    return {"minimax": 2 * jsd, "non-saturating": t**2 / 2 - 2 * jsd, "maximum-likelihood": t**2 / 2}


def page(*, batch: int = 256, seed: int = 0) -> Page:
    """Show the gradients of the generator's costs: where they vanish, and which samples they listen to.

    Args:
        batch: Samples per batch where gradients are estimated, 1 or more.
        seed: Of those samples.

    Raises:
        NacreError: A value is out of range.
    """
    at_least(1, batch=batch)
    at_least(0, seed=seed)
    distances = [0.25 * i for i in range(1, 25)]
    exact = {name: [expected_pull(name, t) for t in distances] for name in GENERATOR_COSTS}
    seen = {name: [sampled_pull(name, t, batch, seed=seed) for t in distances] for name in GENERATOR_COSTS}
    pulls: list[Row] = [
        {
            "distance t": distances[i],
            **{name: exact[name][i] for name in GENERATOR_COSTS},
            **{f"{name}, in a batch": seen[name][i] for name in GENERATOR_COSTS},
        }
        for i in (1, 3, 7, 11, 15, 19, 23)
    ]
    tables = {
        "gradient of the cost by the logit, for one sample with D(G(z)) = D": by_level(),
        "gradient by D itself": [
            {"D": f"{d:.6g}", **{name: float(by_probability(name, double(d))) for name in GENERATOR_COSTS}}
            for d in LEVELS
        ],
        "mean |gradient| by the logit over fakes": over_fakes(lambda weights: float(weights.mean())),
        "share of the fakes that the gradient listens to": over_fakes(listened),
        f"model N(t, 1), data N(0, 1), best D: gradient by t, exact and the median of batches of {batch}": pulls,
    }
    return Page(tables, drawn(distances, exact, seen))


def double(value: float) -> Tensor:
    """One value as a vector."""
    return torch.tensor([value], dtype=torch.float64)


def by_level() -> list[Row]:
    """The slopes at some D, and how far the code's are from the formulas' where no bound applies."""
    rows: list[Row] = []
    for d in LEVELS:
        logit = torch.logit(double(d))
        row: Row = {"D": f"{d:.6g}", **{name: float(slopes(name, logit)) for name in GENERATOR_COSTS}}
        unbounded = [name for name in GENERATOR_COSTS if name != "maximum-likelihood" or float(logit) <= 10]
        row["relative error"] = max(float((slopes(n, logit) / formulas(n, logit) - 1).abs()) for n in unbounded)
        rows.append(row)
    return rows


def over_fakes(measure: Callable[[Tensor], float]) -> list[Row]:
    """A measure of the slopes of a batch of fakes, early and late in a game, by cost."""
    return [
        {
            "fakes": f"{when}, logits N({mean:g}, {sd:g}^2)",
            **{name: measure(slopes(name, normal_logits(mean, sd)).abs()) for name in GENERATOR_COSTS},
        }
        for when, mean, sd in (("refused", -8.0, 1.0), ("refused", -4.0, 2.0), ("even", 0.0, 1.0), ("taken", 3.0, 1.0))
    ]


def drawn(distances: list[float], exact: dict[str, list[float]], seen: dict[str, list[float]]) -> Any:
    """The costs, their slopes by logit and by D, and the pull on a model at a distance."""
    figure, axes = new_figure(2, 2, 11.0, 6.8)
    costs, by_logit, by_d, pulls = axes.flat
    logits = torch.linspace(-14, 14, 1001, dtype=torch.float64)
    d = torch.sigmoid(logits)
    for name, colour in COLOURS.items():
        costs.plot(logits, torch.stack([GENERATOR_COSTS[name](a) for a in logits]), color=colour, label=name)
        by_logit.semilogy(logits, slopes(name, logits).abs(), color=colour, label=name)
        by_d.semilogy(logits, by_probability(name, d).abs(), color=colour, label=name)
        pulls.semilogy(distances, exact[name], color=colour, label=f"{name}, exact")
        pulls.semilogy(distances, seen[name], "o", color=colour, markersize=3, label="in a batch")
    costs.set(title="cost", ylim=(-12, 12), xlabel="logit of D(G(z))")
    by_logit.set(title="|gradient| by the logit: what reaches the generator", ylim=(1e-6, 1e6))
    by_d.set(title="|gradient| by D: what the formula suggests", ylim=(1e-1, 1e7))
    pulls.set(title="|gradient| by the model's distance t, under the best D", xlabel="t", ylim=(1e-4, 30))
    for each in (by_logit, by_d):
        each.set_xticks([math.log(level / (1 - level)) for level in LEVELS])
        each.set_xticklabels(["1e-6", "0.001", "0.1", "0.5", "0.9", "0.999", "1 - 1e-6"])
        each.set_xlabel("D(G(z))")
    for each in axes.flat:
        each.title.set_fontsize(10)
        each.xaxis.label.set_fontsize(9)
        each.grid(alpha=0.25)
    costs.legend(fontsize=8, frameon=False)
    pulls.legend(fontsize=7, frameon=False, ncols=3, loc="lower left")
    return figure
