"""Beta-TCVAE: a VAE whose latent variables are pulled apart by charging their total correlation."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.losses.likelihoods import gaussian_log_density
from nacre.models.autoencoders.vae import VAE
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods


class BetaTCVAE(VAE):
    r"""Maximise E[log p(x|z)] - alpha I(x; z) - beta TC(z) - gamma sum_j KL(q(z_j) || p(z_j)).

    The three parts add up to the KL of the ELBO for alpha = beta = gamma = 1. The aggregate q(z) is estimated on the
    batch of m out of N examples: log q(z_i) = log sum_j q(z_i|x_j) - log(N m) (minibatch weighted sampling).

    Algorithm: equation 4 with the estimator of its appendix C.1.

    Args:
        spec: The data.
        latent: Latent variables, 2 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z), as in `vae`.
        alpha: Weight of the mutual information, 0 or more.
        beta: Weight of the total correlation, 0 or more.
        gamma: Weight of the divergence of every variable from its prior, 0 or more.
        kl_warmup: Share of training over which the three weights rise from 0, in [0, 1).
        activation: Of the hidden layers.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, *shape), the mean of p(x|z).

    Departures:
        As `vae`.

    Example:
        >>> import nacre
        >>> model = nacre.create("beta-tcvae", nacre.load_data("digits").spec, latent=4, beta=6.0)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Chen, Li, Grosse, Duvenaud. Isolating sources of disentanglement in variational autoencoders. 2018.
        arXiv 1802.04942.
    """

    title: ClassVar[str] = "Beta-TCVAE"
    paper: ClassVar[str] = "Chen et al. 2018, equation 4"
    known_failures: ClassVar[dict[str, str]] = {
        "accumulation": "the aggregate posterior is estimated on the batch, and a part of it is another estimate",
        "two processes": "the aggregate posterior is estimated on the process's own half of the batch",
    }

    examples: Tensor

    def __init__(
        self,
        spec: Spec,
        latent: int = 10,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        alpha: float = 1.0,
        beta: float = 6.0,
        gamma: float = 1.0,
        kl_warmup: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__(
            spec, latent, hidden, channels, network, likelihood, kl_warmup=kl_warmup, activation=activation
        )
        at_least(2, latent=latent)
        at_least(0, alpha=alpha, beta=beta, gamma=gamma)
        self.weights = (alpha, beta, gamma)
        self.register_buffer("examples", torch.tensor(1.0))

    def begin(self, data: Data) -> None:
        """Remember N, the number of training examples."""
        self.examples.fill_(len(data))

    def regularisation(self, h: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Mutual information, total correlation and divergence by variable, each weighted."""
        alpha, beta, gamma = self.weights
        information, correlation, divergence = decompose(z, *h.chunk(2, dim=1), examples=self.examples)
        return {
            "information": alpha * information,
            "total_correlation": beta * correlation,
            "divergence": gamma * divergence,
        }


def decompose(z: Tensor, mean: Tensor, logvar: Tensor, examples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """I(x; z), TC(z) and sum_j KL(q(z_j) || p(z_j)) in nats, estimated on a batch; scalars.

    Args:
        z: Draws from q(z|x), shape (m, d).
        mean: Of q(z|x), shape (m, d).
        logvar: Of q(z|x), shape (m, d).
        examples: N, a scalar.
    """
    pairs = [part[None].unsqueeze(-1) for part in (mean, logvar)]
    of_pairs = gaussian_log_density(z[:, None].unsqueeze(-1), *pairs)  # log q(z_ij | x_k): (m, m, d)
    log_count = math.log(len(z)) + examples.log()
    log_q_given_x = gaussian_log_density(z, mean, logvar)
    log_q = torch.logsumexp(of_pairs.sum(2), 1) - log_count
    log_q_product = (torch.logsumexp(of_pairs, 1) - log_count).sum(1)
    log_p = gaussian_log_density(z)
    return (log_q_given_x - log_q).mean(), (log_q - log_q_product).mean(), (log_q_product - log_p).mean()
