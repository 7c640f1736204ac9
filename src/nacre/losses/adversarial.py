"""Adversarial costs on logits, named by formula.

With D = sigmoid(logit): log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit), which stay finite, with
finite gradients, however sure the discriminator is. Everywhere real comes before fake, every cost is minimised, and
the discriminator's cost is the sum of its two means, without a factor of 1/2.
"""

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_cost(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))], whose optimum is D = p_data / (p_data + p_model).

    At that optimum it equals log 4 - 2 JSD(p_data, p_model). Goodfellow et al. 2014, equation 1.

    Args:
        real: Logits of real examples, shape (n, ...).
        fake: Logits of generated examples, shape (m, ...).
    """
    return softplus(-real).mean() + softplus(fake).mean()


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


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[f(G(z))] - E[f(x)]: the negative of the critic's estimate of the Wasserstein-1 distance."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[f(G(z))]."""
    return -fake.mean()
