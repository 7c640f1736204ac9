"""The game min over x, max over y of x y: what simultaneous, alternating and corrected steps do near its saddle.

It is the Wasserstein GAN with one real example at 0, one generated at x and the critic t -> -y t, a case of the Dirac
GAN of Mescheder et al. 2018, section 2; the R1 penalty is gamma y^2 / 2 there.
"""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nacre.errors import NacreError, at_least, share
from nacre.explain.page import Page, new_figure

START = (1.0, 0.0)


def field(v: Tensor, gamma: float = 0.0) -> Tensor:
    """The players' directions (-df/dx, df/dy) at v = (x, y), for f = x y - gamma y^2 / 2."""
    x, y = v
    return torch.stack([-y, x - gamma * y])


def simultaneous(v: Tensor, lr: float, gamma: float) -> Tensor:
    """Both players step from the same point."""
    return v + lr * field(v, gamma)


def alternating(v: Tensor, lr: float, gamma: float) -> Tensor:
    """X steps, then y sees where x went; so the turns of a game are played here."""
    seen = torch.stack([v[0] + lr * field(v, gamma)[0], v[1]])
    return torch.stack([seen[0], v[1] + lr * field(seen, gamma)[1]])


def extragradient(v: Tensor, lr: float, gamma: float) -> Tensor:
    """Both step from v by the directions found one step ahead. Korpelevich 1976."""
    return v + lr * field(v + lr * field(v, gamma), gamma)


Step = Callable[[Tensor, float, float], Tensor]


@dataclass(frozen=True)
class Rule:
    """How both players move, and the same as a matrix.

    Args:
        step: Maps (v, lr, gamma) to the next v.
        matrix: Maps (lr, gamma) to the matrix M with v' = M v.
        regularised: Whether y is penalised by gamma y^2 / 2.
        average: What is followed: the iterates, their mean ("mean") or their moving average ("ema").
    """

    step: Step
    matrix: Callable[[float, float], list[list[float]]]
    regularised: bool = False
    average: str = ""


def _simultaneous(lr: float, gamma: float) -> list[list[float]]:
    return [[1, -lr], [lr, 1 - lr * gamma]]


def _alternating(lr: float, gamma: float) -> list[list[float]]:
    return [[1, -lr], [lr, 1 - lr**2 - lr * gamma]]


def _extragradient(lr: float, gamma: float) -> list[list[float]]:
    return [[1 - lr**2, -lr + lr**2 * gamma], [lr - lr**2 * gamma, 1 - lr**2 - lr * gamma + lr**2 * gamma**2]]


RULES = {
    "simultaneous": Rule(simultaneous, _simultaneous),
    "alternating": Rule(alternating, _alternating),
    "extragradient": Rule(extragradient, _extragradient),
    "alternating, mean": Rule(alternating, _alternating, average="mean"),
    "alternating, EMA": Rule(alternating, _alternating, average="ema"),
    "simultaneous + R1": Rule(simultaneous, _simultaneous, regularised=True),
    "alternating + R1": Rule(alternating, _alternating, regularised=True),
}


def played(rule: Rule, lr: float, gamma: float, decay: float, steps: int) -> Tensor:
    """The path from `START`, step by step, shape (steps + 1, 2)."""
    gamma = gamma if rule.regularised else 0.0
    path = [torch.tensor(START, dtype=torch.float64)]
    for _ in range(steps):
        path.append(rule.step(path[-1], lr, gamma))
    iterates = torch.stack(path)
    if rule.average == "mean":
        return iterates.cumsum(0) / torch.arange(1, steps + 2)[:, None]
    if rule.average == "ema":
        smooth = [iterates[0]]
        for v in iterates[1:]:
            smooth.append(decay * smooth[-1] + (1 - decay) * v)
        return torch.stack(smooth)
    return iterates


def solved(rule: Rule, lr: float, gamma: float, decay: float, steps: int) -> Tensor:
    """The same path from the eigenvalues of the rule's matrix, shape (steps + 1, 2).

    With M's eigenvalues a and b, M^t = a^t I + (a^t - b^t) / (a - b) (M - a I). The mean of v_0 ... v_t is
    (I - M)^-1 (I - M^(t+1)) v_0 / (t + 1), the moving average
    decay^t v_0 + (1 - decay) (M - decay I)^-1 (M^t - decay^t I) M v_0.
    """
    m = torch.tensor(rule.matrix(lr, gamma if rule.regularised else 0.0), dtype=torch.float64)
    one, start = torch.eye(2, dtype=torch.float64), torch.tensor(START, dtype=torch.float64)
    path = []
    for t in range(steps + 1):
        if rule.average == "mean":
            path.append(torch.linalg.solve(one - m, (one - power(m, t + 1)) @ start) / (t + 1))
        elif rule.average == "ema":
            past = decay**t * one
            path.append(
                past @ start + (1 - decay) * torch.linalg.solve(m - decay * one, (power(m, t) - past) @ m @ start)
            )
        else:
            path.append(power(m, t) @ start)
    return torch.stack(path)


def eigenvalues(m: Tensor) -> tuple[complex, complex]:
    """The eigenvalues of a real matrix (2, 2)."""
    half, det = float(m[0, 0] + m[1, 1]) / 2, float(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0])
    root = cmath.sqrt(half**2 - det)
    return half + root, half - root


def power(m: Tensor, t: int) -> Tensor:
    """M^t of a real matrix (2, 2) by its eigenvalues."""
    a, b = eigenvalues(m)
    slope = t * a ** max(t - 1, 0) if a == b else (a**t - b**t) / (a - b)
    one = torch.eye(2, dtype=m.dtype)
    return (a**t * one + slope * (m - a * one)).real


def rate(rule: Rule, lr: float, gamma: float) -> float:
    """The factor by which the distance to the saddle changes per step in the long run: the largest |eigenvalue|.

    Of the iterates; their averages behave otherwise where it is 1.
    """
    m = torch.tensor(rule.matrix(lr, gamma if rule.regularised else 0.0), dtype=torch.float64)
    return max(map(abs, eigenvalues(m)))


def page(*, lr: float = 0.2, gamma: float = 1.0, decay: float = 0.9, steps: int = 120) -> Page:
    """Play min over x, max over y of x y by seven rules, and hold each path against its closed form.

    Args:
        lr: Both players' step, in (0, 2): beyond, alternating steps leave their ellipse.
        gamma: Weight of the penalty gamma y^2 / 2, 0 or more.
        decay: Of the moving average, in [0, 1).
        steps: Of each rule, 1 to 10000.

    Raises:
        NacreError: A value is out of range.
    """
    at_least(0, gamma=gamma)
    share(decay=decay)
    if not 0 < lr < 2:
        raise NacreError(f"lr is {lr}; it must lie in (0, 2).")
    if not 1 <= steps <= 10_000:
        raise NacreError(f"steps is {steps}; it must lie between 1 and 10000.")
    fastest = max(RULES, key=lambda name: rate(RULES[name], lr, gamma))
    if steps * math.log10(rate(RULES[fastest], lr, gamma)) > 100:
        raise NacreError(f"{fastest} steps would go beyond 1e100 in {steps} steps; lower steps, lr or gamma.")
    settings = (lr, gamma, decay, steps)
    paths = {name: played(rule, *settings) for name, rule in RULES.items()}
    exact = {name: solved(rule, *settings) for name, rule in RULES.items()}
    rows = [
        {
            "rule": name,
            "largest |eigenvalue|": rate(rule, lr, gamma),
            f"distance after {steps}": float(paths[name][-1].norm()),
            "closed form": float(exact[name][-1].norm()),
            "largest relative error": error(paths[name], exact[name]),
        }
        for name, rule in RULES.items()
    ]
    title = f"min over x, max over y of x y from (1, 0); lr {lr:g}, gamma {gamma:g}, decay {decay:g}"
    return Page({title: rows}, drawn(paths, exact))


def error(path: Tensor, exact: Tensor) -> float:
    """The largest deviation over a path, relative to its largest distance so far."""
    return float(((path - exact).norm(dim=1) / exact.norm(dim=1).cummax(0).values).max())


def drawn(paths: dict[str, Tensor], exact: dict[str, Tensor]) -> Any:
    """Every path in the plane, and all distances over time."""
    figure, axes = new_figure(2, 4, 11.5, 5.6)
    *planes, distance = axes.flat
    shown = range(0, len(paths["alternating"]), max(1, len(paths["alternating"]) // 30))
    for plane, (name, path), colour in zip(planes, paths.items(), colours(), strict=False):
        if RULES[name].average:
            plane.plot(*paths["alternating"].T, color="0.85", linewidth=1)
        plane.plot(*path.T, color=colour, linewidth=1, marker=".", markersize=3)
        plane.plot(*START, "o", color="black", markersize=4)
        plane.plot(0, 0, "+", color="black")
        plane.set(title=name, xlim=(-2, 2), ylim=(-2, 2), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        plane.title.set_fontsize(10)
        distance.semilogy(path.norm(dim=1).clamp(min=1e-16), color=colour, linewidth=1.2)
        distance.semilogy(shown, exact[name].norm(dim=1)[list(shown)].clamp(min=1e-16), ".", color=colour, markersize=4)
    distance.set_title("distance from the saddle\nline: played, dots: closed form", fontsize=10)
    distance.set_xlabel("step", fontsize=9)
    return figure


def colours() -> list[str]:
    """One for each rule."""
    return ["tab:red", "tab:orange", "tab:blue", "tab:brown", "tab:purple", "tab:green", "tab:cyan"]
