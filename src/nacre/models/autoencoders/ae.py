"""Autoencoder: an encoder and a decoder trained to give back what they saw."""

from typing import ClassVar

import torch
from torch import Tensor

from nacre.data.dataset import Data
from nacre.data.spec import Spec
from nacre.errors import at_least
from nacre.game import Batch, Turn
from nacre.losses.likelihoods import squared_error
from nacre.model import Model, inference
from nacre.nets import coder
from nacre.nets.scale import FromData


class AE(Model):
    """Minimise the squared error of the reconstruction, E[|x - decoder(encoder(x))|^2].

    With the identity as activation the optimum spans the principal components of the data (Baldi & Hornik 1989).

    Args:
        spec: The data.
        latent: Size of the code, 1 or more.
        hidden: Units of the dense hidden layers, from the data inwards; unused by conv.
        channels: Channels of the finest convolutional map; unused by dense networks.
        network: Dense, convolutional, with the residual blocks of `conv-vae`, or by the data's shape.
        activation: Of the hidden layers; identity makes the whole linear.

    Shapes:
        encode: (n, *shape) -> (n, latent). decode: (n, latent) -> (n, *shape).

    Departures:
        Trained from end to end without layer-wise pretraining (that is `stacked-ae`), with squared error for all data,
        from which the mean is taken off first.

    Example:
        >>> import nacre
        >>> pca = nacre.create("ae", nacre.load_data("digits").spec, latent=8, hidden=(), activation="identity")
        >>> pca.reconstruct(nacre.load_data("digits:test").examples(2).x).shape
        torch.Size([2, 1, 8, 8])

    Reference:
        Hinton, Salakhutdinov. Reducing the dimensionality of data with neural networks. 2006.
        Baldi, Hornik. Neural networks and principal component analysis. 1989.
    """

    title: ClassVar[str] = "Autoencoder"
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006"
    density: ClassVar[str] = "none"
    defaults: ClassVar[dict[str, object]] = {"lr": 1e-3, "schedule": "cosine"}

    mean: Tensor

    def __init__(
        self,
        spec: Spec,
        latent: int = 32,
        hidden: tuple[int, ...] = (512, 128),
        channels: int = 32,
        network: coder.Network = "auto",
        activation: str = "relu",
    ) -> None:
        super().__init__(spec)
        at_least(1, latent=latent, hidden=hidden, channels=channels)
        self.latent = latent
        network = "dense" if activation == "identity" and network == "auto" else network
        self.from_data = FromData(spec)
        self.register_buffer("mean", torch.zeros(spec.shape))
        self.encoder = coder.encoder(spec, latent, hidden, channels, network, activation)
        self.decoder = coder.decoder(spec, latent, hidden, channels, network, activation)

    def begin(self, data: Data) -> None:
        """Centre on the data's mean, which the networks then need not carry."""
        self.mean.copy_(data.examples(10_000).x.mean(0))

    def turns(self) -> list[Turn]:
        """One turn: encoder and decoder together."""
        return [Turn((self.encoder, self.decoder), self.reconstruction)]

    def reconstruction(self, batch: Batch) -> Tensor:
        """Squared error per example, in the data's units."""
        return squared_error(self.prediction(self.features(batch.x)), batch.x).mean()

    def features(self, x: Tensor) -> Tensor:
        """The code, differentiable: (n, *shape) -> (n, latent)."""
        return self.encoder((x - self.mean) / self.from_data.scale)

    def prediction(self, z: Tensor) -> Tensor:
        """The decoder's output in the data's units, not yet clamped: (n, latent) -> (n, *shape)."""
        h = self.decoder(z).view(len(z), *self.spec.shape)
        return h * self.from_data.scale + self.mean

    @inference
    def encode(self, x: Tensor) -> Tensor:
        """The code, shape (n, latent)."""
        return self.features(x)

    @inference
    def decode(self, z: Tensor) -> Tensor:
        """The example of a code, shape (n, *shape), clamped to [0, 1] where the data are."""
        x = self.prediction(z)
        return x.clamp(0, 1) if self.spec.bounded else x
