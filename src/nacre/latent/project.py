"""Projection: the latent code whose decoded example is nearest to a given one.

Reference:
    Zhu, Krähenbühl, Shechtman, Efros. Generative visual manipulation on the natural image manifold. 2016.
    arXiv 1609.03552.
"""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nacre.errors import NacreError, at_least
from nacre.model import ArrayLike, Model, seeded


@dataclass(frozen=True)
class Projection:
    """What a projection found for n examples.

    Args:
        codes: Shape (n, latent).
        reconstructions: The decoded codes, shape (n, *shape).
        errors: Squared error per value of each example, in the data's units, shape (n,).
    """

    codes: Tensor
    reconstructions: Tensor
    errors: Tensor


def project(
    model: Model,
    x: ArrayLike,
    *,
    steps: int = 500,
    restarts: int = 4,
    lr: float = 0.1,
    prior: float = 0.0,
    features: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    batch_size: int = 256,
    progress: bool = False,
) -> Projection:
    """Find codes for examples by descending the error of what they decode to; the model stays as it is.

    Minimises over z, by Adam with a cosine schedule from several starts at once,

        mean ((x - decode(z)) / scale)^2 + |f(x) - f(decode(z))|^2 / |f(x)|^2 + prior |z|^2 / latent

    and keeps the best start of every example. They begin at draws of the prior; where the model has an encoder, at the
    code of the example and at draws around it. Zhu et al. 2016.

    Args:
        model: A model that can decode.
        x: The examples, shape (n, *spec.shape).
        steps: Steps of Adam, 1 or more.
        restarts: Starts per example, 1 or more.
        lr: The first learning rate, for a latent of unit variance.
        prior: Weight of the code's squared length per dimension, 0 or more; keeps codes where the prior has its mass.
        features: f, differentiable, (n, *shape) -> (n, d), such as a classifier's `features`; by default values only.
        seed: Draws the starts.
        batch_size: The most codes that are worked on at once, 1 or more.
        progress: Whether to show a progress bar, if the output is a terminal.

    Raises:
        NacreError: The model cannot decode, or an argument or the examples are out of range.
    """
    at_least(1, steps=steps, restarts=restarts, batch_size=batch_size)
    at_least(0, lr=lr, prior=prior)
    if not model.can("decode"):
        model.decode([])  # says why it cannot
    x = model.place(x, "project")
    starts = _starts(model, x, restarts, seed)  # (n, restarts, latent)
    scale = torch.tensor(model.spec.scale, device=model.device)
    at_once = max(1, batch_size // restarts)
    best = []
    with model.evaluating(), _bar(steps * math.ceil(len(x) / at_once), progress) as advance:
        for first in range(0, len(x), at_once):
            wanted = x[first : first + at_once].repeat_interleave(restarts, 0)
            distance = partial(_distance, model, wanted, scale, prior, features)
            z = _descend(distance, starts[first : first + at_once].flatten(0, 1), steps, lr, advance)
            with torch.no_grad():
                choice = distance(z).view(-1, restarts).argmin(1)
            best.append(z.view(-1, restarts, z.shape[1])[torch.arange(len(choice)), choice])
    codes = torch.cat(best) if best else starts[:, 0]
    y = model.decode(codes)
    return Projection(codes, y, (y - x).square().flatten(1).mean(1))


def _starts(model: Model, x: Tensor, restarts: int, seed: int) -> Tensor:
    """Where the descent begins, shape (n, restarts, latent)."""
    with seeded(seed):
        if not model.can("encode"):
            return model.noise(len(x) * restarts).unflatten(0, (len(x), restarts))
        code = model.encode(x)[:, None]
        noise = torch.randn(len(x), restarts, code.shape[2], device=model.device)
    noise[:, 0] = 0
    return code + noise * code.square().mean().sqrt()


def _distance(
    model: Model,
    x: Tensor,
    scale: Tensor,
    prior: float,
    features: Callable[[Tensor], Tensor] | None,
    z: Tensor,
) -> Tensor:
    """What a projection minimises, shape (n,)."""
    # The decoder below the wrapper that stops gradients.
    y = inspect.unwrap(type(model).decode)(model, z)
    total = ((y - x) / scale).square().flatten(1).mean(1)
    if features is not None:
        goal = features(x).detach()
        total = total + (features(y) - goal).square().sum(1) / goal.square().sum(1).clamp_min(1e-12)
    return total + prior * z.square().mean(1) if prior else total


def _descend(
    distance: Callable[[Tensor], Tensor], z: Tensor, steps: int, lr: float, advance: Callable[[Tensor], None]
) -> Tensor:
    """Adam on every code by itself; only the codes' gradients are computed."""
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        with torch.enable_grad():
            distances = distance(z)
            if distances.requires_grad:
                (z.grad,) = torch.autograd.grad(distances.sum(), z, allow_unused=True)
        if z.grad is None:
            raise NacreError("this model's decoder gives its code no gradient to follow; encode the examples instead.")
        optimizer.step()
        schedule.step()
        advance(distances)
    return z.detach()


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[Tensor], None]]:
    """A progress bar on a terminal; yields what moves it on by a step and shows the mean distance."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("projecting"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
    live = shown and console.is_terminal
    with Progress(*columns, TextColumn("{task.fields[distance]}"), console=console, disable=not live) as bar:
        task, done = bar.add_task("", total=total, distance=""), 0

        def advance(distances: Tensor) -> None:
            nonlocal done
            done += 1
            if live and (done % 10 == 0 or done == total):
                bar.update(task, completed=done, distance=f"distance {float(distances.detach().mean()):.4g}")

        yield advance
