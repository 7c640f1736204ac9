"""FactorVAE: a VAE whose latent variables are pulled apart by a discriminator of their independence."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.models.autoencoders.vae import VAE
from nacre.nets import coder
from nacre.nets import likelihood as likelihoods
from nacre.nets.mlp import mlp


class FactorVAE(VAE):
    r"""Maximise ELBO - gamma TC(z), with the total correlation TC(z) = KL(q(z) || prod_j q(z_j)) = E[D(z)].

    D is the logit of a discriminator between draws of q(z) and draws whose variables were permuted over the batch, one
    by one; at its optimum it is the log-ratio of the two densities.

    Algorithm: 2, with fresh draws of z for the discriminator, of the same batch.

    Args:
        spec: The data.
        latent: Latent variables, 2 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        likelihood: Of p(x|z), as in `vae`.
        gamma: Weight of the total correlation, 0 or more.
        judge: Units of the discriminator's hidden layers.
        activation: Of the hidden layers of encoder and decoder.

    Shapes:
        encode: (n, *shape) -> (n, latent), the mean of q(z|x). decode: (n, latent) -> (n, *shape), the mean of p(x|z).

    Departures:
        As `vae`; the discriminator has one output, the log-ratio itself, instead of two logits, and three layers of
        256 units instead of six of 1,000.

    Example:
        >>> import nacre
        >>> model = nacre.create("factor-vae", nacre.load_data("digits").spec, latent=4)
        >>> model.sample(3, seed=0).shape
        torch.Size([3, 1, 8, 8])

    Reference:
        Kim, Mnih. Disentangling by factorising. 2018. arXiv 1802.05983.
    """

    title: ClassVar[str] = "FactorVAE"
    paper: ClassVar[str] = "Kim & Mnih 2018, Algorithm 2"

    def __init__(
        self,
        spec: Spec,
        latent: int = 10,
        hidden: tuple[int, ...] = (400,),
        channels: int = 32,
        network: coder.Network = "auto",
        likelihood: likelihoods.Name = "auto",
        gamma: float = 10.0,
        judge: tuple[int, ...] = (256, 256, 256),
        activation: str = "relu",
    ) -> None:
        super().__init__(spec, latent, hidden, channels, network, likelihood, activation=activation)
        at_least(2, latent=latent)
        at_least(1, judge=judge)
        at_least(0, gamma=gamma)
        self.gamma = gamma
        self.discriminator = mlp([latent, *judge, 1], "leaky-relu")

    def turns(self) -> list[Turn]:
        """First the VAE, then the discriminator on a fresh batch."""
        return [
            Turn((self.encoder, self.decoder, self.likelihood), self.negative_elbo),
            Turn(self.discriminator, self.discriminator_loss),
        ]

    def regularisation(self, h: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The KL, and gamma E[D(z)]."""
        return {
            **super().regularisation(h, z),
            "total_correlation": self.gamma * self.discriminator(z).mean(),
        }

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """-E[log sigmoid(D(z))] / 2 - E[log(1 - sigmoid(D(permuted z)))] / 2."""
        z = self.latents.draw(self.posterior(batch.x), self.progress)
        return 0.5 * (softplus(-self.discriminator(z)) + softplus(self.discriminator(permuted(z)))).mean()


def permuted(z: Tensor) -> Tensor:
    """Every column in an order of its own, so that the columns are independent: (n, d) -> (n, d)."""
    return z.gather(0, torch.rand_like(z).argsort(0))
