"""Adversarial games on scores, named by formula.

A score is an unbounded output of the discriminator; where a game speaks of probabilities it is a logit, D = sigmoid.
Then log D(x) = -softplus(-score) and log(1 - D(x)) = -softplus(score), which stay finite, with finite gradients,
however sure the discriminator is. Everywhere real comes before fake, every cost is minimised, and the discriminator's
cost is the sum of its two means, without a factor of 1/2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import relu, softplus


def discriminator_cost(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))], whose optimum is D = p_data / (p_data + p_model).

    At that optimum it equals log 4 - 2 JSD(p_data, p_model). Goodfellow et al. 2014, equation 1.

    Args:
        real: Logits of real examples, shape (n, ...).
        fake: Logits of generated examples, shape (m, ...).
        smoothing: s in [0, 1): the target of real examples is 1 - s instead of 1, that of generated ones stays 0
            (Salimans et al. 2016, section 3.4).
    """
    cost = softplus(-real).mean() + softplus(fake).mean()
    return cost + smoothing * real.mean() if smoothing else cost


def minimax(fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))]: the generator's part of the minimax game, flat where D(G(z)) is near 0."""
    return -softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E[log D(G(z))]: steep where D(G(z)) is near 0. Goodfellow et al. 2014, section 3."""
    return softplus(-fake).mean()


def maximum_likelihood(fake: Tensor, bound: float = 10.0) -> Tensor:
    """-E[D / (1 - D)] = -E[exp(logit)]: under an optimal D the generator's gradient is that of maximum likelihood.

    Beyond logit = `bound` the exponential goes on as its tangent, so that one sample the discriminator is sure of
    cannot make the gradient infinite. Goodfellow 2014 (arXiv 1412.6515), section 4.

    Args:
        fake: Logits of generated examples.
        bound: Where the tangent begins; the largest gradient is exp(bound) / n.
    """
    inside = fake.clamp(max=bound)
    return -(inside.exp() * (1 + (fake - inside))).mean()


GENERATOR_COSTS = {
    "minimax": minimax,
    "non-saturating": non_saturating,
    "maximum-likelihood": maximum_likelihood,
}


def least_squares_discriminator(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """E[(D(x) - 1 + s)^2] + E[D(G(z))^2]. Mao et al. 2017, equation 9, without its factor of 1/2."""
    return (real - 1 + smoothing).square().mean() + fake.square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """E[(D(G(z)) - 1)^2]."""
    return (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]. Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[f(G(z))] - E[f(x)]: the negative of the critic's estimate of the Wasserstein-1 distance."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[f(G(z))], the generator's cost of the hinge game too."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(G(z)) - D(x))] over pairs: a real example shall score higher than the fake beside it.

    Jolicoeur-Martineau 2019 (RpGAN); Huang et al. 2024 (R3GAN), equation 2.

    Args:
        real: Scores of real examples, shape (n, ...).
        fake: Scores of as many generated ones.
    """
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(x) - D(G(z)))] over pairs."""
    return softplus(real - fake).mean()


@dataclass(frozen=True)
class Game:
    """What each of two players minimises.

    Args:
        discriminator: Its cost of the scores (real, fake), and of `smoothing` where `smooths`.
        generator: Its cost of the scores of generated examples, or of (real, fake) where `paired`.
        paired: Whether real and generated examples are judged in pairs.
        smooths: Whether the target of real examples can be smoothed.
        logits: Whether a score is the logit of a probability; elsewhere it has no scale of its own.
        signed: Whether a score above 0 calls its example real.
        shifts: Whether a constant added to all scores changes a cost: where it does not, the last bias is idle.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    paired: bool = False
    smooths: bool = False
    logits: bool = False
    signed: bool = False
    shifts: bool = True


GameName = Literal[
    "minimax", "non-saturating", "maximum-likelihood", "least-squares", "hinge", "wasserstein", "relativistic"
]
GAMES: dict[str, Game] = {
    **{
        name: Game(discriminator_cost, cost, smooths=True, logits=True, signed=True)
        for name, cost in GENERATOR_COSTS.items()
    },
    "least-squares": Game(least_squares_discriminator, least_squares_generator, smooths=True),
    "hinge": Game(hinge_discriminator, wasserstein_generator, signed=True),
    "wasserstein": Game(wasserstein_critic, wasserstein_generator, shifts=False),
    "relativistic": Game(relativistic_discriminator, relativistic_generator, paired=True, shifts=False),
}
