"""How the aggregate posterior q(z), the codes of all data together, compares with the prior, and what z tells of x."""

import math
from typing import Any

import torch
from torch import Tensor

from nacre.losses.likelihoods import gaussian_log_density, mixture_log_density
from nacre.metrics.context import Context
from nacre.metrics.result import Result
from nacre.model import seeded
from nacre.nets.latents import Normal

CHEAP = False
ON_REQUEST = True
MOST, CHUNK = 2_000, 1_000


def obstacle(context: Context) -> str:
    """Why it cannot be measured."""
    from nacre.models.autoencoders.ladder_vae import LadderVAE

    if type(getattr(context.model, "latents", None)) is not Normal or isinstance(context.model, LadderVAE):
        return "it has no normal posterior q(z|x) of a single layer"
    return ""


@torch.no_grad()
def measure(context: Context) -> list[Result]:
    """`mutual_information` of x and z under q in nats, from above, and `prior_mmd`, between q(z) and the prior.

    I(x; z) = h(z) - h(z|x). The entropy h(z) of the aggregate posterior is taken as that of a normal with the same
    covariance, which no other distribution exceeds; h(z|x) is exact. The details give a bound from below: that of
    the mixture of the posteriors of the n examples, which cannot exceed log n.

    Reference:
        Zhao, Song, Ermon. InfoVAE: balancing learning and inference in variational autoencoders. 2019.
        Hoffman, Johnson. ELBO surgery: yet another way to carve up the variational evidence lower bound. 2016.
    """
    model: Any = context.model
    x = context.real.x.to(model.device)
    with seeded(context.seed), model.evaluating():
        h = torch.cat([model.posterior(part) for part in x.split(CHUNK)])
        z = model.latents.draw_exactly(h).double()
        few = min(len(z), MOST)
        priors = [model.noise(few).double() for _ in range(2)]
    mean, logvar = (part.double() for part in h.chunk(2, dim=1))
    upper = information_above(mean, logvar)
    lower = information_below(z, mean, logvar)
    n = len(z)
    floor = squared_mmd(*priors) ** 0.5
    return [
        Result(
            "mutual_information",
            upper,
            "nats",
            "",
            context.protocol("of x and z, with the entropy of a normal in the place of q(z)'s", n_real=n),
            warnings=context.warnings,
            details={"from_below": lower, "most_from_below": math.log(n)},
        ),
        Result(
            "prior_mmd",
            squared_mmd(z[:few], priors[0]) ** 0.5,
            "discrepancy",
            "lower",
            context.protocol(
                f"kernel exp(-|a - b|^2 / 2d), {few:,} draws of q(z) and of the prior, biased", n_real=few
            ),
            references={"two prior batches": floor},
            warnings=context.warnings,
        ),
    ]


def information_above(mean: Tensor, logvar: Tensor) -> float:
    """1/2 log det(Cov[mean] + diag E[var]) - 1/2 E[sum log var], the most that I(x; z) can be, in nats.

    Args:
        mean: Of q(z|x) for n examples, (n, d).
        logvar: Its log-variances, (n, d).
    """
    centred = mean - mean.mean(0)
    covariance = centred.T @ centred / len(mean) + logvar.exp().mean(0).diag()
    return float((covariance.logdet() - logvar.sum(1).mean()) / 2)


def information_below(z: Tensor, mean: Tensor, logvar: Tensor) -> float:
    """E[log q(z|x) - log 1/n sum_i q(z|x_i)] with one draw z for each example, at most log n, in nats.

    Args:
        z: A draw for each of n examples, (n, d).
        mean: Of q(z|x), (n, d).
        logvar: Its log-variances, (n, d).
    """
    own = gaussian_log_density(z, mean, logvar)
    mixed = torch.cat([mixture_log_density(part, mean, logvar) for part in z.split(CHUNK)])
    return float((own - mixed).mean())


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """The squared maximum mean discrepancy with the kernel exp(-|a - b|^2 / 2d), biased: never negative.

    Args:
        x: Shape (n, d).
        y: Shape (m, d).

    Reference:
        Gretton et al. A kernel two-sample test. 2012, equation 5.
    """
    within_x, within_y, across = (
        torch.cdist(a, b).square().div(-2 * x.shape[1]).exp().mean() for a, b in ((x, x), (y, y), (x, y))
    )
    return max(float(within_x + within_y - 2 * across), 0.0)
